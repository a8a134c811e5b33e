"""`burnish serve CHECKPOINT`: a policy behind a websocket, for openpi's client and for `RemotePolicy`."""

from __future__ import annotations

import asyncio
import gc
import math
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish.commands import flags
from burnish.console import say
from burnish.errors import BurnishError
from burnish.real.server.access import check_address, read_token
from burnish.real.server.planner import Planner, open_planner
from burnish.real.server.server import PolicyServer, Settings


@dataclass(frozen=True)
class Config:
    """Serve a checkpoint, or an exported policy, to clients over a websocket until Ctrl-C."""

    checkpoint: Annotated[Path, Suppress, Fixed]
    """The policy to serve."""
    host: str = "127.0.0.1"
    """Address to listen on. One that other computers reach needs a token."""
    port: int = 8000
    """0: any that is free."""
    token_file: Path | None = None
    """File with the token that clients must send; without one, BURNISH_TOKEN of the environment."""
    seed: int = 0
    """Of each connection's noise, until it sends a seed of its own."""
    max_message_mb: float = 64.0
    """Larger messages are refused, 10⁶ bytes."""
    device: str | None = None
    """Where a checkpoint computes, e.g. cuda; an exported policy runs on the CPU."""


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one is the checkpoint."""
    checkpoint, rest = flags.take_name(words, "burnish serve", "checkpoint")
    return flags.parse(Config, rest, prog=f"burnish serve {checkpoint}", checkpoint=Path(checkpoint))


def run(config: Config) -> dict[str, Any]:
    """Serve until Ctrl-C or SIGTERM; returns nothing of note."""
    if config.seed < 0 or not 0 < config.max_message_mb < math.inf:
        raise BurnishError(f"--seed {config.seed} --max-message-mb {config.max_message_mb}: both begin at 0, and above")
    token = read_token(config.token_file)
    check_address(config.host, token)  # before the policy is loaded, which may take long
    settings = Settings(config.host, config.port, token, config.seed, int(config.max_message_mb * 1e6))
    planner = open_planner(config.checkpoint, config.device)
    gc.collect()
    gc.freeze()  # what was loaded stays: looking through it for garbage would hold up a plan, and the end
    asyncio.run(_serve(planner, settings))
    say("stopped")
    return {}


async def _serve(planner: Planner, settings: Settings) -> None:
    server, stop = PolicyServer(planner, settings), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    who = "whoever has the token" if settings.token else "anyone on this computer"
    await server.run(
        stop,
        lambda host, port: say(f"Serving {planner.name!r} on ws://{_bracketed(host)}:{port} to {who}; Ctrl-C ends it"),
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
