"""Policies that imitate demonstrations: observation → action chunk."""
