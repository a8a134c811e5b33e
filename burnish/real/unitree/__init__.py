"""Unitree Go2 and G1: low-level control over DDS."""
