"""lerobot's policies, saved by lerobot itself, do here what they do there: action by action, to the bit."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from lerobot.policies.factory import get_policy_class, make_pre_post_processors

from burnish.cli import main
from burnish.contract import ENVIRONMENT_STATE, STATE, TASK, Contract, Field, encode_text
from burnish.errors import BurnishError, ContractError, CorruptFileError, UnknownNameError
from burnish.policies.base import load_policy, save_policy
from burnish.policies.residual import ResidualPolicy

CAMERAS = ("observation.images.image", "observation.images.image2")
SEEN = dict.fromkeys(CAMERAS, (3, 64, 64)) | {STATE: (8,)}
KNOWN = {STATE: (8,), ENVIRONMENT_STATE: (5,)}
ACT = {
    "chunk_size": 6, "n_action_steps": 4, "dim_model": 16, "n_heads": 2, "dim_feedforward": 16, "n_encoder_layers": 1,
    "n_vae_encoder_layers": 1, "pretrained_backbone_weights": None,
}  # fmt: skip
DIFFUSION = {
    "n_obs_steps": 2, "horizon": 8, "n_action_steps": 4, "down_dims": (16, 32), "num_train_timesteps": 4,
    "spatial_softmax_num_keypoints": 4, "pretrained_backbone_weights": None, "crop_shape": None,
}  # fmt: skip
SMOLVLA = {
    "chunk_size": 6, "n_action_steps": 4, "num_steps": 2, "num_vlm_layers": 2, "max_state_dim": 8, "max_action_dim": 8,
    "resize_imgs_with_padding": (64, 64),
}  # fmt: skip
KINDS = {
    "act": ("act", SEEN, ACT),
    "act that ensembles": ("act", SEEN, ACT | {"n_action_steps": 1, "temporal_ensemble_coeff": 0.01}),
    "act without images": ("act", KNOWN, ACT),
    "act with nothing but images": ("act", dict.fromkeys(CAMERAS, (3, 64, 64)), ACT),
    "diffusion": ("diffusion", SEEN, DIFFUSION),
    "smolvla": ("smolvla", SEEN, SMOLVLA),
}
SENTENCE = "push the drawer shut"


@pytest.fixture(scope="module", params=KINDS)
def folder(request, lerobot_folder, tmp_path_factory) -> Path:
    (kind, inputs, settings), place = KINDS[request.param], tmp_path_factory.mktemp("lerobot")
    if kind == "smolvla":
        settings = settings | {"vlm_model_name": str(tiny_vlm(place / "vlm"))}
    return lerobot_folder(place / "policy", kind, inputs, 7, **settings)


def tiny_vlm(folder: Path) -> Path:
    """What SmolVLA fetches from the Hub: sizes of its vision-language model, tokenizer and image processor."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        SmolVLMConfig,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    special = {"image_token": "<image>", "fake_image_token": "<fake>", "global_image_token": "<global>"}
    special["end_of_utterance_token"] = "<end>"
    words = ["<pad>", "<unk>", *special.values(), *SENTENCE.split()]
    letters = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    letters.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=letters, pad_token="<pad>", unk_token="<unk>", extra_special_tokens=special
    )
    text = {
        "model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 256,
    }  # fmt: skip
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision |= {"image_size": 64, "patch_size": 16}
    SmolVLMConfig(text_config=text, vision_config=vision, image_token_id=2, scale_factor=2).save_pretrained(folder)
    pictures = SmolVLMImageProcessor(), tokenizer, SmolVLMVideoProcessor()
    SmolVLMProcessor(*pictures, chat_template="{{ messages }}").save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def plain(lerobot_folder, tmp_path_factory) -> Path:
    kind, inputs, settings = KINDS["act without images"]
    return lerobot_folder(tmp_path_factory.mktemp("lerobot") / "plain", kind, inputs, 7, **settings)


