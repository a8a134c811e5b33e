"""`burnish deploy CHECKPOINT --robot NAME`: a policy on a robot, real or simulated, without ROS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish import processes, registry
from burnish.commands import flags
from burnish.commands.senses import Senses
from burnish.console import say
from burnish.errors import BurnishError
from burnish.files import write_json
from burnish.real.base import RobotError, load_robot
from burnish.real.control import Settings
from burnish.real.operator import Operator
from burnish.real.planning import open_plans
from burnish.real.player import PlayerConfig
from burnish.real.safety import SafetyConfig
from burnish.real.session import Session, mailbox_path
from burnish.real.simulated import SimulatedProcess

LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+$")
"""With --sim, an address that the simulated robot can have; another one is the real robot's and is left alone."""


@dataclass(frozen=True)
class Config:
    """Run a policy on a robot. Ctrl-C lets the robot come to rest and ends; Enter halts it at once."""

    checkpoint: Annotated[str, Suppress, Fixed]
    """A checkpoint, an exported policy, or ws://HOST:PORT of a policy server."""
    name: Annotated[str, Suppress, Fixed]
    """The robot."""
    robot: Any
    """The robot's own settings; --robot.address is where it is."""
    sim: bool = False
    """Start the simulated robot, and move that one over the same protocol."""
    seconds: float = 30.0
    """How long the policy moves the robot."""
    cameras: tuple[str, ...] = ()
    """What the policy sees: NAME=DRIVER or NAME=DRIVER:DEVICE each, e.g. front=v4l2:/dev/video0 (v4l2, realsense,
    simulated)."""
    camera_timeout: float = 0.2
    """A camera without a new picture for so long is blind, s."""
    instruction: str = ""
    """What to do, for a policy that is told."""
    task: str = ""
    """ROBOT/TASK whose things a tracker sees, e.g. franka/lift, for a policy that reads their poses; with --sim they
    lie before the robot."""
    tracker: str = ""
    """What sees them: NAME or NAME:ADDRESS; with --sim "simulated" is the simulated robot's own."""
    target: tuple[float, ...] = ()
    """Where the task's goal or hole stands; with --sim it is drawn."""
    seed: int = 0
    """Of the task's episode that --sim lays out."""
    rate_hz: float | None = None
    """Actions per second of a policy that does not say so itself."""
    token: str | None = None
    """What a policy server on another computer wants to know."""
    out: Path = Path("runs/deploy")
    """What happened is recorded there."""
    player: PlayerConfig = field(default_factory=PlayerConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)


def configure(words: list[str]) -> Config:
    """The checkpoint first, then --robot NAME anywhere, then settings."""
    checkpoint, rest = flags.take_name(words, "burnish deploy", "checkpoint")
    name, rest = _robot(rest)
    address = [f"--robot.{word[2:]}" if word.partition("=")[0] == "--address" else word for word in rest]
    settings = registry.robots.load(name).Config()
    prog = f"burnish deploy CHECKPOINT --robot {name}"
    return flags.parse(Config, address, prog=prog, checkpoint=checkpoint, name=name, robot=settings)


def run(config: Config) -> dict[str, Any]:
    """Move the robot for `seconds`; what the session counted."""
    kind = load_robot(config.name)
    if config.task:
        registry.tracked_tasks.load(config.name).check(config.task)
    with processes.interrupted_once(), ExitStack() as stack:
        settings, robot = asdict(config.robot), None
        if config.sim:
            words = [*kind.simulation(config.robot), *(["--task", config.task] if config.task else [])]
            robot = stack.enter_context(simulated(config.name, config.robot.address, config.out, words))
            settings["address"] = robot.address
        source = open_plans(config.checkpoint, config.out, token=config.token, rate_hz=config.rate_hz)
        plans = stack.enter_context(source)
        if wrong := kind.unsuited(config.robot, plans.trained):
            advice = "train one for it, or accept that with --robot.force"
            raise RobotError(
                f"the policy was not trained for this {config.name}, which is not armed: {wrong}; {advice}"
            )
        senses = stack.enter_context(Senses(config, kind, plans.contract, robot))
        box = mailbox_path()
        stack.callback(lambda: box.unlink(missing_ok=True))
        told = Settings(config.name, settings, plans.rate_hz, plans.replan, str(box), config.player, config.safety)
        session = stack.enter_context(
            Session(told, plans, config.out, senses=senses.given, tell=lambda line: say(f"  {line}"))
        )
        senses.follow(session)
        operator = stack.enter_context(Operator(session))
        say(f"{config.name} at {plans.rate_hz:g} actions a second; {operator.help}")
        session.play(operator.done)
        if robot is not None and (wish := kind.lets_go(config.robot)):
            robot.ask(wish)
        session.run(config.seconds, operator.done)
        found, done = session.summary(), senses.verdict()
    halts = f"{found['halts']} halts, the last by {found['last_halt']!r}" if found["halts"] else "no halt"
    say(f"{found['actions']} actions in {found['seconds']:.1f} s, {halts}{done} → {config.out}")
    return found


@contextmanager
def simulated(name: str, address: str, out: Path, words: Sequence[str] = ()) -> Iterator[SimulatedProcess]:
    """The simulated robot, at `address` where it can have it; what it has seen is kept in `out`/robot.json."""
    out.mkdir(parents=True, exist_ok=True)
    flags = [*words, *(["--address", address] if LOOPBACK.match(address) else [])]
    with SimulatedProcess(name, flags, log=out / "simulated.log") as robot:
        try:
            yield robot
        finally:
            with suppress(RobotError):  # it may be what failed
                write_json(out / "robot.json", robot.stop())


def _robot(words: list[str]) -> tuple[str, list[str]]:
    """The robot's name, and the other words."""
    known = registry.robots.names()
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag == "--robot":
            name = value if equals else words[place + 1] if place + 1 < len(words) else ""
            flags.take_name([name] if name else [], "burnish deploy", "robot", known)
            return name, words[:place] + words[place + (1 if equals else 2) :]
    raise BurnishError(f"`burnish deploy` needs --robot NAME ({', '.join(known)})")
