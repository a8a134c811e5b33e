"""Isaac Sim's assets, which no package brings: from its server, or from a folder."""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from burnish.sim.needs import Lack, Need

VARIABLE = "ISAACSIM_ASSET_ROOT"
"""Environment variable that names another root than the server: a folder, or an address."""
SERVER = "https://omniverse-content-production.s3-us-west-2.amazonaws.com/Assets/Isaac/6.2"
"""Isaac Lab 3.0.0's own root."""
WITHIN_S = 1.0
GROUND = "Isaac/IsaacLab/Environments/Grid/default_ground_plane_checker_v1/default_ground_plane.usda"
"""What almost every task stands on."""


@dataclass(frozen=True)
class Assets(Need):
    """A folder that has them, or a server that can be reached."""

    def lack(self) -> Lack | None:
        """Looks for one file in a folder; knocks at a server. What a proxy reaches is not known."""
        root = os.environ.get(VARIABLE) or SERVER
        mend = f"export {VARIABLE}=FOLDER that has {GROUND}, and the task's robot"
        if "://" not in root:
            found = (Path(root) / GROUND).is_file()
            return None if found else Lack(f"{VARIABLE} is {root!r}, where no {GROUND} is", mend)
        host = urlparse(root).hostname or root
        if any(name.lower() == "https_proxy" for name in os.environ) or _answers(host):
            return None
        return Lack(f"the server of Isaac Sim's assets, {host}, does not answer", mend)


@functools.cache
def _answers(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=WITHIN_S).close()
    except OSError:
        return False
    return True
