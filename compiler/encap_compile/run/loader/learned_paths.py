"""The path MTUs that the programs have learned of tunnel endpoints, and that are in force (`encap_path_mtu.h`)."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from ipaddress import IPv6Address

from ...common.record import Record
from ..kernel.errors import NotFoundError
from ..kernel.pins import open_map
from ..kernel.routes import IPAddress
from .paths import Paths

MAP = "path_mtus"
_PATH_MTU = struct.Struct("=QII")  # struct path_mtu: expires, mtu, pad
_KEY = 16  # struct ip_address


class LearnedPath(Record):
    """What fits on the path to a tunnel endpoint, for so many seconds more."""

    endpoint: IPAddress
    mtu: int
    seconds: int


def learned_paths(paths: Paths, pins: Mapping[str, str]) -> tuple[LearnedPath, ...]:
    """By endpoint. `pins` are those of the bundle's maps by name. Raises KernelError."""
    pin = pins.get(MAP)
    if pin is None:
        return ()
    try:
        with open_map(paths.maps / pin) as learned:
            if (learned.info.key_size, learned.info.value_size) != (_KEY, _PATH_MTU.size):
                return ()
            entries = list(learned.entries().items(_KEY, _PATH_MTU.size))
    except NotFoundError:
        return ()
    now = time.monotonic_ns()  # as bpf_ktime_get_ns
    found = []
    for key, value in entries:
        expires, mtu, _ = _PATH_MTU.unpack(value)
        if expires > now:
            address = IPv6Address(key)
            found.append(LearnedPath(address.ipv4_mapped or address, mtu, (expires - now) // 10**9))
    return tuple(sorted(found, key=lambda path: (path.endpoint.version, path.endpoint.packed)))
