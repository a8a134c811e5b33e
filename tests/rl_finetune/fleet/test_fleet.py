"""Lanes on a Ray cluster play as lanes here do; a machine that dies is missed and named, and the run goes on."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError
from burnish.policies.base import Policy, load_policy
from burnish.policies.residual import ResidualPolicy
from burnish.policies.trace import NoiseConfig
from burnish.report.page import write_report
from burnish.rl_finetune.arena import Arena, Exploration, LocalArena, Played
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.dppo import DppoConfig
from burnish.rl_finetune.dppo import train as train_dppo
from burnish.rl_finetune.episodes import Start
from burnish.rl_finetune.fleet.arena import RayArena
from burnish.rl_finetune.fleet.cluster import FleetConfig
from burnish.rl_finetune.fleet.fleet import Done, Fleet, Lost
from burnish.rl_finetune.residual import ResidualConfig, Trainer, train
from burnish.run import Run
from burnish.sim.base import make_env

# Ray starts a process per worker, each of which imports torch; beside other tests that takes its time.
pytestmark = pytest.mark.timeout(300)
TASK, LANES, HORIZON = "metaworld/reach", 2, 500
FLEET = FleetConfig(steps=8)
EXPLORATION = Exploration(warmup_scale=0.4, noise=0.3, memory=0.5, n_step=3, gamma=0.99)
SMALL = ResidualConfig(
    updates_per_step=0.25,
    env_steps=1_600,
    warmup_steps=160,
    lanes=LANES,
    workers=0,
    hidden=16,
    batch_size=32,
    critic_warmup=5,
    log_every=400,
)


def _collects(arena: Arena, base: Policy, folder: Path) -> None:
    """The contract of a `Collector`."""
    pair = ResidualPolicy.around(base, hidden=16, action_scale=0.5)
    collector = arena.collector(pair, EXPLORATION, torch.Generator().manual_seed(0), Clock(), folder)
    collector.begin(7)
    played: list[Played] = []
    with torch.no_grad():
        while sum(one.env_steps for one in played) < 640 * collector.num_envs:
            played.append(collector.collect(pair.actor, len(played), warm_up=len(played) < 3))
    steps = sum(one.env_steps for one in played)
    complete = [one.transitions for one in played if one.transitions is not None]
    rows = torch.cat([one.episode for one in complete]).long()
    ended = torch.cat([one.ended for one in played])
    assert rows.min() >= 7
    assert len(set(ended[:, 0].tolist())) == len(ended) >= collector.num_envs
    assert set(ended[:, 1].tolist()) <= {0.0, 1.0}
    assert set(ended[:, 0].tolist()) <= set(rows.float().tolist())
    # Every step becomes a transition, but for those whose window is open and the last of an episode that was cut.
    assert steps - EXPLORATION.n_step * collector.num_envs - len(ended) <= len(rows) <= steps
    for part in (torch.cat([one.obs for one in complete]), torch.cat([one.action for one in complete])):
        assert torch.isfinite(part).all()
    assert all(now - one.version >= 0 for now, one in enumerate(played))


def _plays(arena: Arena, base: Policy) -> list:
    """The contract of an `EpisodePlayer`; what it played."""
    noise = NoiseConfig()
    chain = copy.deepcopy(base).chain(noise).eval()
    player = arena.player(chain, noise, Clock(), None)
    starts = [Start(5, 1), Start(7, 3), Start(5, 2), Start(9, 4), Start(5, 1)]
    with torch.no_grad():
        played = player.play(starts)
        assert player.env_steps == sum(one.length for one in played)
        assert player.play([]) == []
        for each in chain.parameters():
            each.mul_(0.5)
        other = player.play(starts[:1])
    assert not torch.equal(other[0].trace.chunk, played[0].trace.chunk)  # new weights are played with at once
    torch.testing.assert_close(played[0].trace.path, played[4].trace.path, atol=1e-4, rtol=1e-4)
    assert not torch.equal(played[0].trace.path[0], played[2].trace.path[0])
    return played


def test_a_cluster_and_a_process_keep_the_same_contract(cluster, base, tmp_path):
    """And the same seeds give the same episodes, whoever plays them."""
    there = RayArena(TASK, LANES, False, HORIZON, FLEET)
    with make_env(TASK, LANES) as env, there:
        for here, elsewhere in zip(_plays(LocalArena(env), base), _plays(there, base), strict=True):
            assert here.length == elsewhere.length
            torch.testing.assert_close(here.trace.path, elsewhere.trace.path, atol=1e-4, rtol=1e-4)
    with make_env(TASK, LANES, auto_reset=True) as env, RayArena(TASK, LANES, True, HORIZON, FLEET) as there:
        _collects(LocalArena(env), base, tmp_path)
        _collects(there, base, tmp_path)
        assert there.report()["fleet"]["machines"] == 2


def test_a_machine_that_dies_is_named_and_nothing_that_was_received_is_lost(
    cluster, base: Policy, demos: Demonstrations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    step, rows = Trainer.step, []

    def watched(self: Trainer) -> None:
        before = len(self.replay)
        step(self)
        rows.append((before, len(self.replay), self.env_steps))

    monkeypatch.setattr(Trainer, "step", watched)
    _dies(cluster, monkeypatch, after=20)
    with RayArena(TASK, LANES, True, HORIZON, FLEET) as arena:
        result = train(Run(tmp_path / "refine", "refine", {}), base, arena, demos, SMALL)
    assert result["env_steps"] >= SMALL.env_steps
    assert all(after >= before for before, after, _ in rows)
    assert all(before == after for (_, after, _), (before, _, _) in pairwise(rows))
    told = result["fleet"]
    assert told["lost"] == 1
    assert "is lost" in told["events"][0]
    assert "1 of 2 workers are there, on 1 machines" in told["events"][0]
    Run(tmp_path / "refine", "refine", {}).finish(result)
    write_report(tmp_path / "refine", tmp_path / "report.html")
    assert "1 of 2 workers are there" in (tmp_path / "report.html").read_text()
    load_policy(tmp_path / "refine" / "policy", contract=demos.contract)


@pytest.mark.slow
def test_episodes_of_a_machine_that_dies_are_played_by_another(
    cluster, base: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cfg = DppoConfig(env_steps=3_000, episodes=4, lanes=LANES, epochs=1)
    _dies(cluster, monkeypatch, after=3)
    with RayArena(TASK, LANES, False, HORIZON, FLEET) as arena:
        result = train_dppo(Run(tmp_path / "dppo", "refine", {}), base, arena, None, cfg)
    assert result["env_steps"] >= cfg.env_steps
    assert result["fleet"]["lost"] == 1
    assert "what it was playing begins anew elsewhere" in result["fleet"]["events"][0]


def test_what_a_worker_meets_is_told_here(cluster, base: Policy, tmp_path: Path):
    with RayArena("metaworld/reahc", LANES, True, HORIZON, FLEET) as arena, pytest.raises(BurnishError, match="reahc"):
        arena.collector(
            ResidualPolicy.around(base, hidden=16, action_scale=0.5), EXPLORATION, torch.Generator(), Clock(), tmp_path
        ).begin(1)
    with pytest.raises(BurnishError, match="0 rollout workers on a cluster of 2 CPUs"):
        RayArena(TASK, LANES, False, HORIZON, replace(FLEET, workers=0))


def _dies(cluster: Any, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """The second machine, as it plays, once its fleet of two has waited `after` times."""
    wait, waits = Fleet.wait, []

    def dying(self: Fleet) -> Done | Lost | None:
        if len(self.busy) == 2:
            waits.append(self)
        if len(waits) == after:
            waits.append(self)
            cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
        return wait(self)

    monkeypatch.setattr(Fleet, "wait", dying)
