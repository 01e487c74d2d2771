"""`format_version` of a document that outlives the release that wrote it: `MAJOR.MINOR`.

Another minor version has members that this release does not know and may ignore; another major one must not be read.
The first two releases wrote a whole number, which is the major version alone.
"""

from __future__ import annotations

import re

from .structured import MalformedError

_WORD = re.compile(r"(?P<major>0|[1-9][0-9]{0,5})\.(?P<minor>0|[1-9][0-9]{0,5})")
_MOST = 999_999


def read(value: object, where: str) -> tuple[int, int]:
    """Major and minor version. Raises MalformedError for anything else."""
    if type(value) is int and 0 <= value <= _MOST:
        return value, 0
    match = _WORD.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise MalformedError(f"{where}.format_version: a text MAJOR.MINOR is expected")
    return int(match["major"]), int(match["minor"])


def text(version: tuple[int, int]) -> str:
    """As it is written."""
    return f"{version[0]}.{version[1]}"
