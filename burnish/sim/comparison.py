"""Several evaluations as one: all of LIBERO, or a suite beside its perturbed versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from burnish.sim.records import Evaluation


def combine(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """One result in which every episode counts once.

    Beside the numbers of all together: `suites`, one row each; and if some are changed from the first, the standard,
    `axes`, one row for each way in which they are. There, `difference` is the success less the standard's.
    """
    rows = [{"suite": one.protocol.task, "axis": one.protocol.axis, **one.numbers()} for one in evaluations]
    result = {
        **_together(evaluations).numbers(),
        "restarts": sum(one.restarts for one in evaluations),
        "suites": rows,
        "tasks": [row for one in evaluations for row in one.tasks()],
        "protocols": [one.protocol.to_json() for one in evaluations],
    }
    axes = sorted({one.protocol.axis for one in evaluations} - {""})
    if not axes:
        return result
    groups = {axis: _together([one for one in evaluations if one.protocol.axis == axis]) for axis in axes}
    result["axes"] = [{"axis": axis, **group.numbers()} for axis, group in groups.items()]
    for row in (*result["axes"], *rows[1:]):
        row["difference"] = row["success"] - evaluations[0].success
    return result


def _together(evaluations: Sequence[Evaluation]) -> Evaluation:
    return Evaluation(evaluations[0].protocol, tuple(record for one in evaluations for record in one.records))
