"""Every known header, found by looking into `headers/protocols/`: adding a protocol is adding a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from . import protocols
from .model import Field, Header

# `ip` in a spec is ipv4 or ipv6, whichever the row's address is. These are the words it may set, and what each is
# called in the two headers.
IP_FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "source": {"ipv4": "source", "ipv6": "source"},
        "destination": {"ipv4": "destination", "ipv6": "destination"},
        "dscp": {"ipv4": "dscp", "ipv6": "dscp"},
        "ttl": {"ipv4": "ttl", "ipv6": "hop_limit"},
    }
)
FAMILIES = ("ipv4", "ipv6")


@cache
def headers() -> Mapping[str, Header]:
    """Headers by name, sorted by name."""
    found = {}
    for module in sorted(m.name for m in iter_modules(protocols.__path__)):
        header: Header = import_module(f"{protocols.__name__}.{module}").HEADER
        found[header.name] = header
    _tell_apart(found.values())
    return MappingProxyType(dict(sorted(found.items())))


def _tell_apart(known: Iterable[Header]) -> None:
    """A received packet's refusal is counted by a word's or field's `refusal`: two headers of one would share it."""
    said: dict[str, str] = {}
    for header in known:
        refusals = [w.refusal for w in header.words] + [f.refusal for f in header.fields()]
        for refusal in filter(None, refusals):
            if said.setdefault(refusal, header.name) != header.name:
                raise ValueError(f"{header.name}: {said[refusal]} has a refusal `{refusal}` already")


def resolve(name: str, family: str) -> Header:
    """The header that `name` stands for when the outer family is `family`. KeyError if there is none."""
    return headers()[family if name == "ip" else name]


def settable(name: str) -> dict[str, Field]:
    """The fields that a spec may set under `name`, `ip` included, by the word the spec uses."""
    if name != "ip":
        return headers()[name].settable()
    return {word: headers()["ipv4"].field(names["ipv4"]) for word, names in IP_FIELDS.items()}
