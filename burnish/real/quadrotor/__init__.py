"""Quadrotors over MAVLink: the driver, and a simulated one with its own autopilot."""
