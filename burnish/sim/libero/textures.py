"""Scenes without their textures: physics reads none of them, and they are most of a scene's memory and of its start."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from xml.etree import ElementTree


@contextlib.contextmanager
def textures(wanted: bool) -> Iterator[None]:
    """Inside, the models that robosuite compiles have their textures if they are `wanted`, else a white pixel each."""
    if wanted:
        yield
        return
    from robosuite.utils.binding_utils import MjSim

    original, compiled = MjSim.__dict__["from_xml_string"], MjSim.from_xml_string
    MjSim.from_xml_string = staticmethod(lambda xml: compiled(_plain(xml)))
    try:
        yield
    finally:
        MjSim.from_xml_string = original


def _plain(xml: str) -> str:
    root = ElementTree.fromstring(xml)
    for texture in root.iter("texture"):
        kept = {key: texture.attrib[key] for key in ("name", "type") if key in texture.attrib}
        texture.attrib.clear()
        texture.attrib.update(kept | {"builtin": "flat", "rgb1": "1 1 1", "width": "1", "height": "1"})
    return ElementTree.tostring(root, encoding="unicode")
