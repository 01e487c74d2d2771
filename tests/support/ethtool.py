"""Device features by name, through the ethtool ioctl: so that the ethtool package is not needed."""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from collections.abc import Mapping, Sequence

from .netns import Namespace

SIOCETHTOOL = 0x8946
GET_STRINGS, SET_FEATURES, STRING_SET_INFO = 0x1B, 0x3B, 0x37
FEATURE_STRINGS = 4
NAME_SIZE = 32


def feature_names(namespace: Namespace, device: str) -> list[str]:
    """The kernel's names of all features, in the order of their bits."""
    info = _call(namespace, device, struct.pack("=IIQI", STRING_SET_INFO, 0, 1 << FEATURE_STRINGS, 0))
    (count,) = struct.unpack_from("=I", info, 16)
    head = struct.pack("=III", GET_STRINGS, FEATURE_STRINGS, count)
    raw = _call(namespace, device, head + bytes(count * NAME_SIZE))[len(head) :]
    return [raw[at : at + NAME_SIZE].split(b"\0")[0].decode() for at in range(0, count * NAME_SIZE, NAME_SIZE)]


def set_features(namespace: Namespace, device: str, names: Sequence[str], wanted: Mapping[str, bool]) -> None:
    """Turn features on and off; those that the device does not have stay as they are."""
    blocks = [[0, 0] for _ in range((len(names) + 31) // 32)]
    for name, on in wanted.items():
        bit = names.index(name)
        blocks[bit // 32][0] |= 1 << bit % 32
        blocks[bit // 32][1] |= on << bit % 32
    head = struct.pack("=II", SET_FEATURES, len(blocks))
    _call(namespace, device, head + b"".join(struct.pack("=II", valid, requested) for valid, requested in blocks))


def _call(namespace: Namespace, device: str, command: bytes) -> bytes:
    buffer = array.array("B", command)
    request = struct.pack("16sP16x", device.encode(), buffer.buffer_info()[0])
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCETHTOOL, request)
    return buffer.tobytes()
