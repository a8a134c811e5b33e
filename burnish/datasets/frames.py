"""Images, places and points of recorded attempts: made from poses when all is recorded, in parallel and resumable.

Run as `python -m burnish.datasets.frames` it is one of the processes that render; a JSON object on its standard input
says what. It prints the name of each attempt it has finished.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from burnish.console import track
from burnish.contract import Field
from burnish.datasets.attempts import load_poses
from burnish.errors import BurnishError, CorruptFileError
from burnish.files import atomic_file
from burnish.sim.groups import LaneSpec
from burnish.sim.lanes import Arrays, Lane, make_lane
from burnish.sim.workers import ONE_THREAD

FAILED = 2
"""Exit status of a rendering process whose standard error says in one line what to mend."""


@dataclass(frozen=True)
class RenderedAttempts:
    """What `render_attempts` wrote, for `store.write_dataset`: episode i is attempt i of `attempts`."""

    attempts: Sequence[Path]
    fields: Mapping[str, Field]

    def episode(self, number: int) -> Arrays:
        """Contract key → (T, H, W, 3) uint8 images, or (T, N, 3) points."""
        return load_images(self.attempts[number])


def images_path(attempt: Path) -> Path:
    """Where the images of `attempt` are kept."""
    return attempt.with_suffix(".images.safetensors")


def render_attempts(attempts: Sequence[Path], spec: LaneSpec, workers: int) -> None:
    """Write the images of `attempts` (made with poses) beside them; those that are there are not rendered again.

    Args:
        spec: lanes that can look, with the shapes of what they see.
        workers: processes; attempts that follow each other, and so share a scene, go to the same one.
    Raises `BurnishError` with the reason if a process fails; what is finished stays.
    """
    missing = [path for path in attempts if not images_path(path).exists()]
    if not missing:
        return
    count = max(1, min(workers, len(missing)))
    edges = [len(missing) * index // count for index in range(count + 1)]
    with (
        track("Rendering what was recorded", len(attempts), len(attempts) - len(missing)) as advance,
        contextlib.ExitStack() as stack,
    ):
        working = [stack.enter_context(_process(spec, missing[first:end])) for first, end in pairwise(edges)]
        for process in working:
            assert process.stdout is not None
            for _ in process.stdout:
                advance()
        for process in working:
            _, errors = process.communicate()
            if process.returncode:
                raise BurnishError(f"rendering failed: {errors.strip()}")


def load_images(attempt: Path) -> Arrays:
    """Contract key → (T, H, W, 3) uint8 images, or (T, N, 3) points. Raises `CorruptFileError` that names the file."""
    path = images_path(attempt)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CorruptFileError(f"{path}: not the images of an attempt ({error}); delete it to render again") from error


@contextlib.contextmanager
def _process(spec: LaneSpec, attempts: Sequence[Path]) -> Iterator[subprocess.Popen[str]]:
    """A process that renders `attempts`, killed if it is still at work when the block is left."""
    job = {
        "factory": spec.factory,
        "arguments": spec.arguments,
        "looks": {key: (list(shape), spec.layout.dtype(key).name) for key, shape in spec.layout.looks.items()},
        "attempts": [str(path) for path in attempts],
    }
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C in the terminal reaches the caller alone
        env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(job))
        process.stdin.close()
        process.stdin = None
        yield process
    finally:
        process.kill()
        process.wait()


def _render(lane: Lane, attempt: Path, looks: Mapping[str, tuple[Sequence[int], str]]) -> None:
    poses = load_poses(attempt)
    steps = len(next(iter(poses.values())))
    seen = {key: np.zeros((steps, *shape), dtype) for key, (shape, dtype) in looks.items()}
    for step in range(steps):
        out = {key: value[step] for key, value in seen.items()}
        lane.look(out, {name: value[step] for name, value in poses.items()})
    with atomic_file(images_path(attempt)) as beside:
        save_file(seen, beside)


def main() -> None:
    """Render what standard input asks for."""
    job: dict[str, Any] = json.load(sys.stdin)
    try:
        lane = make_lane(job["factory"], job["arguments"])
        for attempt in job["attempts"]:
            _render(lane, Path(attempt), job["looks"])
            print(attempt, flush=True)
    except BurnishError as error:
        print(error, file=sys.stderr)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
