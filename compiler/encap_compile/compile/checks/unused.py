"""What is declared and never used: often the trace of a mistake."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.diagnostics import Findings, Place
from ..resolved.attributing import attributing_rules
from ..resolved.matches import matches
from ..resolved.values import row_fields, uses
from ..spec import Addresses, Reference, Spec, TableField


def check(spec: Spec, findings: Findings) -> None:
    """W311 host values, W312 encapsulations, W313 tables, W314 sets, W315 fields of tables, W515 the cgroup."""
    host = set(_host_names(spec))
    for value in spec.host.values():
        if value.name not in host:
            _say("W311", f"host value {value.name}", value.place, findings)
    if spec.cgroup is not None and not attributing_rules(spec):
        words = "no rule asks for sockets or cgroups, so nothing is attached to a cgroup"
        findings.warning("W515", words, spec.cgroup.place, "leave `cgroup` out, or write a rule with `socket`")
    taken = {name for t in spec.endpoints.values() for name in t.encapsulations}
    taken |= {rule.decapsulate for rule in spec.ingress.rules}
    taken |= {rule.reflect.encapsulation for rule in spec.egress.rules if rule.reflect and rule.reflect.encapsulation}
    for encapsulation in spec.encapsulations.values():
        if encapsulation.name not in taken:
            _say("W312", f"encapsulation {encapsulation.name}", encapsulation.place, findings)
    sets = set(_set_names(spec))
    for named in spec.sets.values():
        if named.name not in sets:
            _say("W314", f"set {named.name}", named.place, findings)
    _tables(spec, findings)


def _say(code: str, what: str, place: Place, findings: Findings) -> None:
    findings.warning(code, f"{what} is never used", place, "use it or delete it")


def _host_names(spec: Spec) -> Iterator[str]:
    yield from (reference.path[0] for reference in spec.attach)
    if isinstance(spec.cgroup, Reference):
        yield spec.cgroup.path[0]
    yield from (value.default[0] for value in spec.host.values() if value.default)
    for encapsulation in spec.encapsulations.values():
        yield from (v.path[0] for *_, v in uses(encapsulation) if isinstance(v, Reference) and v.root == "host")
    for rule in spec.ingress.rules:
        if isinstance(rule.set_mark, Reference) and rule.set_mark.root == "host":
            yield rule.set_mark.path[0]


def _set_names(spec: Spec) -> Iterator[str]:
    for _, match in matches(spec):
        for addresses in (match.destination, match.source):
            yield from addresses.sets if addresses else ()
    for rule in spec.ingress.rules:
        if isinstance(rule.source, Addresses):
            yield from rule.source.sets


def _tables(spec: Spec, findings: Findings) -> None:
    targets = {target.table for rule in spec.egress.rules for target in rule.targets}
    lookups = {rule.lookup for rule in spec.ingress.rules if rule.lookup}
    sources = {(s.table, s.field) for s in (r.source for r in spec.ingress.rules) if isinstance(s, TableField)}
    marks = {
        (rule.lookup, rule.set_mark.path[0])
        for rule in spec.ingress.rules
        if isinstance(rule.set_mark, Reference) and rule.set_mark.root == "endpoint"
    }
    for table in spec.endpoints.values():
        if table.name not in targets | lookups | {name for name, _ in sources}:
            _say("W313", f"table {table.name}", table.place, findings)
            continue
        used: set[str] = set()
        for name in table.encapsulations:
            if name in spec.encapsulations:
                used |= row_fields(spec.encapsulations[name]).keys()
        for field in table.fields if len(table.fields) > 1 else ():  # the only one cannot be left out
            if field not in used and not {(table.name, field)} & (sources | marks):
                _say("W315", f"field {field} of table {table.name}", table.places[f"fields.{field}"], findings)
