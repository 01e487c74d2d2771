"""Cgroups, and rows that sockets choose: there is a cgroup to look in, and a socket to ask."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ..resolved.attributing import attributing_rules
from ..spec import EgressRule, Reference, RowTarget, Spec
from .targets import row_names, row_there

MOST_CGROUPS = 63  # bits of a word, one of which tells rows
SHORTEST_MEMORY = 60_000_000_000  # ns: as long as a closed connection may have to answer (RFC 9293, section 3.4.1)


def check(spec: Spec, findings: Findings) -> None:
    """E301 and E332 `attach: cgroup`; E303, E304, E507, E547, E548 `connect`; E541 to E546; W510, W516, W520."""
    _attached(spec, findings)
    asking = attributing_rules(spec)
    if asking and spec.cgroup is None:
        rule = asking[0]
        words = f"rule {rule.name} uses sockets or cgroups, but `attach` names no cgroup"
        help = "add `cgroup: /` to `attach`, or a cgroup further down: its sockets, and those below, are managed"
        findings.error("E541", words, rule.place, help)
    matches = [rule.match for rule in asking] + [rule.match for rule in spec.connect]
    named = dict.fromkeys(path for match in matches for path in match.cgroup)
    if len(named) > MOST_CGROUPS:
        words = f"the rules name {len(named)} cgroups, but a program distinguishes {MOST_CGROUPS}"
        help = "match their common parent, and find the row by `key: cgroup`: a table may name any number"
        findings.error("E542", words, asking[-1].place, help)
    for ingress in spec.ingress.rules:
        if ingress.match.cgroup:
            words = f"rule {ingress.name} matches by cgroup, but an incoming packet has no socket yet"
            findings.error("E544", words, ingress.match.place, "match its destination or port: who listens there")
    for rule in spec.egress.rules:
        _once(rule, findings)
    _connect(spec, findings)
    _tables(spec, findings)
    _remembered(spec, bool(asking), findings)
    if spec.egress.unattached_place.line and not asking:
        words = "`unattached` is about the packets of sockets and cgroups, and no rule asks for those"
        findings.warning("W520", words, spec.egress.unattached_place, "leave it out")


def _attached(spec: Spec, findings: Findings) -> None:
    if not isinstance(spec.cgroup, Reference):
        return
    name = spec.cgroup.path[0]
    if name not in spec.host or len(spec.cgroup.path) > 1:
        help = did_you_mean(name, [h.name for h in spec.host.values() if h.type == "cgroup"])
        help = help or f"declare it: `host: {{{name}: cgroup}}`"
        findings.error("E301", f"there is no host value `{'.'.join(spec.cgroup.path)}`", spec.cgroup.place, help)
    elif spec.host[name].type != "cgroup":
        words = f"`{spec.cgroup}` is of type {spec.host[name].type}, and a cgroup is needed"
        findings.error("E332", words, spec.cgroup.place, f"declare `{name}: cgroup`")


def _once(rule: EgressRule, findings: Findings) -> None:
    """Rows that are named twice, or beside their whole table."""
    whole = {target.table for target in rule.socket if target.row is None}
    seen: set[RowTarget] = set()
    for target in rule.socket:
        if target in seen:
            words = f"`{_text(target)}` is in the list already"
            findings.warning("W510", words, target.place, "keep one of them")
        elif target.row is not None and target.table in whole:
            words = f"`{_text(target)}` is one of `{target.table}`, which is in the list too"
            findings.warning("W510", words, target.place, "leave out one of the two")
        seen.add(target)


def _text(target: RowTarget) -> str:
    return target.table if target.row is None else f"{target.table}/{target.row}"


def _connect(spec: Spec, findings: Findings) -> None:
    """What is chosen at connect is a row that a rule lets sockets have."""
    permitted = {target for rule in spec.egress.rules for target in rule.socket}
    for rule in spec.connect:
        for word in ("source", "source_port", "dscp"):
            if getattr(rule.match, word):
                words = f"rule {rule.name} matches by `{word}`, which is not known when a socket connects"
                help = "match `destination`, `protocol`, `destination_port`, `mark` or `cgroup`"
                findings.error("E547", words, rule.match.place, help)
        if rule.choose is None:
            continue
        table = spec.endpoints.get(rule.choose.table)
        if table is None:
            help = did_you_mean(rule.choose.table, spec.endpoints, "declare it under `endpoints:`")
            findings.error("E303", f"there is no table `{rule.choose.table}`", rule.choose.place, help)
        elif rule.choose.row is None:
            words = f"`{rule.choose.table}` is a table, and one of its rows is chosen"
            findings.error("E507", words, rule.choose.place, f"write `choose: {rule.choose.table}/ROW`")
        elif not permitted & {rule.choose, RowTarget(rule.choose.table, None)}:
            words = f"no egress rule lets a socket have `{_text(rule.choose)}`, so choosing it has no effect"
            help = f"add an egress rule with `socket: [{_text(rule.choose)}]`: it says where in their order it counts"
            findings.error("E548", words, rule.choose.place, help)
        elif table.file is None:
            row_there(table.name, rule.choose, row_names(table), findings)


def _tables(spec: Spec, findings: Findings) -> None:
    keyed = [table for table in spec.endpoints.values() if "cgroup" in table.key]
    for table in keyed[1:]:
        words = f"table {table.name} is keyed by cgroup, as table {keyed[0].name} is already"
        help = "put their rows into one table"
        findings.error("E545", words, table.places["key"], help, related=((keyed[0].places["key"], "the first"),))
    for table in keyed:
        if table.fixed:
            words = f"the rows of {table.name} are compiled in, but the ID of a cgroup is only known on the machine"
            findings.error("E546", words, table.places["fixed"], "leave `fixed` out")


def _remembered(spec: Spec, asked: bool, findings: Findings) -> None:
    remember = spec.egress.remember
    if remember is None or not remember.place.line:
        return
    if remember.idle < SHORTEST_MEMORY:
        words = f"{remember.idle / 1e9:g} s is too short to keep the record of a connection"
        help = "60s at least: as long as a closed connection may still have to answer"
        findings.error("E543", words, remember.place, help)
    elif not asked:
        words = "`remember` is about the packets of sockets and cgroups, and no rule asks for those"
        findings.warning("W516", words, remember.place, "leave it out")
