"""What differs between two runs of the same command: a listing keeps the one that it has."""

from __future__ import annotations

import os
import re
import socket
from difflib import SequenceMatcher

# What another moment, machine or kernel prints otherwise.
VARYING = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?Z?",
        r"\b\d+(\.\d+)? ?(s|ms|us|seconds)\b",
        r"rtt min/avg/max/mdev = .*",
        r"\b(program|id) \d+",
        r"\bon \S+, kernel [^\s:,]+",
        r"\bcookie \d+",
        r"net:\[\d+\]",
    )
)
ARP = re.compile(r"egress_other +\d+ packets +\d+ bytes")  # which the kernel repeats when it likes; columns stay
# What another version of the compiler prints otherwise. The page gets the new one, but is not stale by that alone.
HASH = re.compile(r"\b[0-9a-f]{8}(?:[0-9a-f]{8})?\b")


def masked(line: str, hashes: bool = True) -> str:
    """The line without what varies; `hashes`: without hashes too."""
    for pattern in VARYING:
        line = pattern.sub("~", line)
    line = ARP.sub(lambda found: "~" * len(found[0]), line)
    line = HASH.sub("~", line) if hashes else line
    return line.rstrip()


def merged(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """The new lines, but the old one wherever both say the same. Doing it twice changes nothing."""
    result: list[str] = []
    before, after = [masked(line, hashes=False) for line in old], [masked(line, hashes=False) for line in new]
    for kind, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        result += old[i:j] if kind == "equal" else [_anonymous(line) for line in new[k:m]]
    return tuple(result)


def same(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """A reader would see the same."""
    return [masked(line) for line in old] == [masked(line) for line in new]


def _anonymous(line: str) -> str:
    host, release = socket.gethostname(), os.uname().release
    return line.replace(f"on {host}, kernel {release}", f"on host-1, kernel {release.partition('-')[0]}").rstrip()
