"""`burnish tokenize TOKENIZER`: learn to write a dataset's action chunks as tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish import processes, registry
from burnish.commands import flags, stage
from burnish.console import say
from burnish.policies.train import TrainConfig

if TYPE_CHECKING:
    from burnish.datasets.demonstrations import Demonstrations
    from burnish.policies.tokenizers.base import Tokenizer


@dataclass(frozen=True)
class Config:
    """Learn a tokenizer of action chunks."""

    name: Annotated[str, Suppress, Fixed]
    """Registered name of the tokenizer."""
    dataset: Path
    """Demonstrations whose actions it is to write."""
    out: Path
    """Folder of the run; the result is its `policy`."""
    tokenizer: Any
    """The tokenizer's own settings."""
    train: TrainConfig = field(default_factory=TrainConfig)


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one is the tokenizer."""
    name, rest = flags.take_name(words, "burnish tokenize", "tokenizer", registry.tokenizers.names())
    settings = registry.tokenizers.load(name).Config()
    return flags.parse(Config, rest, prog=f"burnish tokenize {name}", name=name, tokenizer=settings)


def template(recorded: dict[str, Any], out: Path) -> Config:
    """A config of the right types, to be filled with what a run `recorded`."""
    name = recorded["name"]
    return Config(name, Path(), out, registry.tokenizers.load(name).Config())


def run(config: Config) -> dict[str, Any]:
    """Learn what is to be learned; returns `tokens` per chunk, `error` (share of the range), `used` codes, `wall_s`."""
    import torch

    from burnish.datasets.chunks import ChunkSampler
    from burnish.datasets.store import load_demonstrations
    from burnish.policies.base import save_policy
    from burnish.policies.distributed import join, wait
    from burnish.policies.tokenizers.base import load_tokenizer, quality
    from burnish.policies.train import train

    settings = config.train
    join(settings.device)
    with stage.open_stage("tokenize", config) as record:
        if done := stage.finished(record):
            return done
        demos = load_demonstrations(config.dataset, only=[])
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            tokenizer = _fresh(config, demos)
        chunks = ChunkSampler(demos, tokenizer.horizon, settings.batch_size, seed=settings.seed, device=settings.device)
        every = tokenizer.normalizer.normalize("action", chunks.gather(torch.arange(len(chunks)))["action"])
        tokenizer.fit(every)
        if tokenizer.learns:
            say(f"Learning to write {config.dataset}'s chunks as {config.name} tokens: {tokenizer.length} per chunk")
            train(record, tokenizer, chunks, settings)
        elif processes.rank() == 0:
            save_policy(tokenizer, config.out / "policy")
        wait()
        result = record.finish(quality(load_tokenizer(config.out / "policy"), every))
        say(
            f"  {result['tokens']:.0f} tokens per chunk, {result['used']:.0%} of {tokenizer.vocabulary} codes in use, "
            f"mean error {result['error']:.2%} of the action range → {config.out / 'policy'}"
        )
        return result


def _fresh(config: Config, demos: Demonstrations) -> Tokenizer:
    from burnish.datasets.demonstrations import compute_stats

    kind = registry.tokenizers.load(config.name)
    return kind(config.tokenizer, demos.contract, compute_stats(demos))