def observe(steps: int, lanes: int) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)

    def one() -> dict[str, torch.Tensor]:
        pixels = {
            key: torch.randint(256, (lanes, 64, 64, 3), generator=generator, dtype=torch.uint8) for key in CAMERAS
        }
        vectors = {STATE: torch.randn(lanes, 8, generator=generator)}
        vectors[ENVIRONMENT_STATE] = torch.randn(lanes, 5, generator=generator)
        words = torch.from_numpy(np.tile(encode_text(SENTENCE, 32), (lanes, 1)))
        return pixels | vectors | {TASK: words}

    return [one() for _ in range(steps)]


def in_lerobot(folder: Path, episode: list[dict[str, torch.Tensor]], lane: int, seed: int) -> torch.Tensor:
    """(T, A): loaded by lerobot, its own `select_action` on one observation after the other."""
    policy = get_policy_class(json.loads((folder / "config.json").read_text())["type"]).from_pretrained(folder)
    before, after = make_pre_post_processors(policy.config, str(folder))
    policy.reset()
    noise, actions = torch.Generator().manual_seed(seed), []
    for step, obs in enumerate(episode):
        batch = {key: obs[key][lane : lane + 1] for key in {STATE, *policy.config.input_features}}
        for key in policy.config.image_features:
            batch[key] = batch[key].permute(0, 3, 1, 2).contiguous().float() / 255
        if step % policy.config.n_action_steps == 0:  # its noise comes from torch's global generator
            torch.manual_seed(int(torch.randint(2**62, (), generator=noise)))
        with torch.inference_mode():
            actions.append(after(policy.select_action(before(batch | {"task": [SENTENCE]})))[0])
    return torch.stack(actions)


def test_every_lane_acts_as_in_lerobot_to_the_bit(folder):
    policy = load_policy(Path(f"lerobot:{folder}"))
    episode, agent = observe(6, 2), policy.agent(2)
    agent.reset([0, 1], [5, 6])
    for obs in observe(2, 2):  # the episode before must leave nothing behind
        agent.act(obs)
    agent.reset([0, 1], [7, 8])
    here = torch.stack([agent.act(obs) for obs in episode])
    for lane in (0, 1):
        assert torch.equal(here[:, lane], in_lerobot(folder, episode, lane, seed=7 + lane))
    assert not torch.equal(here[:, 0], here[:, 1])


def test_images_are_asked_for_when_they_are_read_and_only_then(folder):
    policy = load_policy(Path(f"lerobot:{folder}"))
    episode, agent = observe(9, 2), policy.agent(2)
    agent.reset([0], [7])
    agent.act(episode[0])
    agent.reset([1], [8])  # another lane may be at another step of its chunk
    asked, actions = [], []
    for obs in episode:
        asked.append(agent.looks())
        blind = {key: value.clone() for key, value in obs.items() if key not in CAMERAS or asked[-1]}
        for key in set(CAMERAS) & set(blind):
            blind[key][[lane for lane in (0, 1) if lane not in asked[-1]]] = 77
        actions.append(agent.act(blind)[1])
    assert torch.equal(torch.stack(actions), in_lerobot(folder, episode, 1, seed=8))
    plans, needed = range(0, 9, policy.horizon), policy.history if policy.contract.images else 0
    reads = {step for plan in plans for step in range(plan, plan - needed, -1) if step >= 0}
    beyond = {8} if needed == 2 else set()  # remembered for a plan that does not come
    assert {step for step in range(9) if 1 in asked[step]} - beyond == reads - beyond


def test_a_plan_is_an_episodes_first_actions(plain):
    policy = load_policy(Path(f"lerobot:{plain}"))
    obs, noise = observe(1, 3)[0], torch.randn(3, *policy.noise_shape)
    chunk = policy.act(obs, noise)
    assert torch.equal(chunk[1], in_lerobot(plain, [obs] * policy.horizon, 1, seed=0))
    alone = {key: value[1:2] for key, value in obs.items()}
    assert torch.equal(policy.act(alone, noise[1:2])[0], chunk[1])


