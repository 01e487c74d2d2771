"""Who may send to us: `from`."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ..headers.catalogue import FAMILIES
from ..resolved.values import possible_families
from ..spec import AnySource, IngressRule, Spec, TableField


def check(spec: Spec, findings: Findings) -> None:
    """E303 and E307 unknown table or field, E515 a field that is not an address, E526 addresses of the other family."""
    for rule in spec.ingress.rules:
        if isinstance(rule.source, AnySource):
            continue
        given = _field_families(spec, rule.source, findings) if isinstance(rule.source, TableField) else None
        if given is None and not isinstance(rule.source, TableField):
            given = {f"ipv{p.version}" for p in rule.source.prefixes}
        if given and rule.decapsulate in spec.encapsulations:
            _validate(spec, rule, given, findings)


def _field_families(spec: Spec, source: TableField, findings: Findings) -> set[str] | None:
    table = spec.endpoints.get(source.table)
    if table is None:
        help = did_you_mean(source.table, spec.endpoints, "declare it under `endpoints:`")
        findings.error("E303", f"there is no table `{source.table}`", source.place, help)
        return None
    kind = table.fields.get(source.field)
    if kind is None:
        help = did_you_mean(source.field, table.fields)
        findings.error("E307", f"table {table.name} has no field `{source.field}`", source.place, help)
        return None
    if kind not in ("ip", *FAMILIES):
        addresses = [f for f, k in table.fields.items() if k in ("ip", *FAMILIES)]
        help = f"write `{table.name}.{addresses[0]}`" if addresses else "name a field of type ip, ipv4 or ipv6"
        words = f"`{table.name}.{source.field}` is of type {kind}, and an outer source is an address"
        findings.error("E515", words, source.place, help)
        return None
    return set(FAMILIES) if kind == "ip" else {kind}


def _validate(spec: Spec, rule: IngressRule, given: set[str], findings: Findings) -> None:
    outer = possible_families(spec.encapsulations[rule.decapsulate])
    if outer and not given & set(outer):
        names = {"ipv4": "IPv4", "ipv6": "IPv6"}
        words = (
            f"rule {rule.name}: {rule.decapsulate} comes over {names[outer[0]]}, and `from` has "
            f"{names[min(given)]} addresses only"
        )
        findings.error(
            "E526", words, rule.places["from"], "no packet can match: name the peers' addresses of that family"
        )
