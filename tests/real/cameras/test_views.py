"""The cameras of `burnish deploy`: what the policy reads is seen, a blind camera is named."""

from __future__ import annotations

import time

import numpy as np
import pytest

from burnish.contract import IMAGES, STATE, Contract, Field
from burnish.errors import BurnishError
from burnish.real.base import state_field
from burnish.real.cameras.base import CameraError
from burnish.real.cameras.views import Views

VECTOR = state_field(("x",), ("m",), "base", 20.0)


def contract(*cameras: str, size: tuple[int, int] = (32, 32)) -> Contract:
    colours = ("red", "green", "blue")
    image = Field((*size, 3), colours, ("1",) * 3, "camera", 20.0, "identity", "uint8")
    return Contract({STATE: VECTOR} | {IMAGES + name: image for name in cameras}, VECTOR)


def blind(views: Views, name: str, seconds: float = 3.0) -> str:
    """What `look` says once the camera is blind."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            views.look(name)
        except BurnishError as error:
            return str(error)
        time.sleep(0.02)
    return ""


def test_every_camera_gives_pictures_of_the_policys_size():
    with Views(["front=simulated", "wrist=simulated"], contract("front", "wrist"), 0.2) as views:
        first = {key: sense() for key, sense in views.senses.items()}
        assert sorted(first) == [IMAGES + "front", IMAGES + "wrist"]
        for key, sense in views.senses.items():
            assert sense().shape == (32, 32, 3) and sense().dtype == np.uint8
            end = time.monotonic() + 3
            while np.array_equal(sense(), first[key]):
                assert time.monotonic() < end, "it always sees the same"
                time.sleep(0.05)


def test_a_picture_that_is_no_square_is_given_whole_or_refused():
    with Views(["front=simulated"], contract("front", size=(48, 64)), 0.2) as views:
        assert views.look("front").shape == (48, 64, 3)
    wide = Views(["front=simulated"], contract("front", size=(48, 80)), 0.2)
    with pytest.raises(BurnishError, match=r"camera 'front' gives 64 × 48 pixels, the policy reads 80 × 48"), wide:
        pass


@pytest.mark.parametrize(("fault", "why"), [("freeze", "frozen: the same picture"), ("vanish", "is gone")])
def test_a_camera_that_fails_is_blind_until_it_comes_back(tmp_path, fault: str, why: str):
    switch = tmp_path / "device"
    with Views([f"front=simulated:{switch}"], contract("front"), 0.2) as views:
        views.look("front")
        switch.write_text(fault)
        said = blind(views, "front")
        assert "no new frame of camera 'front' for" in said and why in said
        switch.unlink()
        end = time.monotonic() + 4
        while time.monotonic() < end and blind(views, "front", 0.01):
            time.sleep(0.05)
        views.look("front")


def test_a_camera_that_shows_nothing_is_named_at_once(tmp_path):
    (tmp_path / "device").write_text("vanish")
    with (
        pytest.raises(CameraError, match=r"camera 'front' \(simulated:.*is gone"),
        Views([f"front=simulated:{tmp_path / 'device'}"], contract("front"), 0.2),
    ):
        pass


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "sees by camera 'front', for which --cameras names no driver:device; add front=DRIVER:DEVICE"),
        (["front=simulated", "side=simulated"], r"the policy has no camera 'side'; it has \['front'\]"),
        (["front=simulate"], "unknown camera 'simulate'; did you mean 'simulated'"),
        (["front"], "'front'; write NAME=DRIVER:DEVICE, e.g. front=v4l2:/dev/video0"),
    ],
)
def test_what_does_not_fit_is_refused(words: list[str], message: str):
    with pytest.raises(BurnishError, match=message):
        Views(words, contract("front"), 0.2)