def test_replanning_sooner_drops_the_rest_of_a_chunk(plain):
    policy = load_policy(Path(f"lerobot:{plain}"))
    episode, agent = observe(4, 1), policy.agent(1, replan=1)
    agent.reset([0], [7])
    for obs in episode:
        assert torch.equal(agent.act(obs)[0], in_lerobot(plain, [obs], 0, seed=0)[0])


def test_replanning_sooner_is_refused_where_a_history_would_be_lost(lerobot_folder, tmp_path):
    kind, inputs, settings = KINDS["diffusion"]
    folder = lerobot_folder(tmp_path / "policy", kind, inputs, 7, **settings)
    with pytest.raises(BurnishError, match="n_action_steps"):
        load_policy(Path(f"lerobot:{folder}")).agent(1, replan=2)


def vector(size: int) -> Field:
    names = tuple(str(i) for i in range(size))
    return Field((size,), names, ("m",) * size, "world", 20.0, "mean_std", low=(-9.0,) * size, high=(9.0,) * size)


CONTRACT = Contract({STATE: vector(8), ENVIRONMENT_STATE: vector(5), "observation.force": vector(3)}, vector(7))


def test_what_the_environment_lacks_is_named_with_what_comes_closest(plain):
    load_policy(Path(f"lerobot:{plain}"), contract=CONTRACT)
    state = {key: field for key, field in CONTRACT.observation.items() if key != ENVIRONMENT_STATE}
    other = Contract(state | {"observation.env_state": vector(5), STATE: vector(9)}, vector(6))
    with pytest.raises(ContractError) as caught:
        load_policy(Path(f"lerobot:{plain}"), contract=other, there="environment other")
    message = str(caught.value)
    assert "'observation.env_state'" in message
    assert "observation.state.shape: (8,)" in message
    assert "(9,) in the environment other" in message
    assert "action.shape: (7,)" in message


def test_images_of_another_size_are_refused_unless_the_policy_resizes(lerobot_folder, tmp_path):
    image = Field((96, 96, 3), ("r", "g", "b"), ("1",) * 3, "camera", 20.0, "identity", "uint8")
    offered = Contract({STATE: vector(8), **dict.fromkeys(CAMERAS, image)}, vector(7))
    for name, settings in (
        ("act", ACT),
        ("diffusion", DIFFUSION),
        ("diffusion", DIFFUSION | {"resize_shape": (64, 64)}),
    ):
        folder = lerobot_folder(tmp_path / f"{name}-{len(settings)}", name, SEEN, 7, **settings)
        if "resize_shape" in settings:
            load_policy(Path(f"lerobot:{folder}"), contract=offered)
        else:
            with pytest.raises(ContractError, match=r"image2.shape: \(64, 64, 3\)"):
                load_policy(Path(f"lerobot:{folder}"), contract=offered)


def test_renamed_observations_are_read_by_the_environments_names(plain, tmp_path):
    folder = shutil.copytree(plain, tmp_path / "renamed")
    path = folder / "policy_preprocessor.json"
    data = json.loads(path.read_text())
    data["steps"][0]["config"]["rename_map"] = {"observation.robot": STATE}
    path.write_text(json.dumps(data))
    policy = load_policy(Path(f"lerobot:{folder}"))
    assert set(policy.contract.observation) == {"observation.robot", ENVIRONMENT_STATE}
    obs = observe(1, 1)[0]
    before = load_policy(Path(f"lerobot:{plain}")).act(obs, torch.zeros(1, 2))
    obs["observation.robot"] = obs.pop(STATE)
    assert torch.equal(policy.act(obs, torch.zeros(1, 2)), before)


