"""Learning to plan through gates: the network, what it is checked for, and a run that goes on."""

import pytest
import torch

from burnish.cli import main
from burnish.errors import BurnishError
from burnish.policies.base import load_policy
from burnish.policies.mlp import MLP, MLPConfig
from burnish.rl_finetune.gate_planner import CLEAR_M, LearnedPlanner, read
from burnish.rl_finetune.replan import Replan, ReplanConfig, train
from burnish.run import Run, read_metrics
from burnish.sim.base import make_env
from burnish.sim.quadrotor.planners import demand, middles
from burnish.sim.quadrotor.tasks import OPENING_M, RACE

SMALL = ReplanConfig(policy=MLPConfig(hidden=(32, 32)), lanes=16, updates=6, shares=(0.9, 1.0))


def situations(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    gates = RACE.know(RACE.draw(torch.arange(count)).double(), torch.zeros(count), torch.zeros(count))
    start = torch.zeros(4, 3, count, dtype=torch.float64)
    start[0, 2] = 1.5
    return start, gates


def test_what_its_races_cost_falls():
    learner = Replan(SMALL)
    found = [learner.update() for _ in range(6)]
    assert found[-1]["cost"] < 0.9 * found[0]["cost"]
    assert learner.env_steps == 6 * 16 * 7


def test_a_plan_passes_both_gates_well_inside_and_what_asks_too_much_is_slowed_down():
    learner, (start, gates) = Replan(SMALL), situations(16)
    plan = LearnedPlanner(learner.policy, 0.9).plan(start, gates, learner.vehicle)
    reached = torch.stack([plan.at(plan.times[0])[0], plan.at(plan.times.sum(0))[0]])
    away = (reached - middles(gates)[0]).square().sum(1).sqrt()
    assert (away <= 2**0.5 * (OPENING_M - CLEAR_M) + 1e-6).all()
    places, times, _ = LearnedPlanner(learner.policy).decide(start, gates, torch.full((16,), 0.9).double())
    assert torch.allclose(reached[0], places[0], atol=1e-6) and (plan.times >= times - 1e-9).all()
    worst = demand(plan, learner.vehicle).amax((0, 1))
    assert (worst <= 0.9).any()


def test_what_is_read_does_not_change_when_the_world_is_turned():
    start, gates = situations(8)
    start[1:] = torch.randn(3, 3, 8, generator=torch.Generator().manual_seed(0)).double()
    angle = torch.tensor(0.7).double()
    cos, sin = angle.cos(), angle.sin()

    def turned(vector: torch.Tensor) -> torch.Tensor:
        x, y = vector[..., 0, :], vector[..., 1, :]
        return torch.stack([cos * x - sin * y, sin * x + cos * y, *vector[..., 2:, :].unbind(-2)], dim=-2)

    rows = gates.view(2, 5, 8)
    moved = torch.cat([turned(rows[:, :3]), turned(rows[:, 3:])], dim=1).view(10, 8)
    share = torch.ones(8)
    assert torch.allclose(read(start, gates, share), read(turned(start), moved, share), atol=1e-5)


def test_an_interrupted_run_goes_on_and_its_policy_plans(tmp_path, monkeypatch):
    update = Replan.update

    def interrupted(self):
        if self.updates == 4:
            monkeypatch.setattr(Replan, "update", update)
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr("burnish.rl_finetune.replan.SAVE_EVERY", 2)
    monkeypatch.setattr(Replan, "update", interrupted)
    with make_env("quadrotor/race", 2, horizon=20, auto_reset=True, settings=SMALL.world) as env:
        with pytest.raises(KeyboardInterrupt):
            train(Run(tmp_path, "train", {}), env, SMALL)
        result = train(Run(tmp_path, "train", {}), env, SMALL)
    assert [row["step"] for row in read_metrics(tmp_path)] == [2 * 16 * 7, 4 * 16 * 7, 6 * 16 * 7]
    assert result["env_steps"] == 6 * 16 * 7 and result["success"] == 0 and result["share"] in SMALL.shares
    policy = load_policy(tmp_path / "policy")
    assert isinstance(policy, MLP)
    again = Replan(SMALL)
    for _ in range(6):
        again.update()
    for name, value in again.policy.state_dict().items():
        assert torch.equal(value, policy.state_dict()[name])


def test_it_learns_for_races_alone(tmp_path, capsys):
    with make_env("quadrotor/hover", 1) as env, pytest.raises(BurnishError, match=r"for quadrotor/race, not for quad"):
        train(Run(tmp_path, "train", {}), env, SMALL)
    words = ["train", "replan", "--task", "quadrotor/race", "--out", str(tmp_path / "b"), "--train.vehicle", "x50"]
    assert main(words) == 2
    assert "did you mean 'x500'" in capsys.readouterr().err
