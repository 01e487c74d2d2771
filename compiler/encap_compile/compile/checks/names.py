"""Names are unique where it matters, and still so as C identifiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...common.diagnostics import Findings, Place
from ...common.fnv import fnv1a
from ..identifiers import c_name, member_name
from ..spec import Spec


def check(spec: Spec, findings: Findings) -> None:
    """E308 two rules of one name, E309 names that differ in `-` and `_` only, E313 and E314 what rules were called
    before, E580 names of one hash."""
    rules = [(rule.name, rule.place) for rule in spec.egress.rules]
    rules += [(rule.name, rule.place) for rule in spec.connect]
    rules += [(rule.name, rule.place) for rule in spec.ingress.rules]
    seen: dict[str, Place] = {}
    for name, place in rules:
        if name in seen:
            words = f"two rules are called {name}"
            related = ((seen[name], "the first"),)
            findings.error("E308", words, place, "rename one: counters carry the rule's name", related=related)
        seen.setdefault(name, place)
    _validate("rules", seen.items(), findings)
    _former(spec, seen, findings)
    _validate("host values", ((h.name, h.place) for h in spec.host.values()), findings)
    _validate("sets", ((s.name, s.place) for s in spec.sets.values()), findings)
    _validate("encapsulations", ((e.name, e.place) for e in spec.encapsulations.values()), findings)
    _validate("tables", ((t.name, t.place) for t in spec.endpoints.values()), findings)
    _told_apart_by_hash("tables", ((t.name, t.place) for t in spec.endpoints.values()), findings)
    _told_apart_by_hash("rules", seen.items(), findings)
    stacks = ((member_name(e.name), e.place) for e in spec.encapsulations.values())
    _told_apart_by_hash("encapsulations", stacks, findings)
    headers = [use for encapsulation in spec.encapsulations.values() for use in encapsulation.headers]
    for header in dict.fromkeys(use.name for use in headers):
        options = [o for use in headers if use.name == header for o in use.options]
        _validate(f"options of {header}", ((o.name, o.place) for o in options), findings)
    for table in spec.endpoints.values():
        _validate(f"fields of {table.name}", ((f, table.places[f"fields.{f}"]) for f in table.fields), findings)


def _former(spec: Spec, present: Mapping[str, Place], findings: Findings) -> None:
    """Totals are known by names of counters, where `-` and `_` are one."""
    counted = {c_name(name): (name, place) for name, place in present.items()}
    claimed: dict[str, Place] = {}
    for was in (rule.was for rule in spec.rules if rule.was):
        identifier = c_name(was.name)
        if identifier in counted:
            name, place = counted[identifier]
            words = f"`was: {was.name}` is the name of a rule that still exists and keeps its totals"
            fix = f"leave `was` out, or rename the rule {name}"
            findings.error("E313", words, was.place, fix, related=((place, "this rule"),))
        elif identifier in claimed:
            words = f"two rules continue the totals of {was.name}"
            fix = "leave `was` out of one: it starts at 0"
            findings.error("E314", words, was.place, fix, related=((claimed[identifier], "the first"),))
        claimed.setdefault(identifier, was.place)


def _told_apart_by_hash(what: str, named: Iterable[tuple[str, Place]], findings: Findings) -> None:
    """Maps and sockets know them by FNV-1a: the same in every version of a spec, whatever else comes and goes."""
    seen: dict[int, tuple[str, Place]] = {}
    for name, place in named:
        other, first = seen.setdefault(fnv1a(name), (name, place))
        if other != name:
            words = f"the {what} {other} and {name} have the same 32-bit hash"
            findings.error("E580", words, place, "rename one of them", related=((first, "the other"),))


def _validate(what: str, named: Iterable[tuple[str, Place]], findings: Findings) -> None:
    seen: dict[str, tuple[str, Place]] = {}
    for name, place in named:
        identifier = c_name(name)
        if identifier in seen and seen[identifier][0] != name:
            other, first = seen[identifier]
            words = f"the {what} {other} and {name} are both `{identifier}` in C"
            findings.error("E309", words, place, "rename one of them", related=((first, "the other"),))
        seen.setdefault(identifier, (name, place))
