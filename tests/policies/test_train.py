"""The training loop: it resumes to the bit, averages, and stops at a NaN with the batch in hand."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from burnish import checkpoint
from burnish.contract import STATE
from burnish.errors import NonFiniteError
from burnish.policies.base import load_policy
from burnish.policies.train import TrainConfig, Trainer, learning_rate_factor, train
from burnish.run import Run, read_metrics

SMALL = {"width": 16, "depth": 1, "horizon": 4, "replan": 2}
CONFIG = TrainConfig(steps=40, batch_size=8, warmup_steps=5, save_every=10, log_every=10)


class Batches:
    """A pure function of the step, as `ChunkSampler` is; `spoil` may change or refuse a batch."""

    def __init__(self, chunks, spoil=lambda step, batch: batch) -> None:
        self.chunks, self.spoil, self.seen = chunks, spoil, []

    def batch(self, step: int):
        self.seen.append(step)
        return self.spoil(step, self.chunks(8, 4, seed=step))


def run_in(folder) -> Run:
    return Run(folder, "train", {})


def test_killed_and_resumed_it_ends_with_the_same_bits(make, make_chunks, tmp_path):
    straight = train(run_in(tmp_path / "straight"), make("meanflow", **SMALL), Batches(make_chunks), CONFIG)

    def kill(step, batch):
        if step == 25:
            raise KeyboardInterrupt
        return batch

    with pytest.raises(KeyboardInterrupt):
        train(run_in(tmp_path / "killed"), make("meanflow", **SMALL), Batches(make_chunks, kill), CONFIG)
    rest = Batches(make_chunks)
    resumed = train(run_in(tmp_path / "killed"), make("meanflow", **SMALL), rest, CONFIG)
    assert rest.seen == list(range(20, 40))
    assert resumed == straight
    first, second = (checkpoint.load(tmp_path / name / "policy").tensors for name in ("straight", "killed"))
    assert all((first[key] == second[key]).all() for key in first)
    rows = [[{**row, "wall_s": 0} for row in read_metrics(tmp_path / name)] for name in ("straight", "killed")]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", ["meanflow", "diffusion"])
def test_optimizer_average_and_random_stream_survive_to_the_bit(make, make_chunks, tmp_path, name):
    batches, run = Batches(make_chunks), run_in(tmp_path)
    straight, broken, resumed = (Trainer(make(name, **SMALL).train(), CONFIG) for _ in range(3))
    for step in range(40):
        straight.step(batches.batch(step), tmp_path)
    for step in range(20):
        broken.step(batches.batch(step), tmp_path)
    broken.save(run)
    resumed.resume(run)
    for step in range(20, 40):
        resumed.step(batches.batch(step), tmp_path)
    for a, b in zip(straight.parameters, resumed.parameters, strict=True):
        assert torch.equal(a, b)
        for key, value in straight.optimizer.state[a].items():
            assert torch.equal(value, resumed.optimizer.state[b][key])
    for a, b in zip(straight.averaged, resumed.averaged, strict=True):
        assert torch.equal(a, b)
    assert torch.equal(straight.generator.get_state(), resumed.generator.get_state())


def test_the_result_is_the_average_not_the_last_step(make, make_chunks, tmp_path):
    policy = make("flow", **SMALL)
    train(run_in(tmp_path), policy, Batches(make_chunks), CONFIG)
    saved = load_policy(tmp_path / "policy").state_dict()
    assert any(not torch.equal(value, saved[key]) for key, value in policy.state_dict().items())
    assert not (tmp_path / "checkpoint").exists()


def test_a_nan_stops_training_and_keeps_the_batch(make, make_chunks, tmp_path):
    def spoil(step, batch):
        if step == 13:
            batch[STATE][2, 1] = torch.nan
        return batch

    with pytest.raises(NonFiniteError, match="nan at step 13") as caught:
        train(run_in(tmp_path), make("meanflow", **SMALL), Batches(make_chunks, spoil), CONFIG)
    (path,) = tmp_path.glob("offending_batch_13.safetensors")
    assert str(path) in str(caught.value)
    assert torch.isnan(load_file(path)[STATE]).nonzero().tolist() == [[2, 1]]
    assert not (tmp_path / "policy").exists()
    assert checkpoint.load(tmp_path / "checkpoint").progress["done"] == 10


def test_the_learning_rate_warms_up_and_falls_to_zero():
    factors = [learning_rate_factor(step, CONFIG) for step in range(41)]
    assert factors[0] == pytest.approx(0.2)
    assert max(factors) == factors[4] == 1.0
    assert factors[5:] == sorted(factors[5:], reverse=True)
    assert factors[40] == pytest.approx(0.0)
