"""Registries: names to classes, with help for a mistyped one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from burnish import registry
from burnish.errors import BurnishError, UnknownNameError
from burnish.registry import Registry

ALL = [registry.policies, registry.environments, registry.algorithms, registry.robots, registry.experts]


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.kind)
def test_every_registered_name_can_be_loaded(each):
    for name in each.names():
        assert callable(each.load(name))


def test_a_mistyped_name_gets_the_closest():
    with pytest.raises(UnknownNameError, match="unknown policy 'meanflwo'; did you mean 'meanflow'"):
        registry.policies.load("meanflwo")
    known = "behaviour, diffusion, flow, lerobot, meanflow, mint, mlp, omnijarvis, recurrent, residual, tokens, vla$"
    with pytest.raises(UnknownNameError, match="unknown policy 'zzz'; known: " + known):
        registry.policies.load("zzz")


def test_a_name_is_given_once_and_a_target_has_a_form():
    mine = Registry("thing", "burnish.no_such_group")
    mine.register("a", "json:loads")
    assert mine.load("a")("1") == 1
    with pytest.raises(BurnishError, match="thing 'a' is registered twice: json:loads and json:dumps"):
        mine.register("a", "json:dumps")
    with pytest.raises(BurnishError, match=r"not of the form 'package\.module:Class'"):
        mine.register("b", "json.loads")


def test_an_installed_package_adds_its_own(monkeypatch):
    class Point:
        name, value = "theirs", "json:dumps"

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point] if group == "burnish.things" else [])
    mine = Registry("thing", "burnish.things")
    assert mine.names() == ["theirs"]
    assert mine.load("theirs")(1) == "1"


def test_looking_at_names_imports_nothing_heavy():
    code = "import sys; from burnish import registry; registry.policies.names(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
