"""Rules of both directions."""

from __future__ import annotations

from collections.abc import Mapping
from re import compile as pattern
from types import MappingProxyType

from ...common.diagnostics import Findings
from ...common.documents.nodes import Node
from ...common.values import ValueProblem, duration
from ..spec import (
    ROOTS,
    Addresses,
    AddressSet,
    AnySource,
    ConnectRule,
    EgressRule,
    FormerName,
    IngressRule,
    Learn,
    Reflect,
    RowTarget,
    TableField,
)
from .describe import connect_text, egress_text, ingress_text
from .structure_values import build_addresses, build_match, build_value

_TABLE_FIELD = pattern(r"([a-z][a-z0-9_-]*)\.([a-z][a-z0-9_-]*)")


def egress_rules(
    nodes: list[Node], sets: Mapping[str, AddressSet], tables: Mapping[str, str], findings: Findings
) -> tuple[EgressRule, ...]:
    """In the order written (E304, E306, E4). `tables`: each with its first field that is an address, or ""."""
    found = []
    hints = _in_match(tables)
    for node in nodes:
        match = build_match(node.get("match"), sets, findings, hints)
        to, action, on_miss = node.get("to"), node.get("action"), node.get("on_miss")
        target = _target(to, findings) if to else None
        chosen = node.get("socket")
        rows = tuple(_target(item, findings) for item in chosen.each()) if chosen else ()
        word = action.value if action else None
        reflected = _reflect(node)
        miss = on_miss.value if on_miss else "drop"
        text = egress_text(match, target, rows, reflected, word, miss)
        name = node.value["name"]
        found.append(EgressRule(name.value, match, target, word, miss, name.place, text, reflected, rows, _was(node)))
    return tuple(found)


def connect_rules(
    nodes: list[Node], sets: Mapping[str, AddressSet], tables: Mapping[str, str], findings: Findings
) -> tuple[ConnectRule, ...]:
    """In the order written (E306, E330, E4). `tables` as in `egress_rules`."""
    found = []
    for node in nodes:
        match = build_match(node.get("match"), sets, findings, _in_match(tables))
        choose = node.get("choose")
        target = _target(choose, findings) if choose else None
        name = node.value["name"]
        found.append(ConnectRule(name.value, match, target, name.place, connect_text(match, target), _was(node)))
    return tuple(found)


def ingress_rules(
    nodes: list[Node], sets: Mapping[str, AddressSet], tables: Mapping[str, str], findings: Findings
) -> tuple[IngressRule, ...]:
    """In the order written (E306, E331, E4). `tables` as in `egress_rules`."""
    found = []
    hints = _in_match(tables)
    for node in nodes:
        match = build_match(node.get("match"), sets, findings, hints)
        source = _source(node.value["from"], sets, tables, findings)
        lookup, set_mark = node.get("lookup"), node.get("set_mark")
        value = build_value(set_mark, findings) if set_mark else None
        learn = _learn(node.get("learn"), findings)
        name, encapsulation = node.value["name"], node.value["decapsulate"].value
        places = {key: item.place for key, item in node.items()}
        found.append(
            IngressRule(
                name=name.value,
                decapsulate=encapsulation,
                source=source,
                match=match,
                lookup=lookup.value if lookup else None,
                set_mark=value,
                place=name.place,
                places=MappingProxyType(places),
                text=ingress_text(encapsulation, source, match, lookup.value if lookup else None, value, learn),
                learn=learn,
                was=_was(node),
            )
        )
    return tuple(found)


def _was(node: Node) -> FormerName | None:
    name = node.get("was")
    return FormerName(name.value, name.place) if name else None


def _reflect(node: Node) -> Reflect | None:
    rule, other = node.get("reflect"), node.get("with")
    if rule is None:
        return None
    return Reflect(rule.value, other.value if other else None, rule.place, other.place if other else rule.place)


def _learn(node: Node | None, findings: Findings) -> Learn | None:
    if node is None:
        return None
    idle = build_duration(node.value["idle"], findings)
    return Learn(node.value["for"].value, node.value["capacity"].value, idle, node.start)


def build_duration(node: Node, findings: Findings) -> int:
    """Nanoseconds (E4); 0 after an error."""
    try:
        return duration(node.value)
    except ValueProblem as problem:
        findings.error(problem.code, problem.message, node.place, problem.help)
        return 0


def _target(node: Node, findings: Findings) -> RowTarget:
    table, slash, row = node.value.partition("/")
    if not table or (slash and not row) or "/" in row:
        findings.error("E330", f"`{node.value}` names no table", node.place, "write `TABLE` or `TABLE/ROW`")
    return RowTarget(table, row if slash else None, node.place)


def _in_match(tables: Mapping[str, str]) -> Mapping[str, str]:
    return {name: f"`{name}` is a table; a match has prefixes and names of sets" for name in tables}


def _source(
    node: Node, sets: Mapping[str, AddressSet], tables: Mapping[str, str], findings: Findings
) -> Addresses | TableField | AnySource:
    if node.kind == "string" and node.value == "any":
        return AnySource(node.place)
    for item in node.each():
        named = _TABLE_FIELD.fullmatch(item.value)
        if named is None:
            continue
        table, field = named.groups()
        if table in ROOTS:
            help = "write `from: TABLE.FIELD` for the addresses of a table, a prefix, a set's name, or `any`"
            findings.error("E331", f"`{item.value}` is not a source", item.place, help)
            return AnySource(item.place)
        if node.kind == "array" and len(node.value) > 1:
            help = "split the rule in two: one for the table's field, one for the prefixes"
            findings.error("E331", f"`{item.value}` cannot be one of a list", item.place, help)
        return TableField(table, field, item.place)
    hints = {
        name: f"`{name}` is a table: write `from: {name}.{field or 'FIELD'}` for the addresses in its rows"
        for name, field in tables.items()
    }
    return build_addresses(node, sets, findings, hints)
