"""Mounts, as /proc/PID/mountinfo lists them."""

from __future__ import annotations

import re


def unescaped(text: str) -> str:
    r"""A field of mountinfo: space, tab, newline and backslash are written \040 and so on (man 5 proc)."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
