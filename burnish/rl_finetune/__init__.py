"""Refinement of imitated policies: residual reinforcement learning and on-policy distillation."""
