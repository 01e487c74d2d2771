"""Addresses that nobody can receive at: a tunnel endpoint, the destination of an inner frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...common.diagnostics import Findings
from ...common.rows import EncodedRows
from ...common.rows.destinations import outer, receiver, validate_outer, validate_receiver
from ...common.values import ValueProblem, parse
from ..headers.catalogue import FAMILIES
from ..resolved import Resolved
from ..resolved.values import uses
from ..spec import Encapsulation, Reference, Scalar, Spec, Value

OUTER, RECEIVER = "outer", "receiver"


def check(spec: Spec, findings: Findings) -> None:
    """E418, E420, E421, W426 and W427 for literals in encapsulations."""
    for encapsulation in spec.encapsulations.values():
        for role, kind, name, value in _destinations(encapsulation):
            if not isinstance(value, Scalar):
                continue
            try:
                packed = parse(kind, value.value)
            except ValueProblem:
                continue  # literals says what is wrong with it
            assert isinstance(packed, bytes)
            problem = outer(packed) if role == OUTER else receiver(packed)
            if problem is not None:
                say = findings.error if problem.code[0] == "E" else findings.warning
                say(problem.code, f"{name}: {problem.message}", value.place, problem.help)


def check_rows(resolved: Resolved, rows: Mapping[str, EncodedRows], findings: Findings) -> None:
    """The same for the fields of rows that encapsulations take them from."""
    for table in resolved.tables.values():
        taken: dict[tuple[str, str], list[str]] = {}
        for encapsulation in table.encapsulations:
            for role, _, _, value in _destinations(encapsulation.written):
                if isinstance(value, Reference) and value.root == "endpoint":
                    taken.setdefault((role, value.path[0]), []).append(encapsulation.name)
        for (role, field), names in taken.items():
            validate = validate_outer if role == OUTER else validate_receiver
            if table.name in rows:
                validate(rows[table.name], field, names, findings)


def _destinations(encapsulation: Encapsulation) -> Iterator[tuple[str, str, str, Value]]:
    """(role, value type, HEADER.FIELD, value) of every destination that a receiver must have."""
    for header, word, _, kind, value in uses(encapsulation):
        if word != "destination":
            continue
        if header is encapsulation.headers[0] and kind in ("ip", *FAMILIES):
            yield OUTER, kind, f"{header.name}.{word}", value
        elif kind == "mac":
            yield RECEIVER, kind, f"{header.name}.{word}", value
