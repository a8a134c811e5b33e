"""A teacher of a policy under refinement: loaded once, checked to speak the same language."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from burnish.console import say
from burnish.contract import ACTION
from burnish.errors import BurnishError, ContractError
from burnish.policies.base import Policy, load_policy
from burnish.policies.tokens import TokenPolicy


def load_teacher(folder: Path | None, student: Policy, verb: str) -> Policy:
    """The frozen policy in `folder`, which must read what `student` reads and act in its units.

    Raises `BurnishError` if there is none, `ContractError` if observations or the action differ.
    """
    if folder is None:
        raise BurnishError(f"`burnish refine {verb}` needs a teacher: --refine.teacher CHECKPOINT")
    teacher = load_policy(folder, contract=student.contract, there="the student").requires_grad_(False)
    student.contract.only([]).check(teacher.contract.only([]), here="the student", there=f"teacher {folder}")
    for name, ours in student.stats[ACTION].items():
        theirs = teacher.stats[ACTION].get(name)
        if name != "count" and (theirs is None or not np.allclose(ours, theirs)):
            raise ContractError(
                f"{ACTION}: the student normalises by {name} {np.round(ours, 4).tolist()}, teacher {folder} by "
                f"{None if theirs is None else np.round(theirs, 4).tolist()}; train both on the same statistics"
            )
    return teacher


def writer(policy: Policy, whose: str) -> TokenPolicy:
    """What writes tokens in `policy`. Raises `BurnishError` if nothing does."""
    found = getattr(policy, "head", policy)
    if not isinstance(found, TokenPolicy):
        raise BurnishError(
            f"{whose} is a {policy.name!r} policy, which writes no tokens; distil it with `burnish refine rpd` or "
            "`burnish distill`, or train a `mint` or `tokens` policy"
        )
    return found


def same_tokens(student: Policy, teacher: Policy) -> None:
    """Raise `BurnishError` unless both write with the same tokenizer, to the weight."""
    ours, theirs = (writer(one, whose).tokenizer for one, whose in ((student, "the student"), (teacher, "the teacher")))
    if ours.fingerprint() != theirs.fingerprint():
        raise BurnishError(
            f"the student's tokenizer {ours.name!r} ({ours.fingerprint()}) is not the teacher's, {theirs.name!r} "
            f"({theirs.fingerprint()}): their codes mean different actions. Train the student with the teacher's: "
            "--policy.tokenizer FOLDER of its tokenizer"
        )


def warn_of_no_success(rate: float, verb: str) -> None:
    """Say so if a student that never succeeds is being taught on its own states."""
    if rate == 0.0:
        say(
            "  the student has not succeeded once: on-policy teaching rarely helps where it never gets near the goal; "
            f"imitate first (`burnish train` on demonstrations), then `burnish refine {verb}`"
        )
