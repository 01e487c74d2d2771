"""Which fields differ between the segments of a GSO packet: only the kernel, which cuts them, can write these."""

from __future__ import annotations

from collections.abc import Sequence

from .model import InternetChecksum, Length, Word


def per_segment(words: Sequence[Word]) -> tuple[str, ...]:
    """The fields of a header, whose `words` these are, that have another value in each segment of a GSO packet.

    A length of what follows has one; and a checksum over the header does where it covers such a length.
    """
    roles = {f.name: f.role for word in words for f in word.fields}
    lengths = [name for name, r in roles.items() if isinstance(r, Length) and r.extent in ("datagram", "payload")]
    sums = [name for name, role in roles.items() if isinstance(role, InternetChecksum)]
    return (*lengths, *(sums if lengths else ()))
