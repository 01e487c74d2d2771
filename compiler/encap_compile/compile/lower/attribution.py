"""Attribution of packets to sockets: the cgroups that rules match by, and what sockets may choose."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..resolved.attributing import attributing_rules, finds_by_cgroup
from ..spec import ConnectRule, EgressRule, Spec
from .c_names import c_name, fnv1a, identifier, named_row, row_name_constant
from .conditions import Conditions

LEAST_CGROUPS = 1024  # entries: cgroups that come and go are in the map for a moment together
OVERHEAD = "SOCKETS_OVERHEAD"  # constant: by how much packets may grow that sockets or cgroups choose for
MATCHED = ("cgroup_listen",)
CONNECTS = ("cgroup_connect4", "cgroup_connect6")
MANAGED = ("cgroup_setsockopt", "cgroup_getsockopt")
MARKED, GUARDED = ("cgroup_create",), ("cgroup_unattached",)
ERRNO_SINCE = (5, 18)  # bpf_set_retval
MPTCP_SINCE = (5, 19)  # bpf_skc_to_mptcp_sock
PACKET_NETNS_SINCE = (6, 13)  # bpf_get_netns_cookie in programs for the packets of a cgroup


def named_cgroups(spec: Spec) -> dict[str, ir.CgroupBit]:
    """Every cgroup that rules name, by its path, in the order written; the attached one has an empty path."""
    found: dict[str, ir.CgroupBit] = {}

    def add(paths: Sequence[str], hooks: Sequence[str], place: str) -> None:
        for path in paths:
            level = path.count("/") + 1 if path else 0
            constant = f"CGROUP_BIT_{identifier(path) if path else 'ATTACHED'}"
            if any(c.constant == constant and c.path != path for c in found.values()):
                constant += f"__{len(found)}"
            known = found.setdefault(path, ir.CgroupBit(constant, path, len(found), level, (), place))
            found[path] = known._replace(hooks=tuple(sorted({*known.hooks, *hooks})))

    for rule in spec.egress.rules:
        matched = bool(rule.match.cgroup) or finds_by_cgroup(rule, spec)
        if matched or rule.socket:
            hooks = (*(MATCHED if matched else ()), *(MANAGED if rule.socket else ()))
            add(rule.match.cgroup or ("",), hooks, rule.path)
    for connect in spec.connect:
        # A rule that lets pass in all cgroups is asked where others choose: elsewhere there is nothing to keep it from.
        if connect.choose or connect.match.cgroup or not any(c.choose for c in spec.connect):
            add(connect.match.cgroup or ("",), CONNECTS, connect.path)
    if guards(spec):
        hooks = (*(MARKED if spec.kernel < PACKET_NETNS_SINCE else ()), *GUARDED)
        for place, paths in _guarded(spec).items():
            add(paths, hooks, place)
    return found


def guards(spec: Spec) -> bool:
    """Whether packets are dropped that a rule encapsulates and that leave by a device without our program."""
    return spec.egress.unattached == "drop" and any(rule.targets or rule.reflect for rule in attributing_rules(spec))


def _guarded(spec: Spec) -> dict[str, tuple[str, ...]]:
    """The cgroups whose sockets are looked at, by the rule's path: none within another, which would count twice."""
    named: dict[str, str] = {}
    for rule in attributing_rules(spec):
        if rule.targets or rule.reflect:
            for path in rule.match.cgroup or ("",):
                named.setdefault(path, rule.path)
    outermost = [path for path in named if not any(_within(path, other) for other in named)]
    found: dict[str, tuple[str, ...]] = {}
    for path in outermost:
        found[named[path]] = (*found.get(named[path], ()), path)
    return found


def _within(path: str, other: str) -> bool:
    return path != other and (not other or path.startswith(f"{other}/"))


def table_constant(table: str) -> str:
    return f"TABLE_{c_name(table)}".upper()


def connect_rule_constant(name: str) -> str:
    return f"CONNECT_RULE_{identifier(name)}"


def choices(rule: EgressRule) -> tuple[ir.ByChoice, ...]:
    """What a socket may choose, one for each table."""
    found: dict[str, list[ir.NamedRow]] = {}
    for target in rule.socket:
        rows = found.setdefault(target.table, [])
        if target.row is not None:
            rows.append(named_row(target.table, target.row))
    whole = {target.table for target in rule.socket if target.row is None}
    return tuple(
        ir.ByChoice(c_name(table), table_constant(table), () if table in whole else tuple(dict.fromkeys(rows)))
        for table, rows in found.items()
    )


def _connect(rule: ConnectRule, conditions: Conditions) -> ir.ConnectRule:
    chosen = table = row = ""
    if rule.choose is not None and rule.choose.row is not None:
        chosen = f"{rule.choose.table}/{rule.choose.row}"
        table = table_constant(rule.choose.table)
        row = row_name_constant(rule.choose.table, rule.choose.row)
    met = conditions.of(rule.match, False, f"connect_{c_name(rule.name)}")
    return ir.ConnectRule(
        rule.name,
        c_name(rule.name),
        rule.text,
        rule.path,
        met,
        chosen,
        table,
        row,
        connect_rule_constant(rule.name),
        fnv1a(rule.name),
    )


