"""mjlab's tasks (Isaac Lab's interface on MuJoCo-Warp): a batch on one GPU, or on a CPU."""
