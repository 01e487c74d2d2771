"""What a rule matches as a set of packets: a box, one set of ranges for each word, any value where a word is missing.

Compared are boxes of rules of different bundles: whether a packet can meet both, and whether one leaves nothing over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from ...common.manifest import RuleSummary
from ...common.record import Record

Range = tuple[int, int]  # first and last
Ranges = tuple[Range, ...]  # ascending, apart from each other
ADDRESSES = ("destination", "source")
NUMBERS = ("protocol", "destination_port", "source_port", "dscp", "mark")
_FAMILY = 128  # bits: an address is a number behind its family


class Box(Record):
    """`words` holds ranges by word. `cgroups` are paths from the root of the hierarchy, None for any."""

    words: dict[str, Ranges] = field(default_factory=dict)
    cgroups: frozenset[str] | None = None

    def meets(self, other: Box) -> Box | None:
        """The packets that are in both; None if there is none."""
        words = dict(self.words)
        for word, ranges in other.words.items():
            words[word] = _both(words[word], ranges) if word in words else ranges
            if not words[word]:
                return None
        cgroups = self.cgroups if other.cgroups is None else other.cgroups
        if self.cgroups is not None and other.cgroups is not None:
            inner = {a for a in self.cgroups for b in other.cgroups if _within(a, b)}
            cgroups = frozenset(inner | {b for b in other.cgroups for a in self.cgroups if _within(b, a)})
            if not cgroups:
                return None
        return Box(words, cgroups)

    def covers(self, other: Box) -> bool:
        """Whether all packets of the other are in this one."""
        for word, ranges in self.words.items():
            if word not in other.words or _both(ranges, other.words[word]) != other.words[word]:
                return False
        if self.cgroups is None:
            return True
        return other.cgroups is not None and all(any(_within(b, a) for a in self.cgroups) for b in other.cgroups)

    @property
    def families(self) -> set[int]:
        """The IP versions of its packets."""
        found = {4, 6}
        for word in ADDRESSES:
            if word in self.words:
                found &= {low >> _FAMILY for low, _ in self.words[word]}
        return found

    def narrowed(self, destinations: Ranges) -> Box | None:
        """Those packets of it that go to some destinations."""
        return self.meets(Box({"destination": destinations}))

    def text(self) -> str:
        """For people: where it goes, as far as that is short."""
        if "destination" not in self.words:
            return "packets to any destination"
        shown = [_address_text(r) for r in self.words["destination"][:3]]
        more = len(self.words["destination"]) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def box_of(rule: RuleSummary, cgroup: str) -> Box:
    """The box of a rule; `cgroup` is the attached one, below which its paths are."""
    words: dict[str, Ranges] = {}
    for word in ADDRESSES:
        texts = rule.match.get(word, ()) or (rule.destinations if word == "destination" else ())
        if texts:
            words[word] = prefixes(texts)
    for word in NUMBERS:
        if word in rule.match:
            pairs = (text.partition("-") for text in rule.match[word])
            words[word] = _apart((int(first), int(last or first)) for first, _, last in pairs)
    paths = rule.match.get("cgroup")
    return Box(words, frozenset(f"{cgroup.rstrip('/')}/{p}".rstrip("/") or "/" for p in paths) if paths else None)


def prefixes(texts: Iterable[str | IPv4Network | IPv6Network]) -> Ranges:
    """Prefixes as ranges."""
    return _apart(_prefix(ip_network(text)) for text in texts)


def only(box: Box, word: str, numbers: Sequence[int]) -> Box:
    """The box with one more word."""
    return replace(box, words={**box.words, word: _apart((n, n) for n in numbers)})


def _prefix(network: IPv4Network | IPv6Network) -> Range:
    family = network.version << _FAMILY
    return family + int(network.network_address), family + int(network.broadcast_address)


def _address_text(ends: Range) -> str:
    version = ends[0] >> _FAMILY
    first, last = ((n & ((1 << _FAMILY) - 1)) for n in ends)
    size = last - first + 1
    low = ip_address(first) if version == 4 else ip_address(first.to_bytes(16, "big"))
    high = ip_address(last) if version == 4 else ip_address(last.to_bytes(16, "big"))
    if size & (size - 1) == 0 and first % size == 0:
        return f"{low}/{low.max_prefixlen - size.bit_length() + 1}"
    return f"{low}-{high}"


def _apart(ranges: Iterable[Range]) -> Ranges:
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def _both(some: Ranges, others: Ranges) -> Ranges:
    found, i, j = [], 0, 0
    while i < len(some) and j < len(others):
        first, last = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if first <= last:
            found.append((first, last))
        if some[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def _within(path: str, around: str) -> bool:
    return around == "/" or path == around or path.startswith(f"{around}/")
