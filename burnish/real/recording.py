"""A recording that a crash cannot take: an MCAP bag whose chunks are on the disk after at most a second.

Whoever records never waits for the disk: a thread writes. A full disk ends the recording, never the robot's motion.
The first message, on `ABOUT`, says what the others mean, so that a bag that was cut is as readable as a whole one.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from burnish.datasets.convert.mcap import ABOUT
from burnish.errors import BurnishError

FSYNC_S = 1.0
WAITING_BYTES = 256 << 20
"""A disk that is so far behind makes the newest messages wait in vain: they are left out, and counted."""
CLOSE_S = 30.0


class Item(NamedTuple):
    """A message as ROS serialized it; `time_ns` is when it arrived, since 1970."""

    topic: str
    kind: str
    time_ns: int
    data: bytes


class Recording:
    """Writes one bag.

    Attributes:
        written, dropped: messages.
        ended: why nothing is recorded any more; "" while it is.
        warning: what will go wrong soon; "" while all is well.
    """

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        *,
        tell: Callable[[str], object] = print,
        warn_bytes: int = 2 << 30,
    ) -> None:
        """Begin a bag in `folder`, which must not exist yet.

        Args:
            about: what the messages mean; JSON values.
            tell: one line to the operator.
            warn_bytes: free space below which `warning` speaks.
        Raises:
            BurnishError: the folder exists, or cannot be made.
        """
        self.folder, self._tell, self._warn_bytes = folder, tell, warn_bytes
        self.written, self.dropped, self.ended, self.warning = 0, 0, "", ""
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._added, self._taken, self._channels = 0, 0, {}  # bytes; each is counted by one side alone
        self._writer, self._types = _open(folder)
        try:
            self._put(Item(ABOUT, "std_msgs/msg/String", time.time_ns(), _text(self._types, json.dumps(about))))
            self._to_disk()
        except OSError as error:
            raise BurnishError(f"{folder}: {error.strerror}; nothing is recorded") from error
        self._thread = threading.Thread(target=self._work, name="recording", daemon=True)
        self._thread.start()

    def knows(self, kind: str) -> bool:
        """Whether messages of `kind`, e.g. "sensor_msgs/msg/Image", can be recorded."""
        return kind in self._types.types

    def add(self, item: Item) -> None:
        """Record a message; returns at once. Not for several threads at once."""
        if self.ended:
            return
        if self._added - self._taken > WAITING_BYTES:
            self.dropped += 1
            return
        self._added += len(item.data)
        self._queue.put(item)

    def close(self) -> None:
        """Write what waits, then the index. Safe to call twice."""
        self._queue.put(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._tell(f"{self.folder}: the disk is too slow to finish within {CLOSE_S:g} s; what it wrote can be read")

    def _work(self) -> None:
        due = time.monotonic() + FSYNC_S
        try:
            while (item := self._next(due)) is not None:
                if isinstance(item, Item):
                    self._taken += len(item.data)
                    self._put(item)
                if time.monotonic() >= due:
                    self._to_disk()
                    due = time.monotonic() + FSYNC_S
            self._to_disk()
            self._writer.close()
            self.ended = "closed"
        except Exception as error:  # whatever it is, somebody must hear of it
            why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            self.ended = f"{self.folder}: {why}; not recorded any more"
            self._tell(f"{self.ended}; the robot goes on")
            with suppress(OSError):  # what could not be written cannot be written now
                self._writer.abort()

    def _next(self, due: float) -> Item | float | None:
        try:
            return self._queue.get(timeout=max(due - time.monotonic(), 1e-3))
        except queue.Empty:
            return due

    def _put(self, item: Item) -> None:
        channel = self._channels.get(item.topic)
        if channel is None:
            channel = self._writer.add_connection(item.topic, item.kind, typestore=self._types)
            self._channels[item.topic] = channel
        self._writer.write(channel, item.time_ns, item.data)
        self.written += 1

    def _to_disk(self) -> None:
        """End the chunk, so that it can be read whatever happens next."""
        storage = self._writer.storage
        if storage.chunk.bio.tell():
            storage.close_chunk()
            storage.bio.flush()
            os.fsync(storage.bio.fileno())
        free = shutil.disk_usage(self.folder).free
        self.warning = f"{free / 1e9:.1f} GB free for {self.folder}" if free < self._warn_bytes else ""


def _open(folder: Path) -> tuple[Any, Any]:
    """rosbags' writer, which compresses with checksums, so that a flipped bit is noticed, and its types."""
    from backports import zstd  # with rosbags
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    if folder.exists():
        raise BurnishError(f"{folder} exists; a recording is never overwritten, choose another folder")
    writer: Any = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    try:
        writer.open()
    except OSError as error:
        raise BurnishError(f"{folder}: {error.strerror}; choose a folder that can be written") from error
    of = zstd.CompressionParameter
    settings = {int(of.compression_level): 1, int(of.checksum_flag): 1}
    writer.storage.compressor = lambda data: zstd.compress(data, options=settings)
    return writer, get_typestore(Stores.ROS2_KILTED)


def _text(types: Any, text: str) -> bytes:
    message = types.types["std_msgs/msg/String"](text)
    return bytes(types.serialize_cdr(message, "std_msgs/msg/String"))
