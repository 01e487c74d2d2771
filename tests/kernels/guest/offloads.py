"""Segmentation and checksum offloads of a device, through the ioctl behind `ethtool -K` (a process costs far more)."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct

from .namespaces import inside

_SIOCETHTOOL = 0x8946
# (get, set) commands of linux/ethtool.h; each takes and gives a 32-bit value.
_COMMANDS = {"tx": (0x16, 0x17), "tso": (0x1E, 0x1F), "gso": (0x23, 0x24), "gro": (0x2B, 0x2C)}
# Checksums first: segmentation in the device needs them.
_ON = {"tx": True, "tso": True, "gso": True, "gro": True}
MODES = {
    "hardware": _ON,
    "split": _ON,  # and no more than one segment for the device, see underlay
    # The stack hands over GSO packets and the kernel splits them behind our program; checksums are real on the wire.
    "software": {"tx": False, "tso": False, "gso": True, "gro": True},
    "none": {"tx": False, "tso": False, "gso": False, "gro": False},
}


def set_mode(namespace: str, device: str, mode: str) -> None:
    """Switch a device to a mode and make sure that it took effect."""
    with inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for name, wanted in MODES[mode].items():
            _call(control, device, _COMMANDS[name][1], wanted)
        for name, wanted in MODES[mode].items():
            if _call(control, device, _COMMANDS[name][0]) != wanted:
                raise RuntimeError(f"{device} in {namespace}: {name} is not as {mode} segmentation wants it")


def _call(control: socket.socket, device: str, command: int, value: bool = False) -> bool:
    """One command on a `struct ethtool_value`, to which the `struct ifreq` of the ioctl points."""
    data = ctypes.create_string_buffer(struct.pack("=II", command, value), 8)
    fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("16sP16x", device.encode(), ctypes.addressof(data)))
    return bool(struct.unpack_from("=I", data, 4)[0])
