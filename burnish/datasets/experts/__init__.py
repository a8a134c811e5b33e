"""Experts: anything that can show a task (scripted, planned, learned, human)."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from burnish.agent import Agent


class Expert(Agent, Protocol):
    """An agent that also says which action is to be imitated, when it executes another one on purpose."""

    label: Tensor
    """(N, A) what the last `act` would have returned without disturbance, physical units."""
