"""Rollout workers on the machines of a Ray cluster, and one learner: the same algorithms, other lanes."""
