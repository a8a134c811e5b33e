"""A robot that is still held by the control process of a node that died: let go of it, for the next one."""

from __future__ import annotations

import time
from pathlib import Path

from burnish.errors import BurnishError
from burnish.real.control import OWNER_S, Settings, make_robot
from burnish.real.mailbox import Layout, Mailbox

PID = "control.pid"
END_S = 5.0


def release(folder: Path) -> bool:
    """End the control process that was started in `folder`, if its owner is gone; whether there was one.

    Raises `BurnishError` if its owner lives, or if it does not end.
    """
    told, pid = folder / "control.json", folder / PID
    if not told.exists() or not pid.exists():
        return False
    process = Path("/proc") / pid.read_text().strip()
    settings = Settings.read(told)
    box = Path(settings.mailbox)
    if not box.exists() or not _controls(process, folder):
        pid.unlink()
        return False
    spec = make_robot(settings.robot, settings.config).spec
    mailbox = Mailbox(box, Layout(spec.state.shape[-1], spec.contract.action.shape[-1]))
    if mailbox.age_s() < OWNER_S:
        raise BurnishError(f"another node has robot {settings.robot} (its recording is {folder}); end that one first")
    mailbox.order("end")
    end = time.monotonic() + END_S
    while _controls(process, folder):
        if time.monotonic() > end:
            raise BurnishError(f"the robot is held by process {process.name} of a node that died; end that process")
        time.sleep(0.02)
    box.unlink(missing_ok=True)
    pid.unlink()
    return True


def _controls(process: Path, folder: Path) -> bool:
    """Whether that process lives, and is a control process of this folder: a number may have been given anew."""
    try:
        return str(folder / "control.json").encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False
