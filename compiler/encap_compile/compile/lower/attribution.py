"""Attribution of packets to sockets: the cgroups that rules match by, and what sockets may choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .. import ir
from ..resolved import ConnectRule, EgressRule, Resolved, Table
from ..resolved.cgroups import Purpose, within
from .c_names import c_name, fnv1a, identifier, named_row
from .conditions import Conditions
from .counters import rule_counter
from .used_stacks import UsedStacks

LEAST_CGROUPS = 1024  # entries: cgroups that come and go are in the map for a moment together
OVERHEAD = "SOCKETS_OVERHEAD"  # constant: by how much packets may grow that sockets or cgroups choose for
HOOKS = {
    Purpose.MATCHED: ("cgroup_listen",),
    Purpose.CONNECTING: ("cgroup_connect4", "cgroup_connect6"),
    Purpose.CHOOSING: ("cgroup_setsockopt", "cgroup_getsockopt"),
    Purpose.GUARDED: ("cgroup_unattached",),
}
NARROW_BITS, CGROUP_BITS = 31, 63  # of a set of cgroups: what a constant of an instruction holds, and all
MARKED = "cgroup_create"
ERRNO_SINCE = (5, 18)  # bpf_set_retval
MPTCP_SINCE = (5, 19)  # bpf_skc_to_mptcp_sock
PACKET_NETNS_SINCE = (6, 13)  # bpf_get_netns_cookie in programs for the packets of a cgroup


def named_cgroups(resolved: Resolved) -> dict[str, ir.CgroupBit]:
    """Every cgroup that rules name, by its path, in the order written; the attached one has an empty path."""
    found: dict[str, ir.CgroupBit] = {}
    bits = cgroup_bits([named.path for named in resolved.cgroups])
    for named in resolved.cgroups:
        constant = f"CGROUP_BIT_{identifier(named.path) if named.path else 'ATTACHED'}"
        if any(known.constant == constant for known in found.values()):
            constant += f"__{fnv1a(named.path):08x}"
        hooks = sorted(hook for purpose in named.purposes for hook in HOOKS[purpose])
        if Purpose.GUARDED in named.purposes and resolved.spec.kernel < PACKET_NETNS_SINCE:
            hooks = sorted([*hooks, MARKED])
        found[named.path] = ir.CgroupBit(constant, named.path, bits[named.path], named.level, tuple(hooks), named.place)
    return found


def cgroup_bits(paths: Iterable[str]) -> dict[str, int]:
    """The bit of each cgroup in a set of them. It comes from the path, so that one more cgroup leaves those of others.

    Bits below 31 are constants that an instruction holds; more cgroups than these take the next free one.
    """
    found: dict[str, int] = {}
    for path in sorted(paths):
        first = fnv1a(path) % NARROW_BITS
        tried = [*((first + i) % NARROW_BITS for i in range(NARROW_BITS)), *range(NARROW_BITS, CGROUP_BITS)]
        found[path] = next(bit for bit in tried if bit not in found.values())
    return found


def table_constant(table: str) -> str:
    return f"TABLE_{c_name(table)}".upper()


def connect_rule_constant(name: str) -> str:
    return f"CONNECT_RULE_{identifier(name)}"


def choices(rule: EgressRule) -> tuple[ir.ByChoice, ...]:
    """What a socket may choose, one for each table."""
    found: dict[str, list[ir.NamedRow]] = {}
    for target in rule.socket:
        rows = found.setdefault(target.table.name, [])
        if target.row is not None:
            rows.append(named_row(target.table.name, target.row))
    whole = {target.table.name for target in rule.socket if target.row is None}
    return tuple(
        ir.ByChoice(c_name(table), table_constant(table), () if table in whole else tuple(dict.fromkeys(rows)))
        for table, rows in found.items()
    )


def _connect(rule: ConnectRule, conditions: Conditions) -> ir.ConnectRule:
    selects = None
    if rule.choose is not None and rule.choose.row is not None:
        table = rule.choose.table.name
        row = named_row(table, rule.choose.row)
        constant = connect_rule_constant(rule.name)
        selects = ir.Selection(table, table_constant(table), row, constant, fnv1a(rule.name))
    return ir.ConnectRule(
        name=rule.name,
        c_name=c_name(rule.name),
        text=rule.text,
        place=rule.path,
        conditions=conditions.of(rule, False, f"connect_{c_name(rule.name)}"),
        selects=selects,
        counter=rule_counter(rule.name, ir.Direction.CONNECT),
    )


def lower_attribution(
    resolved: Resolved, stacks: UsedStacks, cgroups: Mapping[str, ir.CgroupBit], conditions: Conditions
) -> ir.Attribution | None:
    """None if no rule attributes packets to sockets."""
    asking = resolved.attributing
    if not asking:
        return None
    matched = {path for rule in asking for path in rule.match.cgroup}
    levels = tuple(sorted({cgroups[path].level for path in matched}))
    keyed = [target.table for rule in asking if rule.finds_by_cgroup for target in rule.targets]
    encapsulating = [rule for rule in asking if rule.targets]
    connected = [named.path for named in resolved.cgroups if Purpose.CONNECTING in named.purposes]
    kernel = resolved.spec.kernel
    return ir.Attribution(
        cgroups=tuple(cgroups.values()),
        levels=bool(levels or keyed),
        named_levels=levels,
        rows_by_cgroup=bool(keyed),
        cgroup_capacity=max(LEAST_CGROUPS, 2 * len(cgroups)),
        cgroup_tables=tuple(dict.fromkeys(c_name(table.name) for table in keyed)),
        tables=tuple(_table(table, stacks.of(table)) for table in resolved.socket_tables),
        rules=tuple(
            ir.SocketRule(rule.text, rule.path, tuple(cgroups[p].constant for p in rule.match.cgroup), choices(rule))
            for rule in asking
            if rule.socket
        ),
        connects=tuple(_connect(rule, conditions) for rule in resolved.connect),
        nests=any(within(path, other) for path in connected for other in connected),
        clamps_all=any(rule.to for rule in encapsulating),
        encapsulates=bool(encapsulating),
        guard=resolved.guards,
        marks=resolved.guards and kernel < PACKET_NETNS_SINCE,
        mptcp=kernel >= MPTCP_SINCE,
        errno=kernel >= ERRNO_SINCE,
    )


def _table(table: Table, own: Sequence[ir.Stack]) -> ir.SocketTable:
    overheads = tuple((s.constant, s.overhead_constant) for s in own)
    return ir.SocketTable(c_name(table.name), table_constant(table.name), fnv1a(table.name), overheads)


def most_overhead(resolved: Resolved, stacks: UsedStacks) -> int:
    """Of all stacks that a packet can take because of its socket or its cgroup."""
    own = (s for name in resolved.attributed_tables for s in stacks.of(resolved.tables[name]))
    return max((s.overhead for s in own), default=0)


def attribution_constants(resolved: Resolved, attribution: ir.Attribution, stacks: UsedStacks) -> ir.ConstantGroup:
    """The bits of cgroups, the numbers of tables, how long the socket of a connection is recorded."""
    remember = resolved.spec.egress.remember
    assert remember is not None
    matches = [*(rule.match for rule in resolved.attributing), *(rule.match for rule in resolved.connect)]
    matched = {path for match in matches for path in match.cgroup}
    found = [
        ir.NamedConstant(c.constant, f"(1ULL << {c.bit})", c.path or "the attached one")
        for c in attribution.cgroups
        if c.path in matched
    ]
    if attribution.levels:
        names = ",".join(sorted(f"{c.path}:{c.bit}" for c in attribution.cgroups))
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
        ir.NamedConstant(
            rule.selects.constant, f"{rule.selects.number:#010x}", f"FNV-1a of the connect rule's name, {rule.place}"
        )
        for rule in attribution.connects
        if rule.selects
    ]
    if attribution.encapsulates:
        found.append(
            ir.NamedConstant(OVERHEAD, str(most_overhead(resolved, stacks)), "bytes: the most that they may grow")
        )
    if attribution.rules:
        found.append(ir.NamedConstant("SOCKET_LEVEL", f"{socket_level(resolved.spec.name):#010x}", "of setsockopt"))
    found.append(
        ir.NamedConstant("SOCKETS_IDLE", f"{remember.idle}ULL", f"ns: {remember.idle / 1e9:g} s, egress.remember")
    )
    return ir.ConstantGroup("Attribution to sockets: cgroups, and what sockets may choose.", tuple(found))


def socket_level(name: str) -> int:
    """The level of setsockopt by which sockets choose: one for each spec, and none of the kernel's."""
    return 0x40000000 | (fnv1a(name) & 0x3FFFFFFF)
