"""Robots: drivers, safety and chunk playback."""
