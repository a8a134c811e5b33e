"""A policy on a Franka Research 3, real or simulated.

ros2 launch burnish franka.launch.py checkpoint:=runs/demo/export sim:=true
"""

from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.conditions import IfCondition
from launch.substitutions import IfElseSubstitution, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchDescription

ARGUMENTS = {
    "checkpoint": (None, "a checkpoint, an exported policy, or ws://HOST:PORT of a policy server"),
    "sim": ("false", "start the simulated robot, and move that one over the same protocol"),
    "address": ("172.16.0.2", "host name or IP address of the robot's control unit"),
    "mode": ("synchronous", "how plans follow one another: synchronous, ensemble or realtime"),
    "cameras": ("['']", "what the policy sees: ['NAME:=TOPIC', ...]"),
    "task": ("", "of which task a policy reads observation.environment_state, e.g. franka/lift"),
    "objects": ("['object:=/tracker/object/pose']", "where that task's things are: ['NAME:=TOPIC', ...]"),
    "autostart": ("activate", "off: somebody else drives the lifecycle of /robot; activate: it moves at once"),
    "out": ("runs/ros", "folder in which everything is recorded"),
}


def generate_launch_description():
    """A policy, a robot, and with `sim` a simulated one."""
    found = {name: LaunchConfiguration(name) for name in ARGUMENTS}
    text = {
        name: ParameterValue(found[name], value_type=str) for name in ("checkpoint", "mode", "task", "autostart", "out")
    }
    address = IfElseSubstitution(found["sim"], "127.0.0.1", found["address"])
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=value, description=about)
                for name, (value, about) in ARGUMENTS.items()
            ),
            ExecuteProcess(
                cmd=["burnish", "sim-robot", "franka"], condition=IfCondition(found["sim"]), output="screen"
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
                        "task": text["task"],
                        "objects": ParameterValue(found["objects"]),
                        "autostart": "activate",
                    }
                ],
            ),
            Node(
                package="burnish",
                executable="franka_node",
                name="robot",
                output="screen",
                parameters=[
                    {
                        "robot": "franka",
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
