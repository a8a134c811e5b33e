"""`burnish ros ROBOT CHECKPOINT`: a policy on a robot through ROS 2 nodes, without ROS's own launch system."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish import processes, registry
from burnish.commands import flags
from burnish.commands.deploy import simulated
from burnish.console import say
from burnish.real.base import load_robot
from burnish.real.player import PlayerConfig
from burnish.real.ros.main import need_rclpy
from burnish.real.ros.parts import policy_part, robot_part, tracker_part
from burnish.real.ros.supervisor import Part, Supervisor
from burnish.real.ros.words import parameters
from burnish.real.safety import SafetyConfig


@dataclass(frozen=True)
class Config:
    """Start a policy's node and a robot's, and keep them running until Ctrl-C, which leaves the robot at rest."""

    name: Annotated[str, Suppress, Fixed]
    """The robot."""
    checkpoint: Annotated[str, Suppress, Fixed]
    """A checkpoint, an exported policy, or ws://HOST:PORT of a policy server (its token: BURNISH_TOKEN)."""
    robot: Any
    """The robot's own settings; --robot.address is where it is."""
    sim: bool = False
    """Start the simulated robot, and move that one over the same protocol."""
    cameras: tuple[str, ...] = ()
    """What the policy sees: NAME:=TOPIC each."""
    camera_timeout: float = 0.2
    """A camera without a new frame for so long is blind, s."""
    task: str = ""
    """Whose things a policy that reads observation.environment_state knows, e.g. franka/lift; with --sim they lie
    before the robot, and are tracked. Where to go, or a clip, the robot's own settings say."""
    objects: tuple[str, ...] = ()
    """Where a tracker says that they are: NAME:=TOPIC each."""
    target: tuple[float, ...] = ()
    """What the task draws besides: a goal's or a hole's place, as its numbers in `burnish/sim`."""
    instruction: str = ""
    """What to do, until the topic `instruction` says otherwise."""
    out: Path = Path("runs/ros")
    """What happened is recorded there."""
    player: PlayerConfig = field(default_factory=PlayerConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)


def configure(words: list[str]) -> Config:
    """The robot first, then the checkpoint, then settings."""
    name, rest = flags.take_name(words, "burnish ros", "robot", registry.robots.names())
    checkpoint, rest = flags.take_name(rest, f"burnish ros {name}", "checkpoint")
    settings = registry.robots.load(name).Config()
    prog = f"burnish ros {name} CHECKPOINT"
    return flags.parse(Config, rest, prog=prog, checkpoint=checkpoint, name=name, robot=settings)


def run(config: Config) -> None:
    """Until Ctrl-C. Raises `BurnishError` if a node cannot start, or ROS 2 is not installed."""
    need_rclpy()
    with processes.interrupted_once(), ExitStack() as stack:
        more: list[Part] = []
        if config.sim:
            kind = load_robot(config.name)
            words = [*kind.simulation(config.robot), *(["--task", config.task] if config.task else [])]
            robot = stack.enter_context(simulated(config.name, config.robot.address, config.out, words))
            config = replace(config, robot=replace(config.robot, address=robot.address))
            more = [tracker_part(robot.door)] if config.task else []
        nodes = stack.enter_context(Supervisor(parts(config) + more, lambda line: say(f"  {line}")))
        say(f"{config.name}: nodes /robot and /policy, recording in {config.out}; Ctrl-C ends both, the robot at rest")
        nodes.run()


def parts(config: Config) -> list[Part]:
    """The nodes, as the launch files have them."""
    words = ("cameras", "camera_timeout", "task", "objects", "target", "instruction")
    policy = {word: getattr(config, word) for word in words}
    policy = {word: list(value) if isinstance(value, tuple) else value for word, value in policy.items()}
    robot = parameters("robot", config.robot) | {"out": str(config.out), "autostart": "activate"}
    return [robot_part(config.name, config.player, config.safety, robot), policy_part(config.checkpoint, policy)]
