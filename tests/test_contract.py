"""Contracts: what numbers mean travels with them, and a mismatch is said in full."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.contract import ACTION, STATE, Contract, Field
from burnish.errors import ContractError, CorruptFileError
from burnish.files import write_json

POSITION = Field((3,), ("x", "y", "z"), ("m",) * 3, "world", 80.0, "mean_std")
MOTION = Field((2,), ("dx", "grip"), ("m", "1"), "world", 80.0, "min_max", low=(-0.01, -1.0), high=(0.01, 1.0))
CONTRACT = Contract({STATE: POSITION}, MOTION)

CHANGES = {
    "unit": ("mm", "1"),
    "frame": "tool",
    "rate_hz": 20.0,
    "names": ("forward", "grip"),
    "normalization": "mean_std",
    "dtype": "float64",
    "low": None,
    "high": (0.02, 1.0),
}


@pytest.mark.parametrize("part", CHANGES)
def test_every_part_of_a_field_is_compared_and_both_values_are_said(part):
    theirs = Contract({STATE: POSITION}, dataclasses.replace(MOTION, **{part: CHANGES[part]}))
    with pytest.raises(ContractError) as caught:
        CONTRACT.check(theirs, here="checkpoint a", there="robot b")
    expected = f"action.{part}: {getattr(MOTION, part)!r} in the checkpoint a, {CHANGES[part]!r} in the robot b"
    assert expected in str(caught.value)


def test_a_key_that_one_side_lacks_and_every_other_difference_are_in_one_message():
    theirs = Contract({"observation.force": POSITION}, dataclasses.replace(MOTION, rate_hz=20.0))
    with pytest.raises(ContractError) as caught:
        CONTRACT.check(theirs, here="dataset", there="environment")
    message = str(caught.value)
    assert "observation.state: only in the dataset" in message
    assert "observation.force: only in the environment" in message
    assert "action.rate_hz" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"names": tuple("abcdefghijkl"[::-1])}, "names[0]: 'a' in the robot, 'l' in the policy, and 11 more"),
        ({"unit": ("m",) * 11 + ("rad",)}, "unit[11]: 'm' in the robot, 'rad' in the policy"),
    ],
)
def test_of_many_names_only_those_that_differ_are_said(change, said):
    field = Field((12,), tuple("abcdefghijkl"), ("m",) * 12, "world", 80.0, "mean_std")
    here, there = (Contract({STATE: one}, MOTION) for one in (field, dataclasses.replace(field, **change)))
    with pytest.raises(ContractError) as caught:
        here.check(there, here="robot", there="policy")
    assert f"{STATE}.{said}" in str(caught.value).splitlines()[1]
    with pytest.raises(ContractError) as caught:
        here.check(CONTRACT, here="robot", there="policy")
    assert "('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', … 12 in all) in the robot, ('x', 'y', 'z') in" in str(caught.value)


def test_equal_contracts_fit():
    CONTRACT.check(Contract({STATE: POSITION}, MOTION), here="a", there="b")


def test_a_field_that_contradicts_itself_is_refused():
    with pytest.raises(ContractError, match="names has 2 entries for a last dimension of 3"):
        dataclasses.replace(POSITION, names=("x", "y"))
    with pytest.raises(
        ContractError, match="unknown normalization 'z_score'; known: mean_std, whitening, min_max, range, identity"
    ):
        dataclasses.replace(POSITION, normalization="z_score")
    with pytest.raises(ContractError, match=r"whitening is for vectors, not for a field of shape \(4, 3\)"):
        dataclasses.replace(POSITION, normalization="whitening", shape=(4, 3))


def test_slots_divide_one_observation_into_things_of_one_kind():
    field = dataclasses.replace(POSITION, shape=(6,), names=tuple("abcdef"), unit=("m", "1") * 3, slots=3)
    with pytest.raises(ContractError, match=r"4 slots do not divide a field of shape \(6,\) into equal parts"):
        dataclasses.replace(field, slots=4)
    with pytest.raises(ContractError, match="things of one kind, but their units differ"):
        dataclasses.replace(field, slots=2)
    with pytest.raises(ContractError, match=r"observation\.state, other: slots are for one of the observations"):
        Contract({STATE: field, "other": field}, MOTION)
    with pytest.raises(ContractError, match="action: slots are for one of the observations"):
        Contract({STATE: POSITION}, dataclasses.replace(MOTION, slots=2, unit=("m", "m")))


def test_actions_are_not_whitened():
    """Bounds hold per axis: mixing the axes would make them meaningless."""
    with pytest.raises(ContractError, match="action: whitening is for observations only"):
        Contract({}, dataclasses.replace(POSITION, normalization="whitening"))


names = st.text(min_size=1, max_size=8)
bounds = st.none() | st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=2).map(tuple)


@given(
    field=st.builds(
        Field,
        shape=st.sampled_from([(2,), (5, 2)]),
        names=st.tuples(names, names),
        unit=st.tuples(names, names),
        frame=names,
        rate_hz=st.floats(0.1, 1e4),
        normalization=st.sampled_from(["mean_std", "min_max", "identity"]),
        low=bounds,
        high=bounds,
    ),
    key=names,
)
def test_json_gives_back_the_same_contract(field, key):
    contract = Contract({key: field}, field)
    assert Contract.from_json(json.loads(json.dumps(contract.to_json()))) == contract


@pytest.mark.parametrize("content", [{}, [], {"observation": {}, ACTION: {}}, {"observation": {}, ACTION: {"no": 1}}])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "contract.json"
    write_json(path, content)
    with pytest.raises(CorruptFileError, match=r"contract\.json: not a contract"):
        Contract.load(path)
