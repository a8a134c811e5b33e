"""Isaac Lab shares an environment with no other simulator: its tests run in an interpreter of its own.

What uses Isaac Lab (`INSIDE`) is collected only where it is installed; `test_interpreter.py` makes such an interpreter
and runs it there, together with the tests of every environment's contract.
"""

from __future__ import annotations

from importlib.util import find_spec

INSIDE = ["test_env.py", "test_learning.py"]

collect_ignore = INSIDE if find_spec("isaaclab") is None else ["test_interpreter.py"]
