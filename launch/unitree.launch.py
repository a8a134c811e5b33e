"""A policy on a Unitree Go2 or G1 (`robot:=unitree-g1`), real or simulated.

ros2 launch burnish unitree.launch.py checkpoint:=runs/demo/export sim:=true
"""

from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.conditions import IfCondition
from launch.substitutions import IfElseSubstitution, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchDescription

ARGUMENTS = {
    "checkpoint": (None, "a checkpoint, an exported policy, or ws://HOST:PORT of a policy server"),
    "robot": ("unitree-go2", "unitree-go2 or unitree-g1"),
    "sim": ("false", "start the simulated robot, and move that one over the same protocol"),
    "address": ("eth0", "network interface in the robot's network"),
    "mode": ("synchronous", "how plans follow one another: synchronous, ensemble or realtime"),
    "cameras": ("['']", "what the policy sees: ['NAME:=TOPIC', ...]"),
    "autostart": ("activate", "off: somebody else drives the lifecycle of /robot; activate: it moves at once"),
    "out": ("runs/ros", "folder in which everything is recorded"),
}


def generate_launch_description():
    """A policy, a robot, and with `sim` a simulated one."""
    found = {name: LaunchConfiguration(name) for name in ARGUMENTS}
    text = {name: ParameterValue(found[name], value_type=str) for name in ("checkpoint", "mode", "autostart", "out")}
    address = IfElseSubstitution(found["sim"], "lo", found["address"])
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=value, description=about)
                for name, (value, about) in ARGUMENTS.items()
            ),
            ExecuteProcess(
                cmd=["burnish", "sim-robot", found["robot"]], condition=IfCondition(found["sim"]), output="screen"
            ),
            Node(
                package="burnish",
                executable="policy_node",
                name="policy",
                output="screen",
                respawn=True,  # it moves nothing: the robot stays held until an operator calls /robot/resume
                respawn_delay=1.0,
                parameters=[
                    {
                        "checkpoint": text["checkpoint"],
                        "cameras": ParameterValue(found["cameras"]),
                        "autostart": "activate",
                    }
                ],
            ),
            Node(
                package="burnish",
                executable="unitree_node",
                name="robot",
                output="screen",
                parameters=[
                    {
                        "robot": ParameterValue(found["robot"], value_type=str),
                        "robot.address": ParameterValue(address, value_type=str),
                        "player.mode": text["mode"],
                        "autostart": text["autostart"],
                        "out": text["out"],
                        "policy_timeout": 120.0,
                    }
                ],
            ),
        ]
    )
