"""What a node is told to listen to: words `NAME:=TOPIC`, one for each camera or object."""

from __future__ import annotations

from burnish.real.words import Words

ARROW = ":="
CAMERAS = Words("parameter cameras", ARROW, "topic", f"front{ARROW}/camera/front/image")
OBJECTS = Words("parameter objects", ARROW, "topic", f"object{ARROW}/tracker/object/pose")