def lower_attribution(spec: Spec, stacks: Sequence[ir.Stack], conditions: Conditions) -> ir.Attribution | None:
    """None if no rule attributes packets to sockets."""
    asking = attributing_rules(spec)
    if not asking:
        return None
    cgroups = named_cgroups(spec)
    matched = {path for rule in asking for path in rule.match.cgroup}
    levels = tuple(sorted({cgroups[path].level for path in matched}))
    keyed = [spec.endpoints[t.table] for rule in asking if finds_by_cgroup(rule, spec) for t in rule.targets]
    encapsulating = [rule for rule in asking if rule.targets]
    connected = [path for path, cgroup in cgroups.items() if set(CONNECTS) <= set(cgroup.hooks)]
    return ir.Attribution(
        cgroups=tuple(cgroups.values()),
        levels=bool(levels or keyed),
        named_levels=levels,
        rows_by_cgroup=bool(keyed),
        cgroup_capacity=max(LEAST_CGROUPS, 2 * len(cgroups)),
        cgroup_tables=tuple(dict.fromkeys(c_name(table.name) for table in keyed)),
        tables=tuple(_table(spec, name, stacks) for name in dict.fromkeys(t.table for r in asking for t in r.socket)),
        rules=tuple(
            ir.SocketRule(rule.text, rule.path, tuple(cgroups[p].constant for p in rule.match.cgroup), choices(rule))
            for rule in asking
            if rule.socket
        ),
        connects=tuple(_connect(rule, conditions) for rule in spec.connect),
        nests=any(_within(path, other) for path in connected for other in connected),
        clamps_all=any(rule.to for rule in encapsulating),
        encapsulates=bool(encapsulating),
        guard=guards(spec),
        marks=guards(spec) and spec.kernel < PACKET_NETNS_SINCE,
        mptcp=spec.kernel >= MPTCP_SINCE,
        errno=spec.kernel >= ERRNO_SINCE,
    )


def _table(spec: Spec, name: str, stacks: Sequence[ir.Stack]) -> ir.SocketTable:
    own = [s for s in stacks if s.encapsulation in spec.endpoints[name].encapsulations]
    overheads = tuple((s.constant, s.overhead_constant) for s in own)
    return ir.SocketTable(c_name(name), table_constant(name), fnv1a(name), overheads)


def most_overhead(spec: Spec, stacks: Sequence[ir.Stack]) -> int:
    """Of all stacks that a packet can take because of its socket or its cgroup."""
    tables = {t.table for rule in attributing_rules(spec) for t in rule.targets}
    names = {e for table in tables for e in spec.endpoints[table].encapsulations}
    return max((s.overhead for s in stacks if s.encapsulation in names), default=0)


def attributing_tables(spec: Spec) -> set[str]:
    """Tables, by their names in C, that rules lead to which attribute packets to sockets."""
    return {c_name(t.table) for rule in attributing_rules(spec) for t in rule.targets}


def attribution_constants(spec: Spec, attribution: ir.Attribution, stacks: Sequence[ir.Stack]) -> ir.ConstantGroup:
    """The bits of cgroups, the numbers of tables, how long the socket of a connection is recorded."""
    remember = spec.egress.remember
    assert remember is not None
    matches = [rule.match for rule in attributing_rules(spec)] + [rule.match for rule in spec.connect]
    matched = {path for match in matches for path in match.cgroup}
    found = [
        ir.NamedConstant(c.constant, f"(1ULL << {c.bit})", f"{c.path or 'the attached one'}, {c.place}")
        for c in attribution.cgroups
        if c.path in matched
    ]
    if attribution.levels:
        names = ",".join(c.path for c in attribution.cgroups)
        words = "FNV-1a of the list: which bit is which"
        found.append(ir.NamedConstant("CGROUP_NAMES", f"{fnv1a(names):#010x}", words))
        value = sum(1 << level for level in attribution.named_levels)
        found.append(ir.NamedConstant("CGROUP_LEVELS", f"{value:#x}", "bit n: rules name a cgroup n levels below"))
        rows = [f"CAPACITY_{name.upper()}" for name in attribution.cgroup_tables]
        entries = (
            f"({' + '.join([str(attribution.cgroup_capacity), *rows])})" if rows else str(attribution.cgroup_capacity)
        )
        found.append(ir.NamedConstant("CGROUPS_MAX", entries, "entries"))
    found += [
        ir.NamedConstant(t.constant, f"{t.number:#010x}", "FNV-1a of the table's name, as sockets write it")
        for t in attribution.tables
    ]
    found += [
        ir.NamedConstant(c.constant, f"{c.number:#010x}", f"FNV-1a of the connect rule's name, {c.place}")
        for c in attribution.connects
        if c.chosen
    ]
    if attribution.encapsulates:
        found.append(ir.NamedConstant(OVERHEAD, str(most_overhead(spec, stacks)), "bytes: the most that they may grow"))
    if attribution.rules:
        found.append(ir.NamedConstant("SOCKET_LEVEL", f"{socket_level(spec.name):#010x}", "of setsockopt"))
    found.append(
        ir.NamedConstant("SOCKETS_IDLE", f"{remember.idle}ULL", f"ns: {remember.idle / 1e9:g} s, egress.remember")
    )
    return ir.ConstantGroup("Attribution to sockets: cgroups, and what sockets may choose.", tuple(found))


def socket_level(name: str) -> int:
    """The level of setsockopt by which sockets choose: one for each spec, and none of the kernel's."""
    return 0x40000000 | (fnv1a(name) & 0x3FFFFFFF)
