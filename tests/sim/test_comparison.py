"""Suites side by side: every episode counts once, and a perturbed suite stands beside its standard."""

import dataclasses

import pytest

from burnish.report.tables import evaluation_table
from burnish.report.terminal import print_evaluation
from burnish.sim.comparison import combine
from burnish.sim.protocols import Protocol
from burnish.sim.records import Episode, Evaluation


@dataclasses.dataclass(frozen=True)
class Changed(Protocol):
    """Two tasks, changed in some way."""

    change: str = ""

    @property
    def axis(self) -> str:
        return self.change

    def member(self, episode: int) -> str:
        return f"{self.task}/{episode // 2}"


def played(suite: str, change: str, *successes: int) -> Evaluation:
    protocol = Changed("toy", 1, f"toy/{suite}", len(successes), 50, change=change)
    records = (Episode(i, 0, bool(success), 10 + i, float(success)) for i, success in enumerate(successes))
    return Evaluation(protocol, tuple(records))


STANDARD = played("box", "", 1, 1, 1, 0)


def test_suites_together():
    result = combine([STANDARD, played("bag", "", 0, 0, 0, 1)])
    assert (result["success"], result["episodes"], result["restarts"]) == (0.5, 8, 0)
    assert [(row["suite"], row["success"]) for row in result["suites"]] == [("toy/box", 0.75), ("toy/bag", 0.25)]
    assert [row["task"] for row in result["tasks"]] == ["toy/box/0", "toy/box/1", "toy/bag/0", "toy/bag/1"]
    assert "axes" not in result and "difference" not in result["suites"][1]


def test_robustness_by_axis(capsys):
    parts = [STANDARD, played("box_swap", "places", 0, 0, 0, 1), played("box_a", "way", 1, 1, 1, 1)]
    result = combine([*parts, played("box_b", "way", 0, 0, 1, 1)])
    assert [(row["axis"], row["success"], row["difference"]) for row in result["axes"]] == [
        ("places", 0.25, -0.5),
        ("way", 0.75, 0.0),
    ]
    assert [row.get("difference") for row in result["suites"]] == [None, -0.5, 0.25, -0.25]
    assert result["axes"][1]["episodes"] == 8 and result["axes"][1]["interval"] == pytest.approx(
        [0.409, 0.929], abs=1e-3
    )
    print_evaluation(result)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == [
        "suite",
        "toy/box",
        "places",
        "toy/box_swap",
        "way",
        "toy/box_a",
        "toy/box_b",
    ]
    assert lines[1][-1] == "–" and lines[2][-1] == "-50%" and lines[5][-1] == "+25%"
    assert evaluation_table(result).count("<tr>") == 7


def test_one_suite_is_told_task_by_task_and_one_task_not_at_all():
    assert evaluation_table(STANDARD.to_json()).count("<tr>") == 3
    assert evaluation_table(played("box", "", 1, 0).to_json()) == ""


def test_films_show_failures_first_and_every_task_once_before_any_twice():
    assert played("box", "", 0, 0, 1, 0).telling(4) == [0, 3, 1, 2]
    assert STANDARD.telling(2) == [3, 0]
