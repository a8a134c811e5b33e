"""Isaac Lab's tasks on Newton (MuJoCo-Warp), without Isaac Sim: a batch on one GPU, or on a CPU."""
