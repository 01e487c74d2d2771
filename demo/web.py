"""The smallest web server there is: every connection gets one line, and knows nothing of tunnels."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.traffic import Host

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"


@contextmanager
def serving(host: Host, port: int = 80) -> Iterator[None]:
    """For the time of the block, at one address."""
    with host.namespace.socket(host.family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.address, port))
        listener.listen(64)
        thread = threading.Thread(target=_serve, args=(listener,))
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            thread.join()


def _serve(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(3)
            try:
                connection.recv(1024)
                connection.sendall(ANSWER)
            except OSError:
                continue


def fetch(client: Host, server: Host, port: int = 80, timeout: float = 2.0) -> bool:
    """Whether the whole answer came."""
    with client.namespace.socket(client.family, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.bind((client.address, 0))
            connection.connect((server.address, port))
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            found = b""
            while data := connection.recv(1024):
                found += data
        except OSError:
            return False
    return found == ANSWER
