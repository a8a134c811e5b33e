"""Action chunks as tokens."""
