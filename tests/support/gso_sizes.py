"""How large the GSO packets may be that a device is given: attributes that older iproute2 does not know."""

from __future__ import annotations

import os
import socket
import struct

from .netns import Namespace

ATTRIBUTES = {"gso_max_size": 41, "gso_ipv4_max_size": 63}  # IFLA_GSO_MAX_SIZE, IFLA_GSO_IPV4_MAX_SIZE (6.3)
_RTM_SETLINK, _REQUEST_ACK = 19, 5


def set_gso_sizes(namespace: Namespace, device: str, **sizes: int) -> None:
    """Raises OSError where the kernel has no such size."""
    with namespace.entered():
        index = socket.if_nametoindex(device)
    body = struct.pack("=BxHiII", 0, 0, index, 0, 0)
    body += b"".join(struct.pack("=HHI", 8, ATTRIBUTES[name], size) for name, size in sizes.items())
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        route.bind((0, 0))
        route.send(struct.pack("=IHHII", 16 + len(body), _RTM_SETLINK, _REQUEST_ACK, 1, 0) + body)
        (error,) = struct.unpack_from("=i", route.recv(65536), 16)
    if error:
        raise OSError(-error, os.strerror(-error), device)
