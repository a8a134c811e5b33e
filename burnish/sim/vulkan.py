"""Which Vulkan drivers this machine has, asked of the loader itself, without a renderer."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from burnish.sim.needs import Lack, Need

TOO_OLD = (1, 3, 230)
"""Vulkan version of Mesa 22.3's driver for CPUs, Debian 12's own, which SAPIEN refuses; it takes Mesa 25's (1.4)."""
CPU = 4
"""VkPhysicalDeviceType."""
MEND = (
    "on Debian 12 enable bookworm-backports, then apt-get install -t bookworm-backports mesa-vulkan-drivers; "
    "on newer systems apt-get install mesa-vulkan-drivers"
)


@dataclass(frozen=True)
class Device:
    """One that a driver offers, with its Vulkan version."""

    name: str
    kind: int
    version: tuple[int, int, int]


@dataclass(frozen=True)
class Vulkan(Need):
    """A Vulkan driver, of a GPU or for a CPU, that is not too old for SAPIEN."""

    def lack(self) -> Lack | None:
        """Asks every driver what it offers."""
        return judge(devices())


def judge(found: Sequence[Device]) -> Lack | None:
    """What is missing where these devices are all there are."""
    if not found:
        return Lack("no Vulkan driver, which SAPIEN needs even for state observations", MEND)
    if all(device.kind == CPU and device.version <= TOO_OLD for device in found):
        version = ".".join(map(str, found[0].version))
        return Lack(f"its Vulkan driver ({found[0].name}, Vulkan {version}) is too old for SAPIEN", MEND)
    return None


def devices() -> list[Device]:
    """Of all drivers; none where there is no loader, or no driver."""
    library = _loader()
    if library is None:
        return []
    instance, count = ctypes.c_void_p(), ctypes.c_uint32(0)
    create = struct.pack("=IxxxxQIxxxxQIxxxxQIxxxxQ", 1, 0, 0, 0, 0, 0, 0, 0)  # VkInstanceCreateInfo, all defaults
    if library.vkCreateInstance(create, None, ctypes.byref(instance)):
        return []
    try:
        if library.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None) or not count.value:
            return []
        handles = (ctypes.c_void_p * count.value)()
        library.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles)
        return [_device(library, handle) for handle in handles]
    finally:
        library.vkDestroyInstance(instance, None)


def _device(library: ctypes.CDLL, handle: int | None) -> Device:
    properties = ctypes.create_string_buffer(2048)  # VkPhysicalDeviceProperties, of which only the head is read
    library.vkGetPhysicalDeviceProperties(ctypes.c_void_p(handle), properties)
    api, _, _, _, kind = struct.unpack_from("=5I", properties)
    version = (api >> 22 & 0x7F, api >> 12 & 0x3FF, api & 0xFFF)
    return Device(properties.raw[20:276].split(b"\0")[0].decode(errors="replace"), kind, version)


def _loader() -> ctypes.CDLL | None:
    spec = find_spec("sapien")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    bundled = [str(path) for folder in folders for path in folder.glob("vulkan_library/libvulkan.so*")]
    for name in ("libvulkan.so.1", *bundled):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
