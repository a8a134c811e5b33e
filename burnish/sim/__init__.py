"""Simulators: lanes, vector environments, protocols, evaluation, rendering."""
