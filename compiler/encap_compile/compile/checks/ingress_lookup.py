"""Tenants on receive: what varies is looked up, and what was found may become the mark."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ...common.values import ValueProblem, parse
from ..headers.model import FromSpec, Receive
from ..resolved.keys import identifies
from ..resolved.values import uses
from ..spec import Encapsulation, IngressRule, Reference, Scalar, Spec, Table
from .references import fits, host_type

VARY = {"endpoint": "row", "packet": "packet"}  # roots of values that differ within one spec, and by what


def check(spec: Spec, findings: Findings) -> None:
    """E305 encapsulation, E303 table, E509 and E510 its key, E511 and E514 what varies, E512 the mark."""
    for rule in spec.ingress.rules:
        table = _lookup_table(spec, rule, findings)
        _mark(spec, rule, table, findings)
        encapsulation = spec.encapsulations.get(rule.decapsulate)
        if encapsulation is None:
            help = did_you_mean(rule.decapsulate, spec.encapsulations, "declare it under `encapsulations:`")
            place = rule.places["decapsulate"]
            findings.error("E305", f"there is no encapsulation `{rule.decapsulate}`", place, help)
            continue
        key = table.key[0] if table is not None and len(table.key) == 1 else None
        if key is not None and not identifies(spec, key):
            continue  # table_keys says what is wrong with it
        if table is not None and key is not None and not _has(encapsulation, key):
            words = f"table {table.name} is keyed by {key}, which {encapsulation.name} does not have"
            help = _could_be_keyed(encapsulation)
            findings.error("E510", words, rule.places["lookup"], help)
        elif key is not None and [u.name for u in encapsulation.headers].count(key.split(".")[1]) > 1:
            words = f"{encapsulation.name} has several headers `{key.split('.')[1]}`, and {key} could be of each"
            findings.error(
                "E561", words, rule.places["lookup"], "let the encapsulation have one, with a field that varies"
            )
        elif rule.lookup is None or key is not None:
            _varying(rule, encapsulation, key, findings)


def _lookup_table(spec: Spec, rule: IngressRule, findings: Findings) -> Table | None:
    if rule.lookup is None:
        return None
    place = rule.places["lookup"]
    table = spec.endpoints.get(rule.lookup)
    if table is None:
        help = did_you_mean(rule.lookup, spec.endpoints, "declare it under `endpoints:`")
        findings.error("E303", f"there is no table `{rule.lookup}`", place, help)
        return None
    if not table.key or not table.key[0].startswith("received."):
        words = f"table {table.name} is not keyed by a received field"
        findings.error("E509", words, place, "give it a key like received.vxlan.vni")
        return None
    return table


def _has(encapsulation: Encapsulation, key: str) -> bool:
    _, _, rest = key.partition(".")
    header, _, field = rest.partition(".")
    return any(use.name == header and word == field for use, word, _, _, _ in uses(encapsulation))


def _could_be_keyed(encapsulation: Encapsulation) -> str:
    for use, word, field, _, _ in uses(encapsulation):
        if isinstance(field.role, FromSpec) and field.role.identifies:
            return f"key a table by received.{use.name}.{word}"
    return f"leave `lookup` out: no field of {encapsulation.name} identifies a tenant"


def _varying(rule: IngressRule, encapsulation: Encapsulation, key: str | None, findings: Findings) -> None:
    for use, word, field, kind, value in uses(encapsulation):
        if not isinstance(value, Reference) or value.root not in VARY or field.receive is not Receive.MATCH:
            continue
        name = f"received.{use.name}.{word}"
        if name == key:
            continue
        related = ((value.place, "it varies here"),)
        if isinstance(field.role, FromSpec) and field.role.identifies:
            words = (
                f"rule {rule.name} takes {encapsulation.name} with any {word}, since it varies by {VARY[value.root]}"
            )
            help = _way_out(use.name, word, kind) if key is None else _one_lookup(key)
            findings.error("E511", words, rule.place, help, related=related)
        else:
            varies = f"its {use.name}.{word} varies by {VARY[value.root]}"
            words = f"rule {rule.name} cannot recognise {encapsulation.name}: {varies}"
            help = "make it a literal or a host value, or decapsulate with an encapsulation of its own"
            findings.error("E514", words, rule.place, help, related=related)


def _way_out(header: str, word: str, kind: str) -> str:
    table = f"{word}s"
    return (
        f"list the accepted ones: in a table under `endpoints:`, and its name in the rule\n"
        f"  {table}: {{key: received.{header}.{word}, fields: {{mark: u32}}, file: {table}.csv, capacity: 4096}}\n"
        f"  - {{name: ..., decapsulate: ..., from: ..., lookup: {table}, set_mark: endpoint.mark}}\n"
        f"with rows like `1001,7` under the header line `received.{header}.{word},mark`"
    )


def _one_lookup(key: str) -> str:
    return (
        f"a rule looks up one field, here {key}: make the other a literal or a host value,\n"
        "or decapsulate with an encapsulation of its own, where it is one"
    )


def _mark(spec: Spec, rule: IngressRule, table: Table | None, findings: Findings) -> None:
    value = rule.set_mark
    if isinstance(value, Scalar):
        try:
            parse("u32", value.value)
        except ValueProblem as problem:
            findings.error(problem.code, f"set_mark: {problem.message}", value.place, problem.help)
        return
    if value is None:
        return
    found: str | None = None
    if value.root == "host":
        found = host_type(spec, value, findings)
    elif value.root == "endpoint":
        if rule.lookup is None:
            help = "add `lookup: TABLE`, or write a number"
            findings.error("E512", f"`{value}` needs a row, but this rule looks up none", value.place, help)
        elif table is not None:
            found = table.fields.get(value.path[0])
            if found is None:
                help = did_you_mean(value.path[0], table.fields)
                findings.error("E307", f"table {table.name} has no field `{value.path[0]}`", value.place, help)
    if found is not None and not fits(found, "u32"):
        help = "a mark is a number: a field of type u8, u16, u24 or u32"
        findings.error("E332", f"`{value}` is of type {found}, which does not fit a mark", value.place, help)
