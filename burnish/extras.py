"""Which extra brings a module that the base install lacks."""

from __future__ import annotations

EXTRAS = {
    "train": ("torch", "lerobot", "datasets", "pyarrow", "av", "diffusers", "onnx", "onnxscript", "tensorboard"),
    "rl": ("rsl_rl", "tensordict"),
    "metaworld": ("metaworld", "mujoco", "mujoco_warp", "warp", "gymnasium", "imageio"),
    "franka": ("pylibfranka", "ruckig"),
    "unitree": ("cyclonedds", "unitree_sdk2py"),
    "quadrotor": ("mavsdk",),
    "ros": ("rclpy", "sensor_msgs", "trajectory_msgs"),
    "rosbags": ("rosbags",),
    "cameras": ("linuxpy",),
    "realsense": ("pyrealsense2",),
    "sim-robots": ("franky_sim", "pymavlink"),
}


def needed(who: str, error: ModuleNotFoundError) -> str:
    """What to install, for whoever met `error`. Raises `error` where no extra brings the module."""
    module = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return f"{who} needs {module}, which is not installed; pip install 'burnish[{extra}]'"
    raise error
