"""Our checkpoints in lerobot: its command line, its discovery of plugins, its evaluation loop."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.envs.configs import EnvConfig
from lerobot.policies.factory import get_policy_class
from lerobot.scripts import lerobot_eval

from burnish.contract import ACTION, STATE, TASK, Contract, Field, encode_text
from burnish.errors import ContractError
from burnish.policies.base import load_policy, make_policy, save_policy

DISTRIBUTION = Path(__file__).resolve().parents[2] / "burnish/policies/lerobot_plugin/distribution"
IMAGE, SENTENCE = "observation.images.image", "push the drawer shut"
WORDS = encode_text(SENTENCE, 32)
LENGTH, LANES = 9, 2


class Stub(gymnasium.Env):
    """Shows random numbers and pixels; remembers them and what it is told to do."""

    metadata = {"render_fps": 10, "render_modes": ["rgb_array"]}  # noqa: RUF012
    task = task_description = SENTENCE
    _max_episode_steps = LENGTH
    observation_space = Dict(
        pixels=Dict(image=Box(0, 255, (32, 32, 3), np.uint8)), agent_pos=Box(-9, 9, (6,), np.float64)
    )
    action_space = Box(-1, 1, (4,), np.float32)
    episodes: list[dict[str, list[np.ndarray]]] = []  # noqa: RUF012

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seen = {IMAGE: [], STATE: [], ACTION: [], "seed": [np.array(seed)]}
        self.episodes.append(self.seen)
        return self._observe(), {}

    def step(self, action):
        self.seen[ACTION].append(action.copy())
        return self._observe(), 0.0, False, False, {"is_success": False}

    def render(self):
        return self.seen[IMAGE][-1]

    def _observe(self):
        image = self.np_random.integers(0, 256, (32, 32, 3), np.uint8)
        state = self.np_random.normal(size=6).astype(np.float32)
        self.seen[IMAGE].append(image)
        self.seen[STATE].append(state)
        return {"pixels": {"image": image}, "agent_pos": state.astype(np.float64)}


@EnvConfig.register_subclass("stub")
@dataclass
class StubConfig(EnvConfig):
    features: dict[str, PolicyFeature] = field(
        default_factory=lambda: {
            ACTION: PolicyFeature(FeatureType.ACTION, (4,)),
            "agent_pos": PolicyFeature(FeatureType.STATE, (6,)),
            "pixels": PolicyFeature(FeatureType.VISUAL, (32, 32, 3)),
        }
    )
    features_map: dict[str, str] = field(default_factory=lambda: {ACTION: ACTION, "agent_pos": STATE, "pixels": IMAGE})

    @property
    def gym_kwargs(self) -> dict:
        return {}

    def create_envs(self, n_envs, use_async_envs=False):
        mode = gymnasium.vector.AutoresetMode.NEXT_STEP
        return {"stub": {0: gymnasium.vector.SyncVectorEnv([Stub] * n_envs, autoreset_mode=mode)}}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The little distribution as pip leaves it: its module and a folder that says its name."""
    info = tmp_path / "site" / "lerobot_policy_burnish-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lerobot_policy_burnish\nVersion: 0.1.0\n")
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.syspath_prepend(str(DISTRIBUTION))


def image(size: int) -> Field:
    return Field((size, size, 3), ("r", "g", "b"), ("1",) * 3, "camera", 10.0, "identity", "uint8")


@pytest.fixture
def seeing(lerobot_folder, contract, statistics_of, tmp_path) -> Path:
    """A checkpoint of ours that reads pixels: it holds one of lerobot's policies."""
    settings = {
        "chunk_size": 4, "n_action_steps": 3, "dim_model": 16, "n_heads": 2, "dim_feedforward": 16,
        "n_encoder_layers": 1, "n_vae_encoder_layers": 1, "pretrained_backbone_weights": None,
    }  # fmt: skip
    theirs = lerobot_folder(tmp_path / "act", "act", {IMAGE: (3, 32, 32), STATE: (6,)}, 4, **settings)
    reads = Contract({STATE: contract.observation[STATE], IMAGE: image(32)}, contract.action)
    policy = load_policy(Path(f"lerobot:{theirs}")).meet(reads, statistics_of(reads), there="data")
    save_policy(policy, tmp_path / "seeing")
    return tmp_path / "seeing"


@pytest.fixture
def told(contract, statistics_of, tmp_path) -> Path:
    """A checkpoint of ours that reads the robot's state and an instruction, and draws noise."""
    letters = Field((32,), tuple(map(str, range(32))), ("UTF-8",) * 32, "none", 10.0, "identity", "uint8")
    numbers = Contract({STATE: contract.observation[STATE]}, contract.action)
    stats = statistics_of(numbers) | {TASK: {"text": np.stack([WORDS, encode_text("open the window", 32)])}}
    reads = Contract(numbers.observation | {TASK: letters}, contract.action)
    policy = make_policy("flow", reads, stats, width=16, depth=1, horizon=4, replan=3, denoiser="mlp", steps=2)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    save_policy(policy, tmp_path / "told")
    return tmp_path / "told"


@pytest.mark.parametrize("which", ["seeing", "told"])
def test_lerobot_eval_finds_the_plugin_and_acts_as_we_do(which, installed, tmp_path, monkeypatch, request):
    checkpoint = request.getfixturevalue(which)
    out = tmp_path / "out"
    words = [f"--policy.path={checkpoint}", "--env.type=stub", "--policy.device=cpu", "--seed=5", "--eval.n_episodes=4"]
    words += [f"--eval.batch_size={LANES}", f"--output_dir={out}", "--policy.replan=2"]
    monkeypatch.setattr(sys, "argv", ["lerobot-eval", *words])
    monkeypatch.setattr(Stub, "episodes", [])
    lerobot_eval.main()
    assert json.loads((out / "eval_info.json").read_text())["overall"]["n_episodes"] == 4
    episodes = [seen for seen in Stub.episodes if len(seen[ACTION]) == LENGTH]
    assert [int(seen["seed"][0]) for seen in episodes] == [5, 6, 7, 8]
    policy = load_policy(checkpoint)
    for seen in episodes:
        agent = policy.agent(1, replan=2)
        agent.reset([0], [int(seen["seed"][0])])
        for step, theirs in enumerate(seen[ACTION]):
            now = {key: seen[key][step] for key in (IMAGE, STATE)} | {TASK: WORDS.copy()}
            obs = {key: torch.from_numpy(value)[None] for key, value in now.items()}
            assert torch.allclose(agent.act(obs)[0], torch.from_numpy(theirs), atol=1e-6)


def test_a_batch_that_does_not_fit_is_refused_with_the_field_named(seeing):
    policy = get_policy_class("burnish").from_pretrained(seeing)
    with pytest.raises(ContractError, match=f"reads {IMAGE}, which"):
        policy.select_action({STATE: torch.zeros(1, 6)})
    with pytest.raises(ContractError, match=f"{IMAGE}: \\(64, 64, 3\\) from"):
        policy.select_action({STATE: torch.zeros(1, 6), IMAGE: torch.zeros(1, 3, 64, 64)})
