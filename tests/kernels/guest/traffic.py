"""Senders and receivers in pure Python, with sockets made inside the namespaces. `FailedError` is a lost check."""

from __future__ import annotations

import hashlib
import os
import select
import socket
import struct
import threading
import time

from .namespaces import inside

ARRIVES = 5.0  # seconds until what should arrive counts as lost; emulated kernels pause now and then
TCP_TIMEOUT = 8.0  # for all of it; a healthy transfer takes a third of a second, a black hole has no end
BULK = os.urandom(1 << 20)
PORT = 7000
UDP_SEGMENT = 103  # linux/udp.h


class FailedError(Exception):
    """What was to happen did not; the message says what did."""


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _socket(namespace: str, address: str, kind: socket.SocketKind, port: int = 0) -> socket.socket:
    with inside(namespace):
        made = socket.socket(_family(address), kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    return made


def receiver(namespace: str, address: str) -> socket.socket:
    """A socket for datagrams to an address."""
    return _socket(namespace, address, socket.SOCK_DGRAM, PORT)


def send(namespace: str, source: str, destination: str, message: bytes, count: int = 1) -> None:
    """Datagrams that nobody waits for here."""
    with _socket(namespace, source, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(message, (destination, PORT))


def ping(namespace: str, source: str, destination: str, limit: float = ARRIVES) -> None:
    """An ICMP echo that must be answered. Repeated: the first may wait for a neighbour of the router."""
    six = ":" in destination
    protocol = socket.getprotobyname("ipv6-icmp" if six else "icmp")
    with inside(namespace):
        sender = socket.socket(_family(destination), socket.SOCK_DGRAM, protocol)
    with sender:
        sender.bind((source, 0))
        until = time.monotonic() + limit
        sequence = 0
        sent = set()  # an answer may be to an earlier one
        while time.monotonic() < until:
            sequence += 1
            sent.add(payload := os.urandom(1000))
            sender.sendto(struct.pack("!BBHHH", 128 if six else 8, 0, 0, 0, sequence) + payload, (destination, 0))
            if select.select([sender], [], [], min(1.0, limit))[0] and sender.recv(2048)[8:] in sent:
                return
    raise FailedError(f"no answer from {destination} to {sequence} echo requests of {source}")


def udp(source_namespace: str, source: str, namespace: str, destination: str) -> None:
    """Datagrams of several sizes in one direction: the largest are the path's limit and two fragments."""
    limit = 1400 - (48 if ":" in source else 28)
    messages = [os.urandom(size) for size in (1, 64, 1000, limit, 3000)]
    with (
        _socket(namespace, destination, socket.SOCK_DGRAM, PORT) as receiver,
        _socket(source_namespace, source, socket.SOCK_DGRAM) as sender,
    ):
        for message in messages:
            sender.sendto(message, (destination, PORT))
            if not select.select([receiver], [], [], ARRIVES)[0]:
                raise FailedError(f"a datagram of {len(message)} bytes from {source} did not reach {destination}")
            data, origin = receiver.recvfrom(65536)
            if data != message:
                raise FailedError(f"a datagram of {len(message)} bytes from {source} arrived changed")
            if origin[0] != source:
                raise FailedError(f"a datagram from {source} arrived as from {origin[0]}")


def udp_segments(source_namespace: str, source: str, namespace: str, destination: str) -> None:
    """One send that the kernel cuts into datagrams (UDP_SEGMENT, what QUIC servers do), the last one shorter."""
    message = os.urandom(9 * 1000 + 500)
    with (
        _socket(namespace, destination, socket.SOCK_DGRAM, PORT) as receiver,
        _socket(source_namespace, source, socket.SOCK_DGRAM) as sender,
    ):
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
        sender.sendto(message, (destination, PORT))
        for start in range(0, len(message), 1000):
            if not select.select([receiver], [], [], ARRIVES)[0]:
                raise FailedError(f"of {len(message)} bytes in datagrams of 1000 from {source}, {start} arrived")
            if receiver.recv(65536) != message[start : start + 1000]:
                raise FailedError(f"the datagram at {start} of a segmented send from {source} arrived changed")


def tcp(source_namespace: str, source: str, namespace: str, destination: str) -> None:
    """One megabyte in one direction, checked by its hash."""
    got: list[str] = []

    def receive(connection: socket.socket) -> None:
        digest = hashlib.sha256()
        with connection:
            try:
                while data := connection.recv(1 << 16):
                    digest.update(data)
                got.append(digest.hexdigest())
            except OSError as why:
                got.append(f"the receiver failed: {why}")

    with (
        _socket(namespace, destination, socket.SOCK_STREAM, PORT) as listener,
        _socket(source_namespace, source, socket.SOCK_STREAM) as sender,
    ):
        listener.listen()
        listener.settimeout(ARRIVES)
        sender.settimeout(ARRIVES)
        try:
            sender.connect((destination, PORT))
            connection, _ = listener.accept()
        except TimeoutError:
            raise FailedError(f"no TCP connection from {source} to {destination}") from None
        connection.settimeout(TCP_TIMEOUT)
        sender.settimeout(TCP_TIMEOUT)
        receiver = threading.Thread(target=receive, args=(connection,))
        receiver.start()
        try:
            sender.sendall(BULK)
            sender.shutdown(socket.SHUT_WR)
        except OSError as why:
            got.append(f"the sender failed: {why}")
        receiver.join(TCP_TIMEOUT)
    if not got or got[0] != hashlib.sha256(BULK).hexdigest():
        raise FailedError(
            f"{len(BULK)} bytes over TCP from {source} to {destination}: {got[0] if got else 'they stalled'}"
        )


class Silence:
    """Datagrams that must not arrive: sent now, checked later, so that many of them share one wait."""

    def __init__(self, source_namespace: str, source: str, namespace: str, destination: str) -> None:
        self._receiver = receiver(namespace, destination)
        self._sentence = f"a datagram from {source} reached {destination}"
        send(source_namespace, source, destination, b"nobody is to read this", count=3)

    def validate(self) -> None:
        """Call it when anything that was to arrive would have arrived."""
        with self._receiver:
            if select.select([self._receiver], [], [], 0)[0]:
                raise FailedError(self._sentence)
