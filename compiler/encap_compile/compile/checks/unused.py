"""What is declared and never used: often the trace of a mistake."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.diagnostics import Findings, Place
from ..resolved import HostReference, Resolved, RowField, Table
from ..resolved.matches import matches
from ..resolved.values import row_fields
from ..spec import Addresses, Reference


def check(resolved: Resolved, findings: Findings) -> None:
    """W311 host values, W312 encapsulations, W313 tables, W314 sets, W315 fields of tables, W515 the cgroup."""
    spec = resolved.spec
    host = set(_host_names(resolved))
    for value in spec.host.values():
        if value.name not in host:
            _say("W311", f"host value {value.name}", value.place, findings)
    if spec.cgroup is not None and not resolved.attributing:
        words = "no rule asks for sockets or cgroups, so nothing is attached to a cgroup"
        findings.warning("W515", words, spec.cgroup.place, "leave `cgroup` out, or write a rule with `socket`")
    taken = {name for table in spec.endpoints.values() for name in table.encapsulations}
    for encapsulation in resolved.encapsulations.values():
        if not encapsulation.used and encapsulation.name not in taken:
            _say("W312", f"encapsulation {encapsulation.name}", encapsulation.written.place, findings)
    sets = set(_set_names(resolved))
    for named in spec.sets.values():
        if named.name not in sets:
            _say("W314", f"set {named.name}", named.place, findings)
    for written in spec.endpoints.values():
        if written.name in resolved.tables:
            _fields(resolved, resolved.tables[written.name], findings)
        else:
            _say("W313", f"table {written.name}", written.place, findings)


def _say(code: str, what: str, place: Place, findings: Findings) -> None:
    findings.warning(code, f"{what} is never used", place, "use it or delete it")


def _host_names(resolved: Resolved) -> Iterator[str]:
    spec = resolved.spec
    yield from (reference.path[0] for reference in spec.attach)
    if isinstance(spec.cgroup, Reference):
        yield spec.cgroup.path[0]
    yield from (value.default[0] for value in spec.host.values() if value.default)
    yield from (use.value.path[0] for encapsulation in resolved.encapsulations.values() for use in encapsulation.host)
    yield from (rule.mark.path[0] for rule in resolved.ingress if isinstance(rule.mark, HostReference))


def _set_names(resolved: Resolved) -> Iterator[str]:
    for _, match in matches(resolved.spec):
        for addresses in (match.destination, match.source):
            yield from addresses.sets if addresses else ()
    for rule in resolved.ingress:
        if isinstance(rule.source, Addresses):
            yield from rule.source.sets


def _fields(resolved: Resolved, table: Table, findings: Findings) -> None:
    used = {field for encapsulation in table.encapsulations for field in row_fields(encapsulation.written)}
    marks = (rule.mark for rule in resolved.ingress if isinstance(rule.mark, RowField))
    used |= {field.field for field in (*resolved.sources, *marks) if field.table.name == table.name}
    for field in table.fields if len(table.fields) > 1 else ():  # the only one cannot be left out
        if field not in used:
            _say("W315", f"field {field} of table {table.name}", table.written.places[f"fields.{field}"], findings)
