"""Packets and sockets as the command line describes them: words as in a test, `KEY=VALUE` with spaces between."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit
from ..spec_tests import TestPacket, Word

WORDS = (
    *("source", "destination", "protocol", "source_port", "destination_port", "dscp", "ecn", "ttl", "df", "mark"),
    *("length", "fragment", "cgroup", "chose"),
)
NUMBERS = {
    "source_port": (0, 65535),
    "destination_port": (0, 65535),
    "ecn": (0, 3),
    "df": (0, 1),
    "ttl": (0, 255),
    "length": (20, 9000),
}
CONNECTING = ("destination", "protocol", "destination_port", "mark", "cgroup")
_USE = "words are separated by spaces: source=10.0.0.5 destination=10.1.0.9 protocol=tcp destination_port=443"
_CONNECTS = "words are separated by spaces: destination=198.51.100.25 destination_port=25 cgroup=team.slice"


def packet_words(text: str) -> TestPacket:
    """A packet that --packet describes. Raises DiagnosedError (T131)."""
    words: dict[str, Word] = {}
    received: dict[str, Word] = {}
    encapsulation = None
    for part in text.split():
        key, equals, value = part.partition("=")
        word = Word(int(value) if value.isdecimal() and len(value) < 20 else value)
        if not equals or not value or not (key in WORDS or "." in key or key == "encapsulation"):
            raise _usage(f"--packet: `{part}` is no word of a packet", _USE)
        if key in words or key in received or (key == "encapsulation" and encapsulation):
            raise _usage(f"--packet: `{key}` is given twice", "say it once")
        if key == "encapsulation":
            encapsulation = word
        elif "." in key:
            received[key] = Word(value)  # digits may be bytes
        else:
            words[key] = word
    if not {"source", "destination"} <= set(words):
        raise _usage("--packet: a packet has a source and a destination", _USE)
    _check_numbers("--packet", words, _USE)
    if "fragment" in words and words["fragment"].value not in ("first", "later"):
        raise _usage(f"--packet: fragment={words['fragment'].value}", "a fragment is `first` or `later`")
    if encapsulation and {"cgroup", "chose"} & set(words):
        raise _usage("--packet: a packet that arrives has no socket yet", "leave `cgroup` and `chose` out")
    return TestPacket(MappingProxyType(words), encapsulation, MappingProxyType(received))


def socket_words(text: str) -> TestPacket:
    """A socket that --connects describes. Raises DiagnosedError (T131)."""
    words: dict[str, Word] = {}
    for part in text.split():
        key, equals, value = part.partition("=")
        if not equals or not value or key not in CONNECTING:
            raise _usage(f"--connects: `{part}` is no word of a socket that connects", _CONNECTS)
        if key in words:
            raise _usage(f"--connects: `{key}` is given twice", "say it once")
        words[key] = Word(int(value) if value.isdecimal() and len(value) < 20 else value)
    if "destination" not in words:
        raise _usage("--connects: a socket connects to a destination", _CONNECTS)
    _check_numbers("--connects", words, _CONNECTS)
    return TestPacket(MappingProxyType(words), None, MappingProxyType({}))


def _check_numbers(option: str, words: Mapping[str, Word], help: str) -> None:
    for key, (least, most) in NUMBERS.items():
        number = words[key].value if key in words else least
        if not isinstance(number, int) or not least <= number <= most:
            raise _usage(f"{option}: {key}={number} is no number from {least} to {most}", help)


def _usage(words: str, help: str) -> DiagnosedError:
    return DiagnosedError([Diagnostic("T131", words, help=help)], Exit.USAGE)
