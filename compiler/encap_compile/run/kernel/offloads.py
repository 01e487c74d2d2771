"""Offloads of a device, as `ethtool -k` shows them."""

from __future__ import annotations

import ctypes
import fcntl
import socket

_SIOCETHTOOL = 0x8946
_ETHTOOL_GGRO = 0x2B


class _Value(ctypes.Structure):
    """struct ethtool_value."""

    _fields_ = (("cmd", ctypes.c_uint32), ("data", ctypes.c_uint32))


class _Request(ctypes.Structure):
    """struct ifreq with a pointer in it."""

    _fields_ = (("name", ctypes.c_char * 16), ("data", ctypes.c_void_p), ("rest", ctypes.c_char * 16))


def gro_is_on(device: str) -> bool:
    """Whether received packets are merged; also if the device does not say. Any user may ask."""
    value = _Value(_ETHTOOL_GGRO, 1)
    request = _Request(device.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
        try:
            fcntl.ioctl(asking, _SIOCETHTOOL, request)
        except OSError:
            return True
    return bool(value.data)
