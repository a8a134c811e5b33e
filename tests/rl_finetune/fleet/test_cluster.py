"""Without a cluster there is one line that says what to do."""

from __future__ import annotations

import pytest

from burnish.commands import refine
from burnish.errors import BurnishError
from burnish.rl_finetune.fleet.cluster import connected


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere"])
def test_no_cluster_is_one_line(address):
    refused = pytest.raises(BurnishError, match=rf"--ray {address}: no Ray cluster there.*ray start --head")
    with refused, connected(address):
        pass


def test_what_plays_elsewhere_says_so_itself():
    assert refine.plays_elsewhere("residual")
    assert refine.plays_elsewhere("dppo")
    assert not refine.plays_elsewhere("distill")
