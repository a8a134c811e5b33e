"""A Franka Research 3 with its hand on MuJoCo, batched: what is trained here runs on the robot's driver as it is."""
