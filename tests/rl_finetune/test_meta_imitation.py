"""Teachers become better, a student learns from them and from the simulator's derivatives."""

import pytest
import torch

from burnish.cli import main
from burnish.files import read_json
from burnish.policies.base import load_policy
from burnish.policies.recurrent import Recurrent
from burnish.rl_finetune.analytic import Cost, Stream
from burnish.rl_finetune.flight_teachers import Many, One, tune
from burnish.rl_finetune.meta_imitation import MetaImitationConfig
from burnish.rl_finetune.polish import Polish
from burnish.run import read_metrics
from burnish.sim.base import make_env
from burnish.sim.quadrotor.dynamics import advance, stride
from burnish.sim.quadrotor.vehicles import Fleet

SMALL = ("--refine.lanes", "32", "--refine.tune-updates", "2", "--refine.rounds", "2", "--refine.updates", "2")
SHORT = ("--refine.round-steps", "40", "--refine.window", "20", "--refine.polish-window", "10")
PLAIN = "--refine.no-compiled"


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
    out, words = tmp_path / "run", ("refine", "meta-imitation", "--task", "quadrotor/hover", *SMALL, *SHORT, PLAIN)
    assert main([*words, "--out", str(out), "--refine.polish-updates", "3"]) == 0
    assert read_metrics(out)[-1]["step"] == 32 * (2 * 40 + 3 * 10)  # no more updates than were asked for
    result = read_json(out / "result.json")
    (out / "result.json").unlink()  # as if it was killed after the last save
    assert main([*words, "--out", str(out), "--refine.polish-updates", "3"]) == 0
    clocks = {key: pytest.approx(result[key], abs=60) for key in ("wall_s", "cpu_s")}
    assert read_json(out / "result.json") == result | clocks
    policy = load_policy(out / "policy")
    assert policy.trained["thrust_to_weight"] == pytest.approx((1.5, 5.0))


def test_what_was_lost_is_flown_again_more_often_than_not():
    stream = Stream(Fleet(), 400, 1000, 0)
    before, lost = stream.vehicle, torch.arange(400) < 200
    stream.state = torch.cat([stream.target, stream.state[3:]]).index_fill(1, lost.nonzero().flatten(), float("nan"))
    stream.age.fill_(1000)
    over, _ = stream.renew()
    again = (stream.vehicle == before).all(dim=0)
    assert over.all() and 120 < again[lost].sum() < 180 and not again[~lost].any()
    assert torch.isfinite(stream.state).all()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_compiled_window_is_the_same_window():
    config = MetaImitationConfig()
    with make_env("quadrotor/hover", 1) as env:
        student = config.fresh(env.contract)
    assert isinstance(student, Recurrent)
    found = []
    for compiled in (False, True):
        polish = Polish(student, config.fleet, config.cost, lanes=64, longest=100, seed=3, compiled=compiled)
        cost = polish.fly(20, torch.Generator().manual_seed(0))
        found.append([cost, *torch.autograd.grad(cost, list(student.parameters()))])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-5)


def test_a_missing_compiler_is_said_before_the_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert main(["refine", "meta-imitation", "--task", "quadrotor/hover", *SMALL, "--out", str(tmp_path / "a")]) == 2
    said = capsys.readouterr().err
    assert "no-such-compiler is not there" in said and PLAIN in said


def test_another_task_or_a_missing_one_is_refused(tmp_path, capsys):
    assert main(["refine", "meta-imitation", "--out", str(tmp_path / "a")]) == 2
    assert "needs --task SIMULATOR/TASK" in capsys.readouterr().err
    assert main(["refine", "residual", "--out", str(tmp_path / "b"), "--task", "quadrotor/hover"]) == 2
    assert "needs a checkpoint to start from: --policy CHECKPOINT" in capsys.readouterr().err
