"""The family of a row's outer address decides its headers: it is read from one field of the row."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ..spec import Reference, Spec, Table


def check(spec: Spec, findings: Findings) -> None:
    """E429."""
    for table in spec.endpoints.values():
        found: dict[str, str] = {}
        for name in table.encapsulations:
            field = _either_family(spec, table, name)
            if field:
                found.setdefault(field, name)
        if len(found) > 1:
            said = " and ".join(f"{name} from {field}" for field, name in found.items())
            words = f"encapsulations of table {table.name} take the outer destination from several fields: {said}"
            help = "let them share one field of type `ip`, or give those that have one family the type `ipv4` or `ipv6`"
            findings.error("E429", words, table.place, help)


def _either_family(spec: Spec, table: Table, name: str) -> str:
    """The field that an encapsulation takes an outer destination of either family from; empty if there is none."""
    encapsulation = spec.encapsulations.get(name)
    if encapsulation is None or not encapsulation.headers or encapsulation.headers[0].name != "ip":
        return ""
    value = encapsulation.headers[0].values.get("destination")
    if not isinstance(value, Reference) or value.root != "endpoint" or len(value.path) != 1:
        return ""
    return value.path[0] if table.fields.get(value.path[0]) == "ip" else ""
