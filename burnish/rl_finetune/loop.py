"""The loop around refinement by likelihood: iterate, log, save, and go on after an interruption."""

from __future__ import annotations

from typing import Any

from burnish.console import say, track
from burnish.policies.base import save_policy
from burnish.policies.resume import load_training, save_training
from burnish.rl_finetune.likelihood import LikelihoodTrainer
from burnish.run import Run


def refine(run: Run, trainer: LikelihoodTrainer, name: str) -> dict[str, Any]:
    """Iterate until `env_steps` are played; the result is `run.folder/policy`. Resumes after the last iteration.

    Returns `env_steps`, `success` of the last 100 episodes played (with noise), whether it `diverged`, and the share of
    wall time in environment, inference and update.
    """
    resume(run, trainer)
    total = trainer.cfg.env_steps
    with track(f"refining by {name}", total, trainer.player.env_steps) as advance:
        while not trainer.finished and not trainer.diverged:
            before = trainer.player.env_steps
            numbers = trainer.iterate(run)
            run.log(trainer.player.env_steps, **numbers)
            save(run, trainer)
            advance(max(min(trainer.player.env_steps, total) - before, 0), f"success {numbers['success']:.0%}")
    save_policy(trainer.policy, run.folder / "policy")
    recent = trainer.success[-100:]
    shares = trainer.clock.shares()
    say("  wall time: " + ", ".join(f"{share:.0%} {part.removesuffix('_share')}" for part, share in shares.items()))
    result = {"env_steps": trainer.player.env_steps, "success": sum(recent) / max(len(recent), 1)}
    return result | {"diverged": trainer.diverged} | shares | trainer.arena.report()


def save(run: Run, trainer: LikelihoodTrainer) -> None:
    """Everything needed to go on after a kill, as one checkpoint folder."""
    progress = {"env_steps": trainer.player.env_steps, "iterations": trainer.iterations, "success": trainer.success}
    progress |= {"diverged": trainer.diverged}
    save_training(run, trainer.policy, trainer.state(), progress)


def resume(run: Run, trainer: LikelihoodTrainer) -> None:
    """Go on from the checkpoint in `run.folder`, if there is one."""
    saved = load_training(run)
    if saved is None:
        return
    trainer.policy.load_state_dict(saved.weights)
    trainer.load(saved.tensors, saved.under)
    trainer.player.env_steps, trainer.iterations = saved.progress["env_steps"], saved.progress["iterations"]
    trainer.success, trainer.diverged = list(saved.progress["success"]), saved.progress["diverged"]
    run.rewind(trainer.player.env_steps)
