"""Quadrotors, thousands side by side."""
