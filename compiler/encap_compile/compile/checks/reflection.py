"""What is reflected has been learned, and what the replies need came in."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ..headers.catalogue import FAMILIES, IP_FIELDS, headers
from ..headers.model import FromSpec
from ..resolved.encapsulations import tables_of
from ..resolved.values import IP_HEADERS, option_field, uses
from ..spec import AnySource, EgressRule, Encapsulation, IngressRule, Reference, Spec, Table
from .references import fits


def check(spec: Spec, findings: Findings) -> None:
    """E311 and E305 names, E332 types; E516 to E518 and E527 what is missing; W513, W514."""
    rules = {rule.name: rule for rule in spec.ingress.rules}
    reflected: set[str] = set()
    for rule in spec.egress.rules:
        if rule.reflect is None:
            continue
        reflected.add(rule.reflect.rule)
        source = rules.get(rule.reflect.rule)
        if source is None:
            help = did_you_mean(rule.reflect.rule, rules, "name a rule under `ingress: rules:`")
            findings.error("E311", f"there is no ingress rule `{rule.reflect.rule}`", rule.reflect.place, help)
            continue
        if source.learn is None:
            help = "add `learn: {for: replies, capacity: 100000, idle: 350s}` to it"
            words = f"rule {rule.name} reflects {source.name}, which learns nothing"
            findings.error("E516", words, rule.reflect.place, help, related=((source.place, "the ingress rule"),))
        _reply(spec, rule, source, findings)
    for source in rules.values():
        if source.learn is not None:
            _learning(source, source.name in reflected or not reflected <= rules.keys(), findings)
    _not_reflected(spec, findings)


def _learning(rule: IngressRule, reflected: bool, findings: Findings) -> None:
    assert rule.learn is not None
    if not reflected:
        help = f"add an egress rule with `reflect: {rule.name}`, or leave `learn` out"
        findings.warning("W513", f"what rule {rule.name} learns is reflected by no rule", rule.learn.place, help)
    if isinstance(rule.source, AnySource):
        words = f"rule {rule.name} learns from anyone: whoever can send to it can turn replies to itself"
        findings.warning("W514", words, rule.source.place, "name the senders that you trust in `from`")


def _reply(spec: Spec, rule: EgressRule, source: IngressRule, findings: Findings) -> None:
    assert rule.reflect is not None
    came = spec.encapsulations.get(source.decapsulate)
    name = rule.reflect.encapsulation or source.decapsulate
    reply = spec.encapsulations.get(name)
    if reply is None:
        if rule.reflect.encapsulation:
            help = did_you_mean(name, spec.encapsulations)
            findings.error("E305", f"there is no encapsulation `{name}`", rule.reflect.with_place, help)
        return
    if came is None:
        return
    mirror = reply is came
    for header, word, _, kind, value in uses(reply):
        if not isinstance(value, Reference):
            continue
        if value.root == "endpoint" and not mirror:
            words = f"{name} takes {header.name}.{word} from a row, but a reflected packet has no row"
            help = "write `received.HEADER.FIELD`, a host value or a constant"
            findings.error("E517", words, value.place, help, related=((rule.reflect.with_place, "reflected here"),))
        elif value.root == "received":
            _received(value, f"{header.name}.{word}", kind, came, findings)


def _received(value: Reference, what: str, kind: str, came: Encapsulation, findings: Findings) -> None:
    """A reference to a header that came in: it is there, it has the field, and the field fits."""
    if len(value.path) != 2:
        findings.error("E518", f"`{value}` is not received.HEADER.FIELD", value.place, "like received.vxlan.vni")
        return
    name, field = value.path
    present = {use.name for use in came.headers}
    if present & set(FAMILIES):  # but not the reverse: what comes in as `ip` may be of either
        present.add("ip")
    if name not in present:
        help = did_you_mean(name, [h.name for h in came.headers])
        findings.error("E518", f"{came.name} has no header `{name}`", value.place, help)
        return
    if [use.name for use in came.headers].count(name) > 1:
        words = f"{came.name} has several headers `{name}`, and `{value}` could be of each"
        findings.error("E561", words, value.place, "write a constant or a host value instead")
        return
    if name == "ip":
        known = {word: headers()["ipv4"].field(own["ipv4"]).type for word, own in IP_FIELDS.items()}
    else:
        given = {word for use in came.headers if use.name == name for word in use.values}
        known = {
            f.name: f.type
            for f in headers()[name].settable().values()
            if f.name in given or f.type == "bytes" or not (isinstance(f.role, FromSpec) and f.role.optional)
        }
        options = [o for use in came.headers if use.name == name for o in use.options]
        known |= {o.name: option_field(o).type for o in options}
    if field not in known:
        help = did_you_mean(field, known)
        findings.error("E518", f"the header {name} has no field `{field}` to refer to", value.place, help)
        return
    if known[field] == "bytes" and not any(field in use.values for use in came.headers if use.name == name):
        words = f"{came.name} has no `{field}` of {name}, and refuses packets that have"
        findings.error("E518", words, value.place, f"add `{field}: {value}` to its {name}")
        return
    found = "ip" if name in IP_HEADERS and field in ("source", "destination") else known[field]
    if name in FAMILIES and found == "ip":
        found = name
    if not fits(found, kind):
        words = f"`{value}` is of type {found}, which does not fit {what}, of type {kind}"
        findings.error("E332", words, value.place, f"it fits a field of type {found}")


def _not_reflected(spec: Spec, findings: Findings) -> None:
    """E527: rows cannot fill what only a received packet has."""
    for encapsulation in spec.encapsulations.values():
        tables: list[Table] = tables_of(spec, encapsulation.name)
        led_to = {target.table for rule in spec.egress.rules for target in rule.targets}
        for header, word, _, _, value in uses(encapsulation):
            if not isinstance(value, Reference) or value.root != "received":
                continue
            for table in tables:
                if table.name in led_to:
                    words = (
                        f"{encapsulation.name} takes {header.name}.{word} from a received packet, but what rules send "
                        f"to table {table.name} answers none"
                    )
                    help = "reflect it (`reflect: INGRESS-RULE`), or give the table an encapsulation of its own"
                    findings.error("E527", words, value.place, help, related=((table.place, "the table"),))
