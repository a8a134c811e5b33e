"""`burnish train POLICY`: imitate a dataset; or, with a learner in its place, learn from rewards (`learn`)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish import registry
from burnish.commands import flags, learn, stage, tokenize
from burnish.console import say
from burnish.policies.train import TrainConfig

if TYPE_CHECKING:
    from burnish.datasets.demonstrations import Demonstrations
    from burnish.policies.base import Learned, Policy
    from burnish.policies.parts import Part


@dataclass(frozen=True)
class Config:
    """Imitate a dataset with a policy."""

    name: Annotated[str, Suppress, Fixed]
    """Registered name of the policy."""
    dataset: Path
    """Demonstrations to imitate."""
    out: Path
    """Folder of the run; the result is its `policy`."""
    policy: Any
    """The policy's own settings."""
    train: TrainConfig = field(default_factory=TrainConfig)
    without: tuple[str, ...] = ()
    """Observations in the dataset that the policy is not to read, e.g. observation.environment_state, which only a
    simulator knows."""
    state: bool = False
    """Leave out all images, places and points: the policy then also runs where nothing can render them."""


def configure(words: list[str]) -> Config | learn.Config:
    """Command line words to a config; the first one is the policy, or the learner."""
    learners = registry.learners.names()
    name, rest = flags.take_name(words, "burnish train", "policy", [*registry.policies.names(), *learners])
    if name in learners:
        return learn.configure(name, rest)
    settings = registry.policies.load(name).Config()
    return flags.parse(Config, rest, prog=f"burnish train {name}", name=name, policy=settings)


def template(recorded: dict[str, Any], out: Path) -> Config | learn.Config:
    """A config of the right types, to be filled with what a run `recorded`."""
    name = recorded["name"]
    if name in registry.learners.names():
        return learn.template(name, out)
    return Config(name, Path(), out, registry.policies.load(name).Config())


def run(config: Config | learn.Config) -> dict[str, Any]:
    """Train, or go on training; returns what training reports and `wall_s`."""
    if isinstance(config, learn.Config):
        return learn.run(config)
    from burnish.datasets.store import load_contract, load_demonstrations
    from burnish.policies.distributed import join
    from burnish.policies.train import train

    settings = config.train
    join(settings.device)
    with stage.open_stage("train", config) as record:
        if done := stage.finished(record):
            return done
        say(f"Imitating {config.dataset} with a {config.name} policy: it learns to plan what the expert did")
        contract = load_contract(config.dataset)
        offered = contract.observation
        registry.check_known("observation", config.without, offered)
        left_out = {*config.without, *(contract.looks if config.state else ())}
        demos = load_demonstrations(config.dataset, only=[key for key in offered if key not in left_out])
        policy = _fresh(config, demos)
        sampler = policy.sampler(demos, settings.batch_size, seed=settings.seed, device=settings.device)
        result = record.finish(train(record, policy, sampler, settings))
        steps, seconds, loss = result["steps"], result["wall_s"], result["loss"]
        say(f"  {steps} steps in {seconds:.0f} s, loss {loss:.3g} → {config.out / 'policy'}")
        return result


def _fresh(config: Config, demos: Demonstrations) -> Policy:
    """The policy before training, its first weights drawn from the training seed."""
    import torch

    from burnish.datasets.demonstrations import compute_stats
    from burnish.policies.base import make_policy
    from burnish.policies.parts import Assembled

    chosen, made, stats = config.policy, None, compute_stats(demos)
    if isinstance(chosen, Assembled) and chosen.part is not None:
        made = _trained(chosen.part, config)
        chosen = chosen.with_part(made)
        # What a part knows of the data it learned from decides how it reads: it stays.
        stats |= made.stats
    settings = {field.name: getattr(chosen, field.name) for field in dataclasses.fields(config.policy)}
    with torch.random.fork_rng():
        torch.manual_seed(config.train.seed)
        policy = make_policy(config.name, demos.contract, stats, **settings)
    if made is not None:
        policy.adopt(made)
    return policy


def _trained(part: Part, config: Config) -> Learned:
    """The one whose folder is given, or one of that kind, learned from the same dataset."""
    if not part.fresh:
        return part.load(Path(part.choice))
    settings, out = part.kinds.load(part.choice).Config(**part.settings), config.out / part.name
    if part.kinds is registry.tokenizers:
        tokenize.run(tokenize.Config(part.choice, config.dataset, out, settings, config.train))
    else:
        run(dataclasses.replace(config, name=part.choice, out=out, policy=settings))
    return part.load(out / "policy")
