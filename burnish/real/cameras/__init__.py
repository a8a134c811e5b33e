"""Cameras of a robot: a driver per kind, and a watch that notices when one stops telling the truth."""
