"""What a host receives by one TCP connection, and in how large packets: whether the kernel's GRO has merged it."""

from __future__ import annotations

import socket
import threading

from .netns import Namespace
from .traffic import Host

SIZE = 4 << 20


def bytes_per_packet(source: Host, destination: Host, outer: int, port: int = 7300) -> float:
    """Send one way, and divide what the destination's IP has received by its packets, inner ones alone.

    The inner packets are of the family that the outer ones are not of: so the kernel counts them apart, before any
    tunnel device and behind it.
    """
    inner = 6 if destination.family == socket.AF_INET6 else 4
    assert inner != outer
    before = _received(destination.namespace, inner)
    _send(source, destination, port)
    after = _received(destination.namespace, inner)
    packets, octets = after[0] - before[0], after[1] - before[1]
    assert octets >= SIZE
    return octets / packets


def _send(source: Host, destination: Host, port: int) -> None:
    arrived = 0

    def serve(listener: socket.socket) -> None:
        nonlocal arrived
        accepted, _ = listener.accept()
        with accepted:
            while data := accepted.recv(1 << 18):
                arrived += len(data)

    with (
        destination.namespace.socket(destination.family, socket.SOCK_STREAM) as listener,
        source.namespace.socket(source.family, socket.SOCK_STREAM) as client,
    ):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((destination.address, port))
        listener.listen(1)
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        client.bind((source.address, 0))
        client.settimeout(20)
        client.connect((destination.address, port))
        client.sendall(bytes(SIZE))
        client.shutdown(socket.SHUT_WR)
        server.join()
    assert arrived == SIZE


def _received(namespace: Namespace, version: int) -> tuple[int, int]:
    """Packets and bytes that IP has received, each merged packet once."""
    if version == 6:
        text = namespace.run(["cat", "/proc/net/snmp6"]).stdout
        found = dict(line.split() for line in text.splitlines())
        return int(found["Ip6InReceives"]), int(found["Ip6InOctets"])
    found = {}
    for name in ("snmp", "netstat"):
        lines = [line.split() for line in namespace.run(["cat", f"/proc/net/{name}"]).stdout.splitlines()]
        for words, values in zip(lines[::2], lines[1::2], strict=True):
            found |= {f"{words[0]}{word}": value for word, value in zip(words[1:], values[1:], strict=True)}
    return int(found["Ip:InReceives"]), int(found["IpExt:InOctets"])
