"""The cgroups that rules name, and what for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

from ...common.record import Record
from .rules import ConnectRule, EgressRule


class Purpose(Enum):
    MATCHED = "rules match packets by it, or find rows by the cgroups below it"
    CHOOSING = "its sockets may choose rows"
    CONNECTING = "rows are chosen for its sockets when they connect"
    GUARDED = "packets of its sockets are kept from devices that are not attached"


class NamedCgroup(Record):
    """A cgroup by its path below the attached one, which is named by an empty path. `place` names it first."""

    path: str
    level: int  # below the attached one
    purposes: frozenset[Purpose]
    place: str


def resolve_cgroups(
    egress: Sequence[EgressRule], connect: Sequence[ConnectRule], guards: bool
) -> tuple[NamedCgroup, ...]:
    """By their paths: which rule is the first to name one moves none."""
    places: dict[str, str] = {}
    purposes: dict[str, set[Purpose]] = {}
    for path, purpose, place in (*_by_rules(egress), *_by_connecting(connect), *(_guarded(egress) if guards else ())):
        places.setdefault(path, place)
        purposes.setdefault(path, set()).add(purpose)
    return tuple(
        NamedCgroup(path, path.count("/") + 1 if path else 0, frozenset(purposes[path]), place)
        for path, place in sorted(places.items())
    )


def within(path: str, other: str) -> bool:
    """Whether a cgroup lies in another one."""
    return path != other and (not other or path.startswith(f"{other}/"))


def _by_rules(egress: Sequence[EgressRule]) -> Iterator[tuple[str, Purpose, str]]:
    for rule in egress:
        for path in rule.match.cgroup or ("",):
            if rule.match.cgroup or rule.finds_by_cgroup:
                yield path, Purpose.MATCHED, rule.path
            if rule.socket:
                yield path, Purpose.CHOOSING, rule.path


def _by_connecting(connect: Sequence[ConnectRule]) -> Iterator[tuple[str, Purpose, str]]:
    """A rule that lets pass in all cgroups is asked where others choose: elsewhere there is nothing to keep it from."""
    chooses = any(rule.choose for rule in connect)
    for rule in connect:
        if rule.choose or rule.match.cgroup or not chooses:
            for path in rule.match.cgroup or ("",):
                yield path, Purpose.CONNECTING, rule.path


def _guarded(egress: Sequence[EgressRule]) -> Iterator[tuple[str, Purpose, str]]:
    """None within another, which would count twice."""
    named: dict[str, str] = {}
    for rule in egress:
        if rule.attributes and rule.encapsulates:
            for path in rule.match.cgroup or ("",):
                named.setdefault(path, rule.path)
    outermost = [path for path in named if not any(within(path, other) for other in named)]
    for place in dict.fromkeys(named[path] for path in outermost):
        yield from ((path, Purpose.GUARDED, place) for path in outermost if named[path] == place)