def test_a_pair_around_a_lerobot_policy_is_saved_whole(plain, statistics_of, tmp_path):
    contract = Contract(CONTRACT.observation, dataclasses.replace(CONTRACT.action, normalization="range"))
    base = load_policy(Path(f"lerobot:{plain}")).meet(contract, statistics_of(contract), there="data")
    assert base.contract == contract.only([STATE, ENVIRONMENT_STATE])
    pair = ResidualPolicy.around(base, hidden=8, action_scale=0.3)
    torch.nn.init.normal_(pair.actor, std=0.3)
    save_policy(pair, tmp_path / "pair")
    loaded = load_policy(tmp_path / "pair", contract=contract)
    assert loaded.contract == base.contract
    agents = [policy.agent(2) for policy in (pair, loaded)]
    for agent in agents:
        agent.reset([0, 1], [7, 8])
    for obs in observe(6, 2):
        first, second = (agent.act(obs) for agent in agents)
        assert torch.equal(first, second)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "policy_preprocessor.json"])
def test_a_file_that_is_missing_or_broken_is_named(plain, tmp_path, name):
    folder = shutil.copytree(plain, tmp_path / "broken")
    (folder / name).write_bytes((folder / name).read_bytes()[:40])
    with pytest.raises(CorruptFileError, match=str(folder)):
        load_policy(Path(f"lerobot:{folder}"))
    (folder / name).unlink()
    with pytest.raises(CorruptFileError, match=name):
        load_policy(Path(f"lerobot:{folder}"))


def test_an_unknown_type_of_policy_is_answered_with_the_closest(plain, tmp_path):
    folder = shutil.copytree(plain, tmp_path / "unknown")
    data = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(data | {"type": "difusion"}))
    with pytest.raises(UnknownNameError, match="did you mean 'diffusion'"):
        load_policy(Path(f"lerobot:{folder}"))


def test_the_commands_evaluate_and_refine_it(lerobot_folder, tmp_path, monkeypatch, capsys):
    folder = lerobot_folder(tmp_path / "act", "act", {ENVIRONMENT_STATE: (39,)}, 4, **ACT)
    path = folder / "policy_preprocessor.json"
    data = json.loads(path.read_text())
    data["steps"][0]["config"]["rename_map"] = {STATE: ENVIRONMENT_STATE}  # Meta-World gives nothing but this
    path.write_text(json.dumps(data))
    monkeypatch.chdir(tmp_path)
    task = "metaworld/reach"
    evaluation = ["eval", "lerobot:act", "--task", task, "--out", "runs/eval", "--eval.episodes", "2"]
    evaluation += ["--eval.workers", "0", "--eval.videos", "0"]
    assert main(evaluation) == 0, capsys.readouterr().err
    result = json.loads((tmp_path / "runs/eval/result.json").read_text())
    assert (result["episodes"], result["replan"]) == (2, 4)
    assert '"lerobot:../../act"' in (tmp_path / "runs/eval/config.json").read_text()  # runs can be moved
    assert main(["collect", task, "--out", "demos", "--collect.episodes", "1", "--collect.workers", "0"]) == 0
    refinement = ["refine", "residual", "--policy", "lerobot:act", "--dataset", "demos", "--out", "runs/refine"]
    sizes = {"env-steps": 300, "warmup-steps": 250, "critic-warmup": 5, "lanes": 2, "workers": 0, "hidden": 16}
    refinement += [word for name, size in sizes.items() for word in (f"--refine.{name}", str(size))]
    assert main(refinement) == 0, capsys.readouterr().err
    assert load_policy(tmp_path / "runs/refine/policy").base.inner.config.type == "act"
    (folder / "config.json").write_text((folder / "config.json").read_text().replace("0.1", "0.2"))
    assert main([*refinement, "--refine.hidden", "16"]) == 2
    assert "policy_fingerprint" in capsys.readouterr().err
    assert main(["eval", "lerobot:nowhere", "--task", task, "--out", "runs/other"]) == 2
    assert "nowhere: nothing there" in capsys.readouterr().err
    assert main(["export", "lerobot:act", "--out", "runs/onnx"]) == 2
    assert "distill" in capsys.readouterr().err
