"""The `burnish` command: one verb, one module, imported only when it is called."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
from collections.abc import Sequence

from burnish import __version__, extras, processes
from burnish.errors import BurnishError, UnknownNameError

VERBS = {
    "demo": "the whole road once: collect, train, refine, distill, export, evaluate, report",
    "envs": "every task: what is seen, done and counted as success, and whether it runs on this machine",
    "collect": "record an expert on a task as a LeRobotDataset",
    "convert": "recordings of a robot (ROS bags, `burnish deploy`) as a LeRobotDataset",
    "train": "imitate a dataset with a policy (meanflow, flow, diffusion, mlp, …), or learn from rewards (ppo)",
    "tokenize": "learn to write a dataset's action chunks as tokens (mint, fast, bins)",
    "eval": "play fixed episodes with a checkpoint; success with a 95 % interval, videos",
    "refine": "improve a checkpoint by reinforcement learning, from the success signal only",
    "distill": "turn a teacher into a one-step policy that needs less, or sees what a robot sees",
    "export": "write a checkpoint as ONNX, check it against torch, time both",
    "trial": "play fixed episodes of a task on the simulated robot, through driver and safety",
    "deploy": "run a policy on a robot, real or simulated (franka, unitree-g1, unitree-go2, quadrotor)",
    "ros": "a policy on a robot through ROS 2 nodes (franka, unitree-go2, unitree-g1, quadrotor)",
    "sim-robot": "a simulated robot that speaks the real one's protocol (franka, unitree-g1, unitree-go2, quadrotor)",
    "serve": "a policy behind a websocket, for openpi's client too",
    "report": "one self-contained report.html about the runs in a folder",
    "rerun": "repeat a run from its folder",
}
USER_FAULTS = {
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST,
    errno.ENAMETOOLONG, errno.ELOOP, errno.EIO,
}  # fmt: skip
STOPPED, FAULT = 130, 2
"""Exit status after Ctrl-C, and after an error the user can mend."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status. Errors a user can mend are one message, never a traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"burnish {__version__}")
        return 0
    processes.interrupt_on_terminate()
    processes.end_with_owner()
    try:
        _dispatch(words[0], words[1:])
    except KeyboardInterrupt:
        return _say("stopped; run the same command again to go on", STOPPED)
    except BurnishError as error:
        return _say(f"burnish: {error}", FAULT)
    except ModuleNotFoundError as error:
        return _say(f"burnish: {extras.needed(f'`burnish {words[0]}`', error)}", FAULT)
    except BrokenPipeError:  # `burnish … | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in USER_FAULTS:
            raise
        return _say(f"burnish: {error.filename or 'writing'}: {error.strerror}", FAULT)
    return 0


def usage() -> str:
    """The help of `burnish` itself; needs no import beyond this module."""
    width = max(map(len, VERBS))
    return "\n".join(
        [
            "usage: burnish VERB ... [--help]",
            "",
            "Imitate a policy from demonstrations, refine it by reinforcement learning, distil and export it.",
            "",
            *(f"  {verb:<{width}}  {summary}" for verb, summary in VERBS.items()),
            "",
            "burnish VERB --help lists the settings of a verb; burnish --version prints the version.",
        ]
    )


def _dispatch(verb: str, words: Sequence[str]) -> None:
    if verb not in VERBS:
        close = difflib.get_close_matches(verb, VERBS, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(VERBS)}"
        raise UnknownNameError(f"unknown verb {verb!r}; {hint}")
    command = importlib.import_module(f"burnish.commands.{verb.replace('-', '_')}")
    command.run(command.configure(list(words)))


def _say(line: str, status: int) -> int:
    print(line, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
