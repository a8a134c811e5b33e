"""Teachers become better, a student learns from them and from the simulator's derivatives."""

import pytest
import torch

from burnish.cli import main
from burnish.files import read_json
from burnish.policies.base import load_policy
from burnish.rl_finetune.analytic import Cost, Stream
from burnish.rl_finetune.flight_teachers import Many, One, tune
from burnish.run import read_metrics
from burnish.sim.quadrotor.dynamics import advance, stride
from burnish.sim.quadrotor.vehicles import Fleet

SMALL = ("--refine.lanes", "32", "--refine.tune-updates", "2", "--refine.rounds", "2", "--refine.updates", "2")
SHORT = ("--refine.round-steps", "40", "--refine.window", "20", "--refine.polish-window", "10")


@pytest.mark.parametrize("kind", ["many", "one"])
def test_teachers_get_better_at_their_vehicles(kind):
    teachers = Many(64) if kind == "many" else One(0)
    first = tune(teachers, Stream(Fleet(), 64, 60, 1), 1, Cost())
    tune(teachers, Stream(Fleet(), 64, 60, 1), 8, Cost())
    assert tune(teachers, Stream(Fleet(), 64, 60, 1), 1, Cost(), lr=0.0) < first


def test_the_cheap_step_ends_where_the_exact_one_does():
    stream = Stream(Fleet(), 256, 100, 3)
    quick = exact = stream.state
    command = torch.full((4, 256), 0.55)
    for _ in range(30):
        quick = stride(quick, stream.vehicle, command, 0.01)
        exact = advance(exact, stream.vehicle, command, 0.01)
    assert (quick[:3] - exact[:3]).norm(dim=0).median() < 0.02


def test_it_begins_from_nothing_goes_on_after_an_end_and_says_what_it_was_trained_for(tmp_path):
    out, words = tmp_path / "run", ("refine", "meta-imitation", "--task", "quadrotor/hover", *SMALL, *SHORT)
    assert main([*words, "--out", str(out), "--refine.polish-updates", "3"]) == 0
    assert read_metrics(out)[-1]["step"] == 32 * (2 * 40 + 3 * 10)  # no more updates than were asked for
    result = read_json(out / "result.json")
    (out / "result.json").unlink()  # as if it was killed after the last save
    assert main([*words, "--out", str(out), "--refine.polish-updates", "3"]) == 0
    assert read_json(out / "result.json") == result | {"wall_s": pytest.approx(result["wall_s"], abs=60)}
    policy = load_policy(out / "policy")
    assert policy.trained["thrust_to_weight"] == pytest.approx((1.5, 5.0))


def test_another_task_or_a_missing_one_is_refused(tmp_path, capsys):
    assert main(["refine", "meta-imitation", "--out", str(tmp_path / "a")]) == 2
    assert "needs --task SIMULATOR/TASK" in capsys.readouterr().err
    assert main(["refine", "residual", "--out", str(tmp_path / "b"), "--task", "quadrotor/hover"]) == 2
    assert "needs a checkpoint to start from: --policy CHECKPOINT" in capsys.readouterr().err
