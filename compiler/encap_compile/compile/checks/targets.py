"""What `to` names: tables with an encapsulation, and rows that are there."""

from __future__ import annotations

from collections.abc import Mapping

from ...common.diagnostics import Findings
from ...common.rows import EncodedRows
from ...common.suggest import did_you_mean
from ...common.value_names import PROTOCOLS_WITH_PORTS
from ..resolved import Resolved, Target
from ..spec import EgressRule, RowTarget, Spec, Table


def check(spec: Spec, findings: Findings) -> None:
    """E303 table, E304 row, E506 and E507 row of a keyed table and the reverse, E508 no encapsulation, E525, W512."""
    for rule in spec.egress.rules:
        for to in rule.targets:
            table = spec.endpoints.get(to.table)
            if table is None:
                help = did_you_mean(to.table, spec.endpoints, "declare it under `endpoints:`")
                findings.error("E303", f"there is no table `{to.table}`", to.place, help)
            elif rule.socket:
                _validate_choice(rule, to, table, findings)
            else:
                _validate(rule, to, table, findings)


def _validate_choice(rule: EgressRule, to: RowTarget, table: Table, findings: Findings) -> None:
    """A row that a socket may choose: by its name, so of a table without a key."""
    _encapsulated(rule, to, table, findings)
    if table.key:
        words = f"table {table.name} has a key, and sockets choose rows by their names"
        help = "let sockets choose from a table without `key`; its rows have names"
        findings.error("E540", words, to.place, help, related=((table.place, "the table"),))
    elif to.row is not None and table.file is None:
        row_there(table.name, to, row_names(table), findings)


def row_names(table: Table) -> list[str]:
    """Of the rows in the spec."""
    return [str(row.cells["name"].value) for row in table.rows if "name" in row.cells]


def _encapsulated(rule: EgressRule, to: RowTarget, table: Table, findings: Findings) -> None:
    if not table.encapsulations:
        help = "add `encapsulation: NAME` to the table: the row chooses how it is reached"
        related = ((table.place, "the table"),)
        words = f"rule {rule.name} sends to table {table.name}, which has no encapsulation"
        findings.error("E508", words, to.place, help, related=related)


def _validate(rule: EgressRule, to: RowTarget, table: Table, findings: Findings) -> None:
    _encapsulated(rule, to, table, findings)
    if any(word.endswith("_port") for word in table.key) and not _all_have_ports(rule):
        words = f"rule {rule.name} sends packets without ports to table {table.name}, which is keyed by ports"
        help = (
            f"add `protocol: [tcp, udp]` to the match; for others, as ICMP, there is no row (on_miss: {rule.on_miss})"
        )
        findings.warning("W512", words, to.place, help)
    if any(word.startswith("received.") for word in table.key):
        words = f"table {table.name} is keyed by a received field, which an outgoing packet does not have"
        findings.error("E525", words, to.place, "send to a table keyed by match words, or to a row by name")
    elif table.key and to.row is not None:
        words = f"table {table.name} has a key, so the packet chooses its row"
        findings.error("E506", words, to.place, f"write `to: {table.name}`")
    elif not table.key and to.row is None:
        names = row_names(table)
        help = f"write `to: {table.name}/{names[0] if names else 'ROW'}`, or give the table a `key`"
        findings.error("E507", f"table {table.name} has no key to find a row by", to.place, help)
    elif to.row is not None and table.file is None:
        row_there(table.name, to, row_names(table), findings)


def _all_have_ports(rule: EgressRule) -> bool:
    return bool(rule.match.protocol) and PROTOCOLS_WITH_PORTS.issuperset(rule.match.protocol)


def check_rows(resolved: Resolved, rows: Mapping[str, EncodedRows], findings: Findings) -> None:
    """E304 for rows in files."""
    chosen = [rule.choose for rule in resolved.connect if rule.choose]
    for to in [*chosen, *(target for rule in resolved.egress for target in rule.targets)]:
        if to.row is not None and to.table.name in rows:
            row_there(to.table.name, to, rows[to.table.name].names, findings)


def row_there(table: str, to: RowTarget | Target, names: object, findings: Findings) -> None:
    """E304."""
    known = list(names)  # type: ignore[call-overload]
    if to.row not in known:
        help = did_you_mean(to.row or "", known[:10000], f"add it to the rows of {table}")
        findings.error("E304", f"table {table} has no row `{to.row}`", to.place, help)
