"""Traffic between two hosts that knows what should arrive: ping, UDP round trips, bulk TCP checked by hash.

Each helper returns a small result and never raises for lost traffic, so that negative tests read like positive ones.
"""

from __future__ import annotations

import hashlib
import ipaddress
import random
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .netns import Namespace

UDP_SIZES = (1, 64, 512, 1200)


@dataclass(frozen=True)
class Host:
    """Where traffic starts or ends: a namespace and its address in the overlay."""

    namespace: Namespace
    address: str

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ipaddress.ip_address(self.address).version == 6 else socket.AF_INET


@dataclass(frozen=True)
class Echoed:
    """`good` of `sent` came back unchanged."""

    sent: int
    good: int

    def __bool__(self) -> bool:
        return self.sent > 0 and self.good == self.sent


@dataclass(frozen=True)
class Bulk:
    """One bulk transfer in both directions at once. Hashes are of what was sent and what arrived."""

    size: int
    seconds: float
    there: tuple[str, str]
    back: tuple[str, str]
    problem: str = ""

    def __bool__(self) -> bool:
        return not self.problem and self.there[0] == self.there[1] and self.back[0] == self.back[1]


def send_datagrams(source: Host, destination: str, count: int, port: int = 9) -> None:
    """Datagrams that nobody waits for."""
    with source.namespace.socket(source.family, socket.SOCK_DGRAM) as sender:
        sender.bind((source.address, 0))
        for _ in range(count):
            sender.sendto(b"nobody waits for this", (destination, port))


def ping(
    source: Host, destination: Host, count: int = 3, size: int = 56, timeout: float = 2.0, options: Sequence[str] = ()
) -> Echoed:
    """ICMP or ICMPv6 echo by the ping command, one after the other."""
    # Several from one process would be given up after twice the first one's round trip, whatever the timeout.
    command = ["ping", "-n", "-q", "-c", "1", "-W", str(timeout), "-s", str(size), "-I", source.address, *options]
    command.append(destination.address)
    good = sum(source.namespace.run(command, check=False).returncode == 0 for _ in range(count))
    return Echoed(count, good)


def udp_echo(
    source: Host, destination: Host, sizes: Sequence[int] = UDP_SIZES, timeout: float = 2.0, port: int = 7007
) -> Echoed:
    """One datagram of each size to the destination and back, compared byte for byte."""
    good = 0
    with (
        source.namespace.socket(source.family, socket.SOCK_DGRAM) as client,
        destination.namespace.socket(destination.family, socket.SOCK_DGRAM) as server,
    ):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((destination.address, port))
        server.settimeout(timeout)
        client.bind((source.address, 0))
        client.settimeout(timeout)
        for number, size in enumerate(sizes):
            payload = random.Random(number).randbytes(size)
            try:
                client.sendto(payload, (destination.address, port))
                received, sender = server.recvfrom(65536)
                server.sendto(received, sender)
                good += client.recvfrom(65536)[0] == payload == received
            except OSError:  # lost (a timeout), refused, or larger than the path
                continue
    return Echoed(len(sizes), good)


def bulk_tcp(source: Host, destination: Host, size: int = 4 << 20, timeout: float = 10.0, port: int = 7008) -> Bulk:
    """Send `size` bytes each way over one connection at the same time, within `timeout`; compare SHA-256 sums."""
    started = time.monotonic()
    deadline = started + timeout
    up, down = random.Random(1).randbytes(size), random.Random(2).randbytes(size)
    arrived = {"up": hashlib.sha256(), "down": hashlib.sha256()}
    problems: list[str] = []

    def pump(own: socket.socket, outgoing: bytes, incoming: str) -> None:
        """Send everything from one thread while this one receives until the other side is done."""

        def push() -> None:
            try:
                own.sendall(outgoing)
                own.shutdown(socket.SHUT_WR)
            except OSError as error:
                problems.append(f"sending {incoming}: {error}")

        pusher = threading.Thread(target=push)
        pusher.start()
        try:
            while data := own.recv(1 << 18):
                arrived[incoming].update(data)
                own.settimeout(max(0.01, deadline - time.monotonic()))  # for all of it, or a trickle would never end
        except OSError as error:
            problems.append(f"receiving {incoming}: {error}")
        pusher.join()

    def serve(listener: socket.socket) -> None:
        try:
            accepted, _ = listener.accept()
        except OSError as error:
            problems.append(f"accept: {error}")
            return
        with accepted:
            accepted.settimeout(timeout)
            pump(accepted, down, "up")

    with (
        destination.namespace.socket(destination.family, socket.SOCK_STREAM) as listener,
        source.namespace.socket(source.family, socket.SOCK_STREAM) as client,
    ):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((destination.address, port))
        listener.listen(1)
        listener.settimeout(timeout)
        client.bind((source.address, 0))
        client.settimeout(timeout)
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        try:
            client.connect((destination.address, port))
            pump(client, up, "down")
        except OSError as error:
            problems.append(f"connect: {error}")
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        server.join()
    return Bulk(
        size,
        time.monotonic() - started,
        (hashlib.sha256(up).hexdigest(), arrived["up"].hexdigest()),
        (hashlib.sha256(down).hexdigest(), arrived["down"].hexdigest()),
        "; ".join(problems),
    )
