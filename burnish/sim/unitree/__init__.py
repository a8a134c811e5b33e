"""Unitree's legged robots, many side by side."""
