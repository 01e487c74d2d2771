"""What a bundle requires of the loader: features by name, in the manifest's `requires`.

A loader ignores members of a manifest that it does not know. So whatever a loader has to act on, or the bundle would
not do what its spec says, is a feature as well: an older loader finds a name that it does not know, and refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .manifest import Manifest

FIRST = "0.2.0"  # the first release that reads `requires`


def _asks_for(manifest: Manifest, word: str) -> bool:
    """Whether programs ask the loader for what only it knows; members of host values begin with `value_`."""
    return any(m.source == word == m.member.name for m in manifest.host_members)


class Feature(NamedTuple):
    """`since` is the first release of encapctl that has it; `used` says whether a bundle needs it."""

    since: str
    used: Callable[[Manifest], bool]


FEATURES = {
    # The prefixes of rules have no route until apply.
    "boot-closed": Feature("0.1.0", lambda m: m.boot == "closed"),
    # Programs go to cgroups, whose numbers are looked up on the machine and follow them as they come and go.
    "cgroups": Feature("0.1.0", lambda m: bool(m.cgroup)),
    # The counters stand in several entries of their map.
    "counter-entries": Feature("0.2.0", lambda m: m.counters_entries > 1),
    # Programs look up routes, as from a device that the loader names.
    "next-hop": Feature("0.2.0", lambda m: _asks_for(m, "lookup_ifindex")),
    # Devices that switch the kernel's GRO on for received tunnel packets are made, and go with the bundle.
    "gro-device": Feature("0.2.0", lambda m: m.gro == "device"),
    # Prefixes are routed to a device that the loader makes.
    "route-device": Feature("0.2.0", lambda m: m.route_device is not None),
    # What sockets have chosen is in a map that outlives every version of the bundle.
    "sockets": Feature("0.1.0", lambda m: bool(m.sockets)),
}


def required(manifest: Manifest) -> tuple[tuple[str, ...], str]:
    """The features that a bundle requires, and the oldest release that can apply it."""
    names = tuple(sorted(name for name, feature in FEATURES.items() if feature.used(manifest)))
    return names, max((FIRST, *(FEATURES[name].since for name in names)), key=_numbers)


def unknown(names: Iterable[str]) -> list[str]:
    """Those of `names` that this release does not know."""
    return [name for name in names if name not in FEATURES]


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))
