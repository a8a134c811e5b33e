"""On-policy distillation of token policies: VLA-OPD (arXiv 2603.26666), and reward extrapolation (G-OPD).

The student acts; the frozen teacher says how likely it would have written what the student did. The advantage of a code
is log π_T − log π_S, so that following it is the gradient of the reverse KL: the student keeps to one of the teacher's
ways instead of covering all (forward KL) or copying one code at a time (hard cross-entropy). The paper judges the codes
that were drawn; here all that could have been, in proportion to their chance: the same gradient on average, without the
scatter, which drives a small student apart. No reward of the environment is asked for. With λ > 1 the
teacher's change against a reference is exaggerated, which can pass it by.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError
from burnish.policies.base import Policy
from burnish.policies.trace import ActionTrace, Chain, NoiseConfig, TokenChain
from burnish.rl_finetune.arena import Arena
from burnish.rl_finetune.episodes import Episode
from burnish.rl_finetune.likelihood import Experience, LikelihoodConfig, LikelihoodTrainer, rows, together
from burnish.rl_finetune.loop import refine
from burnish.rl_finetune.teachers import load_teacher, same_tokens, warn_of_no_success
from burnish.run import Run
from burnish.sim.base import VecEnv


@dataclass(frozen=True, kw_only=True)
class OpdConfig(LikelihoodConfig):
    """Teacher and divergence."""

    teacher: Path | None = None
    """Checkpoint of the teacher, with the student's tokenizer."""
    divergence: Literal["reverse_kl", "forward_kl", "hard_ce"] = "reverse_kl"
    """The last two are the paper's ablation: the student's entropy explodes, or collapses."""
    extrapolation: float = 1.0
    """λ of G-OPD: the advantage is λ (log π_T − log π_ref) − (log π_S − log π_ref); 1 leaves the reference out."""
    reference: Path | None = None
    """With `extrapolation`: checkpoint of π_ref; None: the student as it begins."""
    env_steps: int = 100_000
    episodes: int = 40
    batch_size: int = 256
    epochs: int = 20


class Distillation(LikelihoodTrainer):
    """Moves the student towards the teacher on what the student does."""

    cfg: OpdConfig

    def __init__(
        self, policy: Policy, env: VecEnv | Arena, cfg: OpdConfig, teacher: Policy, reference: Policy | None
    ) -> None:
        """Raises `BurnishError`: one of them writes no tokens, or with another tokenizer."""
        same_tokens(policy, teacher)
        super().__init__(policy, env, cfg)
        self.teacher = _chain(teacher, cfg.noise)
        self.reference = _chain(reference, cfg.noise) if reference is not None else None

    def judge(self, episodes: Sequence[Episode]) -> Tensor:
        """No decision is judged by how its episode ended."""
        return torch.ones(sum(len(one) for one in episodes))

    def experience(self, played: Sequence[Episode]) -> Experience:
        """Their decisions; how likely they were is asked anew in every step."""
        obs, trace = together(played)
        return Experience(obs, trace, self.judge(played), torch.zeros(len(trace.chunk), 0))

    def improve(self, known: Experience, run: Run, chain: Chain | None = None) -> dict[str, float]:
        """Gradient steps on the divergence."""
        if self.iterations == 0:
            warn_of_no_success(sum(self.success) / max(len(self.success), 1), "opd")
        good, loss = self._weights(), torch.zeros(())
        entropy = self.entropy(known.obs, known.trace)
        for _ in range(self.cfg.epochs):
            for each in torch.randperm(len(known.advantage), generator=self.generator).split(self.cfg.batch_size):
                loss = self.divergence(*rows(known.obs, known.trace, each))
                if not torch.isfinite(loss):
                    self._give_up(good, float(loss.detach()), run)
                    return {}
                self.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.parameters, self.cfg.max_grad_norm, foreach=True)
                self.optimizer.step()
        return {"divergence": float(loss.detach()), "entropy": entropy}

    @torch.no_grad()
    def entropy(self, obs: Mapping[str, Tensor], trace: ActionTrace) -> float:
        """Mean per code, nats, of the student as it played."""
        assert isinstance(self.chain, TokenChain)
        student = self.chain.log_probs(obs, trace)
        return -float((student.exp() * student).sum(2).mean())

    def divergence(self, obs: Mapping[str, Tensor], trace: ActionTrace) -> Tensor:
        """The loss whose gradient moves the student."""
        assert isinstance(self.chain, TokenChain)
        student = self.chain.log_probs(obs, trace)
        with torch.no_grad():
            teacher = self.teacher.log_probs(obs, trace)
        if self.cfg.divergence == "forward_kl":
            return (teacher.exp() * (teacher - student)).sum(2).mean()
        if self.cfg.divergence == "hard_ce":
            return functional.nll_loss(student.flatten(0, 1), teacher.argmax(2).flatten())
        advantage = teacher - student.detach()
        if self.reference is not None:
            with torch.no_grad():
                reference = self.reference.log_probs(obs, trace)
            advantage = advantage + (self.cfg.extrapolation - 1) * (teacher - reference)
        return -(student.exp() * advantage).sum(2).mean()


def train(
    run: Run, policy: Policy, env: VecEnv | Arena, demos: Demonstrations | None, cfg: OpdConfig
) -> dict[str, Any]:
    """Refine all of `policy` in `env`; see `loop.refine`."""
    teacher = load_teacher(cfg.teacher, policy, "opd")
    if cfg.extrapolation < 1:
        raise BurnishError(
            f"extrapolation {cfg.extrapolation} is less than 1, at which the teacher is followed as it is"
        )
    reference = None
    if cfg.extrapolation > 1:
        reference = load_teacher(cfg.reference, policy, "opd") if cfg.reference else copy.deepcopy(policy)
    return refine(run, Distillation(policy, env, cfg, teacher, reference), "VLA-OPD")


def _chain(policy: Policy, noise: NoiseConfig) -> TokenChain:
    chain = policy.requires_grad_(False).eval().chain(noise)
    assert isinstance(chain, TokenChain)
    return chain
