"""Telling systemd how a service stands (man 3 sd_notify), where it asks to be told."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

VARIABLE = "NOTIFY_SOCKET"
READY, STOPPING = "READY=1", "STOPPING=1"


def notify(*words: str, status: str = "") -> None:
    """Send assignments and what the service does now, one line. Nothing happens where nobody asks, or nobody hears."""
    path = os.environ.get(VARIABLE, "")
    if not path:
        return
    lines = [*words, *([f"STATUS={status.splitlines()[0]}"] if status else [])]
    address = f"\0{path[1:]}" if path.startswith("@") else path
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto("\n".join(lines).encode(), address)
