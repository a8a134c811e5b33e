"""The policy contract: every policy learns from batches of action chunks and acts in physical units."""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from burnish import checkpoint, ranges, registry
from burnish.agent import Agent
from burnish.checkpoint import Checkpoint, Stats
from burnish.contract import ACTION, PLACES, POINTS, TASK, Contract
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError, ContractError, CorruptFileError
from burnish.policies.language import FEATURES, PACKAGED, Language, with_embeddings
from burnish.policies.networks.denoiser import Parts
from burnish.policies.networks.points import Points
from burnish.policies.networks.vision import PATCHES, Vision
from burnish.policies.normalize import Normalizer
from burnish.policies.realtime import RealTime, RealTimeConfig
from burnish.policies.space import Space
from burnish.policies.trace import Chain, NoiseConfig
from burnish.registry import Registry

Batch = Mapping[str, Tensor]
"""Contract key → tensor: observations (B, *shape), `action` (B, H, A), `action_is_pad` (B, H) bool; physical units."""


class Learned(nn.Module, ABC):
    """What is trained on action chunks and saved as a checkpoint: a policy, or a tokenizer of chunks.

    A subclass sets `Config` (a frozen dataclass) and `name` (its registry name).
    """

    name: ClassVar[str]
    Config: ClassVar[type]
    config: Any
    contract: Contract
    stats: Stats
    normalizer: Normalizer
    horizon: int
    """Actions per chunk, H."""

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Training loss (scalar) of a batch in physical units, and scalar metrics to log."""

    def fingerprint(self) -> str:
        """The same for tokenizers that give the same codes: policies with different ones cannot teach each other."""
        found = hashlib.sha256(f"{self.name} {self.config}".encode())
        for key, value in sorted(self.state_dict().items()):
            found.update(key.encode() + value.detach().cpu().numpy().tobytes())
        return found.hexdigest()[:16]


class Policy(Learned):
    """Observation → action chunk.

    A subclass builds its network in `__init__` after `super().__init__(config, contract, stats)`, and gives `loss`
    and `sample`.
    """

    nfe: int
    """Network evaluations per chunk."""
    trained: Mapping[str, tuple[float, float]]
    """Ranges of what it was trained to move, and to do, by name; empty where that is one thing."""
    memory_size: int = 0
    """M, the numbers it remembers from one action to the next: of a policy with `begin` and `go_on`. 0: none."""
    deterministic: ClassVar[bool] = False
    """Whether it draws nothing."""

    def __init__(self, config: Any, contract: Contract, stats: Stats) -> None:
        super().__init__()
        encoder = getattr(config, "language", PACKAGED)  # None: the policy reads instructions in its own way
        told, clauses = TASK in contract.observation and encoder is not None, getattr(config, "clauses", 1)
        if told:
            stats = with_embeddings(stats, encoder, clauses)
        self.config, self.contract, self.stats = config, contract, stats
        self.trained = ranges.told(contract)
        self.normalizer = Normalizer(contract, stats)
        self.language = Language(stats[TASK], encoder, clauses) if told else None
        sight, reads = getattr(config, "vision", None), getattr(config, "reads", None)
        if PLACES in contract.observation and reads not in (None, "places"):
            raise ContractError(
                f"{PLACES}: policy {self.name!r} reads none; `--policy.denoiser actor3d` does, or `--without {PLACES}`"
            )
        self.space = Space(contract, stats) if reads == "places" else None
        patches = self.space.patches if self.space is not None else PATCHES if reads == "patches" else None
        self.vision = Vision(sight, list(contract.images), patches) if sight is not None and contract.images else None
        touch = getattr(config, "points", None)
        self.points = Points(touch, contract.points) if touch is not None and contract.points else None

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the standard normal noise one sample of `act` consumes: (H, A) unless overridden."""
        return (0,) if self.deterministic else (self.horizon, self.contract.action.shape[-1])

    @property
    def replan(self) -> int:
        """Actions executed from each chunk before the next one is drawn: what its config says, or a quarter."""
        own = getattr(self.config, "replan", None)
        return max(1, self.horizon // 4) if own is None else own

    @abstractmethod
    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Normalised chunk (B, H, A) from the encoded observation (B, C) and noise (B, *noise_shape).

        A function of its arguments alone, built from operations that export to ONNX.
        """

    def encode(self, obs: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """All that is observed as one vector (B, `condition_dim`), made of the `parts`; first `encode_state`.

        Args:
            generator: in training, shifts the images at random.
        Raises `ContractError` that names an image or cloud that is missing or of another size.
        """
        self._check_looks(obs)
        parts = [self.encode_state(obs if self.space is None else self.space.without_hand(obs))]
        if self.vision is not None:  # a shifted image's patches would not be where their places are
            parts.append(self.vision(obs, generator if self.space is None else None))
        if self.points is not None:
            parts.append(self.points(self.normalizer.normalize(POINTS, obs[POINTS])))
        if self.space is not None:
            parts.append(self.space(obs))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def encode_state(self, obs: Mapping[str, Tensor]) -> Tensor:
        """What is known at every step (B, `state_dim`): normalised numbers, features of the instruction."""
        numbers = self.normalizer.condition(obs)
        return numbers if self.language is None else torch.cat([numbers, self.language(obs[TASK])], dim=1)

    @property
    def parts(self) -> Parts:
        """What `encode` joins, for a network that reads one token after the other."""
        found = {"state": (1, self.normalizer.condition_dim)}
        if self.language is not None:
            found["language"] = (self.language.clauses, FEATURES)
        if self.vision is not None:
            found["images"] = self.vision.shape
        if self.points is not None:
            found["points"] = (1, self.points.features)
        if self.space is not None:
            found["places"] = self.space.shape
        return found

    @property
    def condition_dim(self) -> int:
        """C, the width of `encode`."""
        return sum(count * numbers for count, numbers in self.parts.values())

    @property
    def state_dim(self) -> int:
        """The width of `encode_state`."""
        return self.normalizer.condition_dim + (0 if self.language is None else self.language.clauses * FEATURES)

    def regression(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Mean squared error of the first action, drawn anew, to the first one of `batch`, network units and not
        clipped: what a student of another policy minimises. Scalar.
        """
        condition, shown = self.encode(batch, generator), self.normalizer.normalize(ACTION, batch[ACTION][:, 0])
        noise = torch.randn((len(shown), *self.noise_shape), generator=generator).to(shown)
        return (self.sample(condition, noise)[:, 0] - shown).square().mean()

    @property
    def stride(self) -> Tensor:
        """(A,) how far one action may go, physical units: what disturbances are measured in. The deviation of the
        actions it learned from, unless it knows better.
        """
        return torch.from_numpy(self.stats[ACTION]["std"])

    def act(self, obs: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Action chunks (B, H, A) in physical units, inside the contract's bounds.

        Args:
            obs: contract key → (B, *shape), physical units.
            noise: (B, *noise_shape), standard normal; zeros give the deterministic action.
        """
        chunk = self.sample(self.encode(obs), noise)
        return self.normalizer.action(chunk)

    def begin(self, count: int) -> Tensor:
        """(count, M) the memory of episodes that begin; only of policies with one."""
        raise NotImplementedError

    def go_on(self, obs: Mapping[str, Tensor], memory: Tensor) -> tuple[Tensor, Tensor]:
        """The action (B, A) in physical units, and the memory (B, M) that it leaves; only of policies with one."""
        raise NotImplementedError

    def meet(self, contract: Contract, stats: Stats, *, there: str) -> Policy:
        """This policy where `contract` holds: one of another library learns units and statistics, ours knows its own.

        Raises `ContractError` that names what it reads and `there` lacks.
        """
        return self

    def sampler(
        self, demos: Demonstrations, batch_size: int, *, seed: int, device: torch.device | str = "cpu"
    ) -> ChunkSampler:
        """How `demos` are shown to `loss`: a chunk from every frame on, unless overridden."""
        return ChunkSampler(demos, self.horizon, batch_size, seed=seed, device=device)

    def adopt(self, part: Any) -> None:
        """Take over the weights of the trained part its config stands on. Raises `BurnishError` if it is another."""
        raise BurnishError(f"policy {self.name!r} stands on nothing that is trained before it")

    def check_export(self) -> None:
        """Raise `BurnishError` if this cannot become one ONNX file."""

    def chain(self, noise: NoiseConfig, told: Policy | None = None) -> Chain:
        """This policy as a chain of draws with known densities, for refinement by likelihood.

        Args:
            noise: how far the steps of a Gaussian chain scatter.
            told: the policy that encodes observations for this one; None: itself.
        Raises `BurnishError` if there is none.
        """
        raise BurnishError(
            f"policy {self.name!r} gives no densities of what it draws (no trace); `burnish refine residual` needs none"
        )

    def realtime(self, config: RealTimeConfig, told: Policy | None = None) -> RealTime:
        """This policy as a planner around actions that are being executed (real-time chunking).

        Args:
            told: the policy that encodes observations for this one; None: itself.
        Raises `BurnishError` if it cannot.
        """
        raise BurnishError(
            f"policy {self.name!r} cannot plan around actions that are being executed: it draws no chunk from noise "
            "step by step, as flow, diffusion and meanflow do; play its chunks synchronously or as a temporal ensemble"
        )

    def agent(self, lanes: int, *, replan: int | None = None) -> Agent:
        """This policy acting closed-loop in `lanes` environments, replanning every `replan` steps (None: its own)."""
        from burnish.policies.chunks import ChunkAgent

        return ChunkAgent(self, lanes, replan=replan)

    def _check_looks(self, obs: Mapping[str, Tensor]) -> None:
        for key in self.contract.looks:
            wanted = self.contract.observation[key].shape
            given = tuple(obs[key].shape[1:]) if key in obs else "nothing"
            if given != wanted:
                raise ContractError(
                    f"{key}: policy {self.name!r} reads {wanted}, given is {given}; give what its contract says, or "
                    "train a policy on what there is"
                )


def masked_mean(error: Tensor, batch: Batch) -> Tensor:
    """Mean of `error` (B, H, A) over actions inside the episode, per sample (B,); without `action_is_pad`, over all."""
    pad = batch.get("action_is_pad")
    if pad is None:
        return error.mean(dim=(1, 2))
    inside = (~pad).to(error.dtype)
    return (error.mean(2) * inside).sum(1) / inside.sum(1)


def save_policy(
    policy: Learned,
    folder: Path,
    *,
    weights: Mapping[str, Tensor] | None = None,
    training: Mapping[str, Tensor] | None = None,
    progress: Mapping[str, Any] | None = None,
) -> None:
    """Write `policy` as a checkpoint folder, atomically; with `weights` in place of its own."""
    checkpoint.save(
        Checkpoint(
            policy=policy.name,
            config=dataclasses.asdict(policy.config),
            contract=policy.contract,
            stats=policy.stats,
            tensors=_to_numpy(policy.state_dict() if weights is None else weights),
            training=_to_numpy(training or {}),
            progress=progress or {},
        ),
        folder,
    )


def load_policy(folder: Path, *, contract: Contract | None = None, there: str = "environment") -> Policy:
    """Read a policy in evaluation mode.

    Args:
        folder: a checkpoint, or FORMAT:FOLDER for one of another library (`registry.formats`).
        contract: if given, must offer what the checkpoint reads; otherwise `ContractError` names each field.
        there: what `contract` belongs to, for the message.
    Raises:
        CorruptFileError: a file is missing, truncated or altered, or the weights do not fit the config.
    """
    name, folder = checkpoint.split_format(folder)
    if name is not None:
        return registry.formats.load(name)(folder, contract=contract, there=there)
    saved = checkpoint.load(folder)
    if contract is not None:
        saved.contract.check(contract.only(saved.contract.observation), here=f"checkpoint {folder}", there=there)
    return build_policy(saved, source=str(folder))


def build_policy(saved: Checkpoint, *, source: str) -> Policy:
    """The policy a `Checkpoint` describes. `source` names it in errors."""
    return build(saved, registry.policies, source=source)


def build(saved: Checkpoint, kinds: Registry, *, source: str) -> Any:
    """What a `Checkpoint` describes, one of the `kinds` it may be, in evaluation mode."""
    cls = kinds.load(saved.policy)
    try:
        config = cls.Config(**_tuples(saved.config))
    except TypeError as error:
        raise CorruptFileError(f"{source}/config.json: {error}") from error
    made = cls(config, saved.contract, saved.stats)
    try:
        made.load_state_dict(to_torch(saved.tensors))
    except RuntimeError as error:
        raise CorruptFileError(f"{source}/model.safetensors: the weights do not fit config.json: {error}") from error
    return made.eval()


def make_policy(name: str, contract: Contract, stats: Stats, **config: Any) -> Policy:
    """A fresh policy by registry name. Unknown config fields are answered with the closest match."""
    cls = registry.policies.load(name)
    fields = [field.name for field in dataclasses.fields(cls.Config)]
    registry.check_known(f"field of policy {name!r}", config, fields)
    for key in (*contract.observation, ACTION):
        if key not in stats:
            raise BurnishError(f"no statistics for {key!r}; compute them from the dataset first")
    return cls(cls.Config(**config), contract, stats)


def _to_numpy(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    # NumPy has no bfloat16; as float32 it stays the same number, also on the way back.
    known = {key: value.float() if value.dtype is torch.bfloat16 else value for key, value in tensors.items()}
    return {key: value.detach().cpu().numpy() for key, value in known.items()}


def to_torch(tensors: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Torch tensors with memory of their own."""
    return {key: torch.from_numpy(value.copy()) for key, value in tensors.items()}


def _tuples(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
