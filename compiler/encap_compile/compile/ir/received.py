"""What must be right in the headers of a packet that came in, and where something stands in them."""

from typing import NamedTuple

from .sources import ByInnerFamily, Source


class ReceivedField(NamedTuple):
    """A field of a received header: `bits` at `shift` of a word of `word_bits`."""

    layer: str
    word: str
    word_bits: int
    shift: int
    bits: int


class ReceivedOption(NamedTuple):
    """The data of an option that was read, `words` of 32 bits."""

    member: str
    words: int


class WordCheck(NamedTuple):
    """A word of a received header that must have a value. `mask` leaves out ignored bits (host order).

    `constant` and `mask_constant` are their names in the C; `mask_constant` is empty when every bit counts, `constant`
    when zero is expected. `fields` says which fields are compared, for people.
    """

    layer: str
    word: str
    bits: int
    mask: int
    expected: Source
    constant: str
    mask_constant: str
    fields: str
    reason: str


class LengthCheck(NamedTuple):
    """A received length, which must agree with the datagram's.

    It counts from the beginning of `layer`, or with `payload` from behind it.
    """

    layer: str
    word: str
    payload: bool


class ChecksumCheck(NamedTuple):
    """A checksum over a received header of `size` bytes, behind the outer one, that must be right."""

    layer: str
    size: int
    reason: str


class NamedByItself(NamedTuple):
    """No header names the inner packet: its own version does."""

    numbers: ByInnerFamily


class NamedByOuter(NamedTuple):
    """The outer IP header does, by its protocol."""

    numbers: ByInnerFamily


class NamedByField(NamedTuple):
    """The last header does. `tagged`: a priority tag may stand between it and the inner packet."""

    field: ReceivedField
    numbers: ByInnerFamily
    tagged: bool


InnerName = NamedByItself | NamedByOuter | NamedByField
