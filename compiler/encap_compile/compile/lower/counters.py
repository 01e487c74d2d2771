"""Every outcome has a counter with a name, in the order a packet can meet them. `counter_layout` places them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import assert_never

from .. import ir
from .c_names import c_name, member_name
from .counter_layout import LIBRARY

EGRESS, INGRESS = ir.Direction.EGRESS, ir.Direction.INGRESS
NO_ROW = "no_row"  # the reason where a rule's table has no row for a packet
REASONS_OF_0_1 = {"no_headroom": "no_room", "pull_failed": "room"}  # what 0.1.0 called these reasons


def lower_counters(
    egress: ir.EgressProgram,
    ingress: ir.IngressProgram | None,
    learns: bool,
    attribution: ir.Attribution | None,
    clamps: bool,
    fit: ir.Fit | None,
    tables: Iterable[str],
    renamed: Mapping[str, str],
) -> tuple[ir.CounterMember, ...]:
    """`tables` are those of the spec, as it calls them; `renamed` has former names of rules, by the present ones."""
    found: dict[str, ir.CounterMember] = {}

    def add(counts: ir.Counted, text: str, place: str = "") -> None:
        name = counter_name(counts)
        old = counts._replace(rule=renamed[counts.rule]) if counts.rule in renamed else None
        was = (counter_name(old), _first_name(old)) if old else _previous_names(counts)
        first, member = _first_name(counts), _member(counts, name)
        found.setdefault(name, ir.CounterMember(name, _kind(counts), counts, text, place, first, was, member))

    def noted(direction: ir.Direction, reason: str, text: str) -> None:
        add(ir.Counted(direction, ir.Outcome.NOTED, reason=reason), text)

    encapsulates = bool(egress.encapsulators)
    names = {c_name(name): name for name in tables}
    if egress.needed:
        _egress(egress, encapsulates, names, add)
        if attribution and attribution.levels:
            words = "of a closed connection, recorded by a version with other cgroups: dropped"
            add(ir.Counted(EGRESS, ir.Outcome.DROPPED, reason="renamed"), words)
    if attribution and attribution.guard:
        words = "a rule encapsulates it, but its route leaves by a device that is not attached: dropped"
        add(ir.Counted(EGRESS, ir.Outcome.DROPPED, reason="unattached"), words)
    if clamps and (encapsulates or egress.fits):
        noted(EGRESS, "mss_kept", MSS_KEPT)
    if egress.looks_up_routes:
        noted(EGRESS, "next_hop_fallback", NEXT_HOP_FALLBACK)
    if egress.route_device:
        for direction, reason, words in ON_ROUTE_DEVICE:
            add(ir.Counted(direction, ir.Outcome.DROPPED, reason=reason), f"{words}: dropped")
    if clamps and ingress and (learns or {*ingress.before} - {ir.Arrival.LEARN_PATH_MTU}):
        noted(INGRESS, "mss_kept", MSS_KEPT)
    if egress.paths:
        noted(INGRESS, "path_learned", "an ICMP error that lowered the MTU of the path to a tunnel endpoint")
        noted(INGRESS, "path_ignored", "an ICMP error about a packet of ours that cannot be true, or lowers nothing")
    for connect in attribution.connects if attribution else ():
        words = f"{connect.selects.text} was chosen" if connect.selects else "nothing was chosen"
        outcome = ir.Outcome.SELECTED if connect.selects else ir.Outcome.UNSELECTED
        counts = ir.Counted(ir.Direction.CONNECT, outcome, connect.name)
        add(counts, f"rule {connect.name}: sockets for which {words}", connect.place)
    decapsulations = ingress.decapsulations if ingress else ()
    for decapsulation in decapsulations:
        for rule in decapsulation.rules:
            table = names[rule.lookup.table] if rule.lookup else ""
            counts = ir.Counted(INGRESS, ir.Outcome.DECAPSULATED, rule.name, table, decapsulation.encapsulation)
            add(counts, f"rule {rule.name}: decapsulated", rule.place)
    for flow, text in FLOWS.items() if learns else REMEMBERED.items() if attribution else ():
        add(ir.Counted(ir.Direction.FLOWS, flow), text)
    if ingress is None:
        return _distinct(found)
    dropped = ingress.refuse is ir.OnRefusal.DROP
    refused = "dropped" if dropped else "passed unchanged"
    outcome = ir.Outcome.DROPPED if dropped else ir.Outcome.PASSED
    for decapsulation in decapsulations:
        encapsulation = decapsulation.encapsulation
        for reason, text in (r for outer in decapsulation.outers for r in refusals(decapsulation, outer)):
            counts = ir.Counted(INGRESS, outcome, encapsulation=encapsulation, reason=reason)
            add(counts, f"{encapsulation}: {text}: {refused}")
    return _distinct(found)


def counter_name(counts: ir.Counted) -> str:
    """What it is called in the C, the manifest and by `encapctl stats`. No two have the same: a name of the spec within
    it has no `__` and no `_` at the end (`c_name`), and stands behind words that no reason begins with."""
    if counts.direction == ir.Direction.FLOWS:
        return f"flows_{counts.outcome}"
    if counts.rule:
        return f"{counts.direction}_{'miss' if counts.reason == NO_ROW else 'rule'}_{c_name(counts.rule)}"
    if counts.encapsulation:
        return f"refused_{c_name(counts.encapsulation)}__{counts.reason}"
    return f"{counts.direction}_{counts.reason}"


def egress_counter(reason: str) -> str:
    """The counter of what is not decided by a rule."""
    return counter_name(ir.Counted(EGRESS, ir.Outcome.NOTED, reason=reason))


def rule_counter(rule: str, direction: ir.Direction, missed: bool = False) -> str:
    """The counter of what a rule decides, or of the packets that it finds no row for."""
    return counter_name(ir.Counted(direction, ir.Outcome.NOTED, rule, reason=NO_ROW if missed else ""))


def _kind(counts: ir.Counted) -> str:
    """The kinds of the first release, which distinguish fewer outcomes."""
    if counts.direction == ir.Direction.INGRESS and counts.reason and counts.outcome != ir.Outcome.NOTED:
        return "refused"
    if counts.direction in (ir.Direction.FLOWS, ir.Direction.CONNECT):
        return counts.direction.value
    return {ir.Outcome.ENCAPSULATED: "chosen", ir.Outcome.CONTINUED: "passed"}.get(counts.outcome, counts.outcome.value)


def _member(counts: ir.Counted, name: str) -> str:
    """Where in `struct counters` it stands: within a struct of the library, if that counts it."""
    if counts.direction == ir.Direction.FLOWS:
        return f"flows.{counts.outcome}"
    if counts.encapsulation and not counts.rule:
        return refusal_member(counts.encapsulation, counts.reason)
    if counts.direction == EGRESS and not counts.rule and counts.reason in LIBRARY["egress_outcomes"]:
        return f"egress.{counts.reason}"
    if counts.direction == INGRESS and not counts.rule and counts.reason in LIBRARY["ingress_outcomes"]:
        return f"ingress.{counts.reason}"
    return name


def _first_name(counts: ir.Counted) -> str:
    """What the first release called it, if that is another name."""
    if counts.rule:
        was = f"{counts.direction}_{member_name(counts.rule)}"
        return f"{was}_no_row" if counts.reason == NO_ROW else was
    reason = REASONS_OF_0_1.get(counts.reason, counts.reason)
    if counts.encapsulation:
        within = member_name(counts.encapsulation)
        return f"refused_{within}_{reason.removeprefix(f'{within}_')}"
    return f"{counts.direction}_{reason}" if reason != counts.reason else ""


def _previous_names(counts: ir.Counted) -> tuple[str, ...]:
    """What the last builds of 0.1.0 called it, if that is another name than today's and the first build's."""
    if not counts.encapsulation or counts.reason not in REASONS_OF_0_1:
        return ()
    return (counter_name(counts._replace(reason=REASONS_OF_0_1[counts.reason])),)


def _only(names: Iterable[str]) -> str:
    """The name, if there is one alone."""
    found = set(names)
    return found.pop() if len(found) == 1 else ""


def _distinct(found: dict[str, ir.CounterMember]) -> tuple[ir.CounterMember, ...]:
    """What the first release called a counter, where that says which: two could have one name, and count together."""
    claimed = set(found)
    counters = []
    for counter in found.values():
        counters.append(counter._replace(formerly="") if counter.formerly in claimed else counter)
        claimed.add(counter.formerly)
    for n, counter in enumerate(counters):
        counters[n] = counter._replace(was=tuple(name for name in counter.was if name not in claimed))
        claimed.update(counter.was)
    return tuple(counters)


ENDED = {
    ir.Verdict.PASS: (ir.Outcome.PASSED, "passed unencapsulated"),
    ir.Verdict.PASS_UNLESS_KEPT: (ir.Outcome.PASSED, "passed unencapsulated"),
    ir.Verdict.DROP: (ir.Outcome.DROPPED, "dropped"),
    ir.Verdict.NEXT: (ir.Outcome.CONTINUED, "went to the next rule"),
}
BEFORE = {
    "own_stack": "already encapsulated by this host",
    "link_local": "link-local, link-scope multicast or neighbour discovery",
}
FLOWS = {
    ir.Outcome.LEARNED: "a new flow: learned",
    ir.Outcome.CHANGED: "a known flow that arrived with other headers: learned again",
    ir.Outcome.DISBELIEVED: "a TCP segment with other headers that does not fit its connection: not learned",
    ir.Outcome.EVICTED: "a flow that was not idle: evicted",
}
MSS_KEPT = "a SYN that is authenticated with its options (TCP-AO): its MSS was not lowered"
ON_ROUTE_DEVICE = (
    (EGRESS, "unrouted", "routed to the route device, and not encapsulated by any rule"),
    (EGRESS, "route_loop", "encapsulated, and its outer route leads to the route device"),
    (INGRESS, "injected", "came to the route device from elsewhere"),
)
NEXT_HOP_FALLBACK = "no next hop by the routes: sent to the neighbour on the attached device"
REMEMBERED = {
    ir.Outcome.LEARNED: "a new connection: its socket is recorded",
    ir.Outcome.CHANGED: "a connection with another socket or choice than before: recorded again",
    ir.Outcome.EVICTED: "a connection that was not idle: evicted",
}


def _egress(egress: ir.EgressProgram, encapsulates: bool, names: Mapping[str, str], add: Callable[..., None]) -> None:
    passed, dropped, noted = ir.Outcome.PASSED, ir.Outcome.DROPPED, ir.Outcome.NOTED

    def outcome(reason: str, outcome: ir.Outcome, text: str) -> None:
        add(ir.Counted(EGRESS, outcome, reason=reason), text)

    for rule in egress.rules:
        done, words = _done(rule)
        functions = {step.send for step in rule.steps}
        sent = (e.stack.encapsulation for d in egress.dispatches if d.function in functions for e in d.encapsulators)
        look_ups = [step for step in rule.steps if isinstance(step, ir.LookUp)]
        tables = [step.find.table for step in look_ups]
        table = _only(names[table] for table in tables)
        counts = ir.Counted(EGRESS, done, rule.name, table, _only(sent))
        add(counts, f"rule {rule.name}: {words}", rule.place)
        if look_ups:
            missed, words = ENDED[look_ups[0].miss.shown]
            counts = ir.Counted(EGRESS, missed, rule.name, table, reason=NO_ROW)
            add(counts, f"rule {rule.name}: no row in {' or '.join(tables)}, {words}", rule.place)
    otherwise, words = ENDED[egress.default.ending.verdict]
    add(ir.Counted(EGRESS, otherwise, reason="default"), f"no rule matched: {words}", egress.default.place)
    families = "IPv4 nor IPv6" if len(egress.families) == 2 else "IPv4" if egress.families == ("ipv4",) else "IPv6"
    words = f"neither {families}" if len(egress.families) == 2 else f"not {families}"
    outcome("other", passed, f"{words} by the frame's type, such as ARP and frames with a tag: passed")
    outcome("malformed", dropped, "an unreadable IP header: dropped")
    if egress.fragments:
        outcome(
            "no_first_fragment",
            noted,
            "a later fragment whose first one was not seen: rules by port follow on_miss, none lets it pass",
        )
    for reason, words in BEFORE.items():
        if any(before.counter == egress_counter(reason) for before in egress.before):
            outcome(reason, passed, f"{words}: passed")
    if encapsulates:
        outcome("too_big", dropped, "longer than the device's MTU when encapsulated: dropped")
        if "ipv4" in egress.families:
            outcome("without_df", noted, "too big, and IPv4 without DF: its sender may not be told what fits")
        if egress.paths and "ipv6" in egress.families and "ipv6" in egress.paths.families:
            words = "IPv6 whose smallest MTU, 1280, does not fit the path, which is IPv6's too: dropped"
            outcome("path_too_small", dropped, words)
        if egress.too_big is ir.TooBig.ICMP:
            outcome("answered", noted, "too big: its sender was told what fits")
            outcome("answers_limited", noted, "too big: its sender is told too often already")
        if any(e.stack.per_segment for e in egress.encapsulators):
            words = "a GSO packet for headers that the kernel cannot write in each segment: dropped"
            outcome("gso", dropped, words)
        words = "datagrams sent with UDP_SEGMENT by a device that does not fill in checksums: dropped"
        outcome("gso_checksum", dropped, words)
        if "ipv6" in egress.families:
            outcome("gso_jumbo", dropped, "IPv6 BIG TCP, which this kernel cannot segment in a tunnel: dropped")
        outcome("no_headroom", dropped, "the kernel could not add headroom for the headers: dropped")
    if any(d.by_row for d in egress.dispatches):
        outcome("unknown_stack", dropped, "a row whose stack this program does not know: dropped")


def _done(rule: ir.EgressRule) -> tuple[ir.Outcome, str]:
    """What becomes of the packets that a rule decides."""
    if not rule.steps:
        return ENDED[rule.ending.verdict]
    step = rule.steps[0]
    match step:
        case ir.LookUp(find=ir.ByChoice()):
            words = "encapsulated by its socket's choice"
        case ir.LookUp():
            words = "encapsulated"
        case ir.Recall():
            words = "encapsulated in the received headers"
        case _:
            assert_never(step)
    return ir.Outcome.ENCAPSULATED, words


def refusals_member(encapsulation: str) -> str:
    """Where in `struct counters` the library's reasons stand for which packets of an encapsulation are refused."""
    return f"refused_{c_name(encapsulation)}"


