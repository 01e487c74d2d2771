"""Which fields differ between the segments of a GSO packet: only the kernel, which cuts them, can write these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .model import InternetChecksum, Length, Scope, Word


class PerSegment(NamedTuple):
    """The fields of a header that have another value in each segment of a GSO packet."""

    lengths: tuple[str, ...] = ()
    checksums: tuple[str, ...] = ()


def per_segment(words: Sequence[Word]) -> PerSegment:
    """Of a header with these `words`.

    A length of what follows differs; a checksum does if it covers what follows, or such a length in the header.
    """
    roles = {f.name: f.role for word in words for f in word.fields}
    lengths = [name for name, r in roles.items() if isinstance(r, Length) and r.extent in ("datagram", "payload")]
    checksums = [
        name
        for name, role in roles.items()
        if isinstance(role, InternetChecksum) and (lengths or role.scope is not Scope.HEADER)
    ]
    return PerSegment(tuple(lengths), tuple(checksums))
