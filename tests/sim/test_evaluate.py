"""An evaluation is the same whatever the machine does to it: workers, interruptions, more episodes."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from burnish.contract import STATE
from burnish.errors import BurnishError, CorruptFileError, NonFiniteError
from burnish.policies.base import Policy
from burnish.policies.chunks import ChunkAgent
from burnish.sim.agents import RandomAgent, ZeroAgent
from burnish.sim.base import make_env
from burnish.sim.evaluate import evaluate, wilson
from burnish.sim.metaworld import CONTRACT
from burnish.sim.protocols import protocol

# Some starts of reach are solved by moving at random, some are not.
PROTOCOL = dataclasses.replace(protocol("metaworld/reach", episodes=12), lanes=5, horizon=40)


@dataclasses.dataclass(frozen=True)
class Config:
    replan: int = 3


class Walker(Policy):
    """Walks to where the goal is, by a network and noise."""

    name, Config, horizon, nfe = "walker", Config, 4, 1

    def __init__(self, config, contract, stats):
        super().__init__(config, contract, stats)
        self.network = nn.Sequential(nn.Linear(39, 64), nn.GELU(), nn.Linear(64, 4 * 4))

    def loss(self, batch, generator):
        raise NotImplementedError

    def sample(self, condition, noise):
        wander = self.network(condition).view(-1, 4, 4)
        toward = torch.cat([condition[:, None, 36:39] - condition[:, None, :3], wander[:, :1, 3:]], dim=-1)
        return 5 * toward + 0.5 * wander + 0.3 * noise


def walker() -> Policy:
    moments = {"mean": 0, "std": 1, "min": -1, "max": 1}
    size = {STATE: (39,), "action": (4,)}
    stats = {
        key: {name: np.full(shape, value, np.float32) for name, value in moments.items()} | {"count": np.array(1)}
        for key, shape in size.items()
    }
    stats[STATE]["covariance"] = np.eye(*size[STATE], dtype=np.float32)
    torch.manual_seed(0)
    return Walker(Config(), CONTRACT, stats).eval()


def play(agent=None, workers=0, protocol=PROTOCOL, **settings):
    world = {"workers": workers, "horizon": protocol.horizon, "settings": protocol.world}
    with make_env(protocol.task, protocol.lanes, **world) as env:
        return evaluate(agent or ChunkAgent(walker(), protocol.lanes), env, protocol, **settings)


@pytest.fixture(scope="module")
def reference():
    return play()


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_change_nothing(reference, workers):
    assert play(workers=workers) == reference


def test_it_measures(reference):
    assert reference.episodes == 12 and 0 < reference.success < 1
    assert reference.env_steps == sum(record.length for record in reference.records)
    assert reference.mean_length == reference.env_steps / 12
    assert all(record.ret == float(record.success) for record in reference.records)
    assert all(record.success or record.length == PROTOCOL.horizon for record in reference.records)
    assert reference.interval[0] < reference.success < reference.interval[1]


def test_few_episodes_are_the_first_of_many(reference):
    few = play(protocol=dataclasses.replace(PROTOCOL, episodes=4))
    assert few.records == reference.records[:4]
    assert play(only=[7, 2]).records == (reference.records[2], reference.records[7])


def test_an_interrupted_evaluation_goes_on(reference, tmp_path):
    class Interrupted(ChunkAgent):
        calls = 0

        def act(self, obs):
            self.calls += 1
            if self.calls > 40:
                raise KeyboardInterrupt
            return super().act(obs)

    with pytest.raises(KeyboardInterrupt):
        play(Interrupted(walker(), PROTOCOL.lanes), folder=tmp_path)
    path = tmp_path / "episodes.jsonl"
    done = len(path.read_text().splitlines())
    assert 0 < done < 12 and not (tmp_path / "evaluation.json").exists()
    # A kill in the middle of a line.
    with path.open("a") as file:
        file.write('{"episode": 11, "se')
    advanced = []
    resumed = play(folder=tmp_path, advance=lambda steps=1, note="": advanced.append(steps))
    assert resumed == reference and sum(advanced) == 12 and advanced[0] == done
    assert len(path.read_text().splitlines()) == 12
    summary = json.loads((tmp_path / "evaluation.json").read_text())
    assert summary == json.loads(json.dumps(reference.to_json()))
    # Complete: nothing runs again.
    assert play(Interrupted(walker(), PROTOCOL.lanes), folder=tmp_path) == reference


def test_a_worker_killed_in_the_middle_changes_nothing(reference, tmp_path, capsys):
    class Killer(ChunkAgent):
        calls = 0

        def act(self, obs):
            self.calls += 1
            if self.calls in (5, 50):
                env._pool._workers[0].process.kill()
            return super().act(obs)

    watched = {}

    def watch(running, steps):
        for lane, episode in running.items():
            watched[episode] = steps[lane]

    with make_env(PROTOCOL.task, PROTOCOL.lanes, workers=3, horizon=PROTOCOL.horizon) as env:
        disturbed = evaluate(Killer(walker(), PROTOCOL.lanes), env, PROTOCOL, folder=tmp_path, watch=watch)
    assert disturbed.records == reference.records
    assert watched == {record.episode: record.length for record in reference.records}
    lines = [json.loads(line) for line in (tmp_path / "episodes.jsonl").read_text().splitlines()]
    assert sorted(line["episode"] for line in lines) == list(range(12))
    assert json.loads((tmp_path / "evaluation.json").read_text())["restarts"] == 2
    assert "died (exit status -9); started again" in capsys.readouterr().err
    # Counted once more by whoever opens the folder again.
    assert play(folder=tmp_path).restarts == 2


def test_a_folder_belongs_to_one_protocol(tmp_path):
    play(folder=tmp_path, only=[0])
    with pytest.raises(BurnishError, match="seed 0 there, 1 now"):
        play(folder=tmp_path, protocol=dataclasses.replace(PROTOCOL, seed=1))
    (tmp_path / "episodes.jsonl").write_text("hello\n")
    with pytest.raises(CorruptFileError, match=r"episodes.jsonl: line 1 is not an episode"):
        play(folder=tmp_path)


def test_an_uncertain_world_is_another_measurement_of_the_same_starts(reference, tmp_path):
    late = dataclasses.replace(PROTOCOL, randomize={"latency_s": 0.012})
    found = play(protocol=late, folder=tmp_path)
    assert [one.seed for one in found.records] == [one.seed for one in reference.records]
    assert found.records != reference.records
    assert json.loads((tmp_path / "evaluation.json").read_text())["protocol"]["randomize"] == {"latency_s": 0.012}
    with pytest.raises(BurnishError, match="holds the episodes of another protocol"):
        play(folder=tmp_path)
    wish = pytest.raises(BurnishError, match=r"wants settings .*latency_s")
    with make_env(PROTOCOL.task, 5, horizon=40) as env, wish:
        evaluate(ZeroAgent(env.contract, 5), env, late)


def test_an_environment_of_another_shape_is_refused():
    with (
        make_env("metaworld/reach", 2) as env,
        pytest.raises(BurnishError, match="wants lanes 5, the environment has 2"),
    ):
        evaluate(ZeroAgent(env.contract, 2), env, PROTOCOL)


def test_nan_stops_and_keeps_the_evidence(tmp_path):
    class Broken(ZeroAgent):
        calls = 0

        def act(self, obs):
            self.calls += 1
            action = super().act(obs)
            if self.calls == 4:
                action[2, 1] = float("nan")
            return action

    where = r"lane 2, episode 2, step 3 of metaworld/reach is not finite.*nonfinite.safetensors"
    with pytest.raises(NonFiniteError, match=where):
        play(Broken(CONTRACT, PROTOCOL.lanes), folder=tmp_path)
    assert load_file(tmp_path / "nonfinite.safetensors")[STATE].shape == (PROTOCOL.lanes, 39)


def test_nan_inside_a_chunk_keeps_the_evidence_too(tmp_path):
    policy = walker()
    nn.init.constant_(policy.network[0].weight, float("nan"))
    with pytest.raises(NonFiniteError, match=r"lane 0.*nonfinite.safetensors"):
        play(ChunkAgent(policy, PROTOCOL.lanes), folder=tmp_path)


def test_random_actions_are_within_bounds_and_repeatable():
    agent = RandomAgent(CONTRACT, 3)
    agent.reset([0, 1, 2], [1, 2, 1])
    actions = torch.stack([agent.act({}) for _ in range(50)])
    low, high = torch.tensor(CONTRACT.action.low), torch.tensor(CONTRACT.action.high)
    assert (actions >= low).all() and (actions <= high).all()
    assert torch.equal(actions[:, 0], actions[:, 2]) and not torch.equal(actions[:, 0], actions[:, 1])


def test_watching_sees_every_moment_once():
    seen: dict[int, int] = {}

    def watch(running, steps):
        for lane, episode in running.items():
            assert steps[lane] == seen.get(episode, 0)
            seen[episode] = seen.get(episode, 0) + 1

    evaluation = play(only=[0, 1, 6], watch=watch)
    assert seen == {record.episode: record.length + 1 for record in evaluation.records}


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (98, 100, 0.9300, 0.9945), (5, 10, 0.2366, 0.7634), (0, 0, 0.0, 1.0)],
)
def test_wilson(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)