def refusal_member(encapsulation: str, reason: str) -> str:
    """The same of one reason, the library's or one of the encapsulation's own."""
    refused = refusals_member(encapsulation)
    return f"{refused}.{reason}" if reason in LIBRARY["refusals"] else f"{refused}__{reason}"


WORDS = {
    "options": "IPv4 options in the outer header",
    "fragment": "a fragment of an outer packet",
    "header_checksum": "a wrong outer header checksum",
    "version": "a wrong outer IP version",
}


WRONG_LENGTH = "a wrong length of {}"


def _options(stack: ir.Stack) -> list[tuple[str, str]]:
    if stack.variable is None or stack.variable.options is None:
        return []
    header, listed = stack.variable.layer, stack.variable.options.options
    found = [
        (f"{header}_options", "options that are too long, repeated, or of another length than expected"),
        (f"{header}_options_critical", "a critical option that the spec does not list"),
    ]
    if listed:
        found.append((f"{header}_options_missing", "not all options that the spec lists"))
    fixed = [o for o in listed if not isinstance(o.source, ir.FromRow)]
    return found + [(o.reason, f"another value of option {o.name}") for o in fixed]


def refusals(decapsulation: ir.Decapsulation, outer: ir.OuterHeader) -> Sequence[tuple[str, str]]:
    """(reason, words) over one outer family, in the order the program checks."""
    found = [("truncated", "shorter than its headers")]
    checks = (*outer.checks, *decapsulation.checks)
    found += [(c.reason, WORDS.get(c.reason, f"wrong {c.reason.replace('_', ' ')}")) for c in checks]
    part = outer.stack.variable
    found += [(part.reason, WRONG_LENGTH.format(part.received))] if part and part.reason else []
    found += _options(outer.stack)
    found += [(check.reason, f"a wrong checksum of {check.layer}") for check in decapsulation.checksums]
    if outer.checksum:
        found.append(("header_checksum", WORDS["header_checksum"]))
    found.append(("length", "lengths that contradict the packet"))
    if isinstance(decapsulation.inner, ir.NamedByField) and decapsulation.inner.tagged:
        found.append(("vlan", "a VLAN tag other than VLAN 0 in the inner frame"))
    found.append(("payload", "the inner packet is neither IPv4 nor IPv6"))
    found += [(reason, UNTAKEN[reason]) for reason in _untaken(decapsulation.otherwise)]
    lookups = [rule.lookup for rule in decapsulation.rules if rule.lookup]
    found += [(found_by.miss, f"{found_by.miss.replace('_', ' ')} not in {found_by.table}") for found_by in lookups]
    found.append(("ecn", "congestion marked on a packet that is not ECN capable (RFC 6040)"))
    found.append(("gso", "a GSO packet that holds several tunnel datagrams"))
    found.append(("pull_failed", "the kernel could not remove the headers"))
    return found


UNTAKEN = {"source": "an outer source that no rule lists", "match": "an inner packet that no rule matches"}


def _untaken(otherwise: ir.Otherwise | None) -> tuple[str, ...]:
    """The reasons for which a packet is refused that no rule takes."""
    match otherwise:
        case None:
            return ()
        case ir.Refuse(reason):
            return (reason,)
        case ir.RefuseBySource(unlisted, unmatched):
            return unlisted, unmatched
        case _:
            assert_never(otherwise)
