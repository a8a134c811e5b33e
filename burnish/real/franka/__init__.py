"""Franka Research 3: driver, limits, shape, and a simulated one that speaks the Franka Control Interface."""
