"""What leaves: rules in the order written; the first that a packet meets decides."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import assert_never

from ...common.fnv import fnv1a
from ...common.values import address_text
from .. import ir
from . import fit
from .attribution import attribute_packet
from .conditions import contains, first_unmet, in_prefixes, text
from .encapsulate import dispatch
from .facts import Facts, Network, Row, Rows, Value, any_address, plain
from .flows import find_learned
from .fragments import follow_first
from .frame import Did, Verdict
from .packet import ETHER, Packet, parse
from .run import Run

# RFC 3927; RFC 5771, section 4; RFC 919; RFC 4291, sections 2.5.6 and 2.7
LINK_LOCAL: Mapping[str, tuple[Network, ...]] = {
    "ipv4": (IPv4Network("169.254.0.0/16"), IPv4Network("224.0.0.0/24"), IPv4Network("255.255.255.255/32")),
    "ipv6": (IPv6Network("fe80::/10"), IPv6Network("ff01::/16"), IPv6Network("ff02::/16")),
}
WORDS = {  # as the spec says it
    ir.Verdict.PASS: "pass",
    ir.Verdict.PASS_UNLESS_KEPT: "pass",
    ir.Verdict.DROP: "drop",
    ir.Verdict.NEXT: "next",
}


def leave(run: Run) -> Verdict:
    program = run.machine.program
    egress, needs = program.egress, program.packet
    if egress.fits:
        fit.leaves(run)
    if not egress.needed:
        return Verdict.PASS
    if run.family not in needs.families:
        run.count("egress_other")
        return Verdict.PASS
    packet = parse(run.data, ETHER, run.family, run.mark, needs)
    if packet is None:
        run.count("egress_malformed")
        return Verdict.DROP
    run.step(Did.READ, packet.family, f"{address_text(packet.source)} to {address_text(packet.destination)}")
    if egress.fragments and packet.fragment and not follow_first(run, packet, leaves=True):
        run.count("egress_no_first_fragment")
    for before in egress.before:
        if any(_is_aside(run, packet, kind) for kind in before.kinds):
            run.count(before.counter)
            return Verdict.PASS
    if program.attribution is not None:
        attribute_packet(run, packet)
    return _Rules(run, packet).apply()


def _is_aside(run: Run, packet: Packet, kind: ir.Aside) -> bool:
    match kind:
        case ir.Aside.OWN_STACK:
            return _carries_own_stack(run, packet)
        case ir.Aside.DISCOVERY:
            return packet.discovery
        case ir.Aside.LINK_LOCAL_IPV4 | ir.Aside.LINK_LOCAL_IPV6:
            family = "ipv4" if kind is ir.Aside.LINK_LOCAL_IPV4 else "ipv6"
            return packet.family == family and in_prefixes(packet.destination, family, LINK_LOCAL[family])
        case _:
            assert_never(kind)


def _carries_own_stack(run: Run, packet: Packet) -> bool:
    """By the outer protocol and port, from one of our outer sources, to an endpoint of the spec's tunnels."""
    own, facts = run.machine.program.egress.own, run.machine.facts
    for signature in own.signatures if own else ():
        family = not signature.family or packet.family == signature.family
        port = signature.port is None or packet.destination_port == signature.port.number
        if own and family and packet.protocol in signature.protocols and port:
            return packet.source in facts.own and any(_goes_to(facts, packet, found) for found in own.endpoints)
    return False


def _goes_to(facts: Facts, packet: Packet, endpoint: ir.TunnelEndpoint) -> bool:
    match endpoint:
        case ir.EndpointMap():
            if endpoint.family and endpoint.family != packet.family:
                return False
            known = facts.sets.get(endpoint.map)
            if known is not None:
                return packet.destination in known
            return contains(packet.destination, facts.prefixes[endpoint.map])
        case ir.EndpointPrefixes():
            return in_prefixes(packet.destination, packet.family, endpoint.prefixes)
        case ir.EndpointAddress():
            source = endpoint.source
            value = facts.host[source.member] if isinstance(source, ir.FromHost) else source.value
            if not isinstance(value, bytes):
                value = value.to_bytes(4 if endpoint.family == "ipv4" else 16, "big")
            return packet.family == endpoint.family and any_address(value) == packet.destination
        case ir.Anywhere():
            return True
        case _:
            assert_never(endpoint)


class _Rules:
    """One packet and the rules. `kept`: a rule may have encapsulated it, so that it must not leave unencapsulated."""

    def __init__(self, run: Run, packet: Packet) -> None:
        self.run, self.packet, self.machine = run, packet, run.machine
        self.program = run.machine.program
        self.hides = packet.hides(self.program.packet.hides)
        self.lost = packet.fragment and packet.ports_unseen  # its first fragment was not seen: it may be any rule's
        self.kept = False

    def apply(self) -> Verdict:
        egress = self.program.egress
        for rule in (*egress.rules, egress.default):
            unmet = first_unmet(
                rule.conditions, self.packet, self.program.packet, self.machine.facts, self.machine.constants.cgroups
            )
            if unmet is not None:
                self.run.step(Did.TRIED, rule.name, f"not {text(unmet, self.machine.cgroup_paths)}", rule.place)
                continue
            if rule is not egress.default:
                self.run.step(Did.MATCHED, rule.name, rule.text, rule.place)
            verdict = self._take(rule)
            if verdict is not None:
                return verdict
        raise AssertionError("the default decides")

    def _take(self, rule: ir.EgressRule) -> Verdict | None:
        """None: the next rule decides."""
        for step in rule.steps:
            verdict = self._step(rule, step)
            if verdict is not None:
                return verdict
        if rule.ending.verdict is ir.Verdict.PASS_UNLESS_KEPT and self.kept:
            return Verdict.DROP
        verdict = self._end(rule.ending.verdict)
        if verdict is not None:
            self.run.rule = rule.name
            self.run.count(rule.ending.counter)
        return verdict

    # ---- verdicts ---------------------------------------------------------------------------------------------------

    def _end(self, verdict: ir.Verdict) -> Verdict | None:
        """None: the next step or rule decides."""
        match verdict:
            case ir.Verdict.PASS:
                return Verdict.PASS
            case ir.Verdict.PASS_UNLESS_KEPT:
                return Verdict.DROP if self.kept else Verdict.PASS
            case ir.Verdict.DROP:
                return Verdict.DROP
            case ir.Verdict.NEXT:
                return None
            case _:
                assert_never(verdict)

    # ---- steps ------------------------------------------------------------------------------------------------------

    def _step(self, rule: ir.EgressRule, step: ir.Step) -> Verdict | None:
        match step:
            case ir.LookUp():
                return self._look_up(rule, step)
            case ir.Recall():
                return self._recall(rule, step)
            case _:
                assert_never(step)

    def _look_up(self, rule: ir.EgressRule, step: ir.LookUp) -> Verdict | None:
        find = step.find
        match find:
            case ir.ByKey():
                row = self._row(find.table)
            case ir.ByName():
                row = self._rows(find.table).by_name.get(find.row.name)
            case ir.ByChoice():
                if not self._chose(find):
                    return None
                number = self.packet.socket.choice[1]
                row = next((r for name, r in self._rows(find.table).by_name.items() if fnv1a(name) == number), None)
            case _:
                assert_never(find)
        if row is None or (step.skips_lost and self.lost):
            return self._miss(rule, find.table, step.miss)
        self._found(rule, step, find.table, row.name or f"row {row.line}")
        case = self.machine.stacks[row.stack].constant if row.stack else ""
        return self._send(step, case, row.fields)

    def _chose(self, find: ir.ByChoice) -> bool:
        table, number = self.packet.socket.choice
        ids = {row.id for row in find.rows}
        return table == self.machine.constants.number(find.constant) and (not ids or number in ids)

    def _recall(self, rule: ir.EgressRule, step: ir.Recall) -> Verdict | None:
        learned = find_learned(self.run, self.packet, step.rule)
        if learned is None:
            self.run.step(Did.MISSED, rule.name, "nothing learned", rule.place)
            return None
        self._found(rule, step, rule.name, f"learned from {learned.stack}")
        return self._send(step, learned.stack, learned.values)

    def _found(self, rule: ir.EgressRule, step: ir.Step, where: str, what: str) -> None:
        self.run.rule, self.run.chosen = rule.name, step.counter
        self.run.step(Did.FOUND, where, what)

    def _send(self, step: ir.Step, case: str, values: Mapping[str, Value]) -> Verdict:
        function = next(d for d in self.program.egress.dispatches if d.function == step.send)
        return dispatch(self.run, self.packet, function, case, values)

    def _miss(self, rule: ir.EgressRule, table: str, miss: ir.Miss) -> Verdict | None:
        verdict = miss.hidden if self.hides else miss.shown
        self.run.rule = rule.name
        self.run.step(Did.MISSED, table, f"no row: {WORDS[miss.shown]}", rule.place)
        self.run.count(miss.counter)
        ended = self._end(verdict)
        self.kept |= miss.keeps and self.lost
        return ended

    # ---- rows -------------------------------------------------------------------------------------------------------

    def _rows(self, table: str) -> Rows:
        return self.machine.facts.tables[table]

    def _row(self, table: str) -> Row | None:
        """The row that the packet's key finds."""
        rows = self._rows(table)
        packet = self.packet
        values: dict[str, Value | None] = {
            # An IPv6 packet to a mapped address (RFC 4291, section 2.5.5.2) counts as one to what it is mapped from.
            "destination": plain(packet.destination),
            "source": plain(packet.source),
            "protocol": packet.protocol,
            "destination_port": packet.destination_port,
            "source_port": packet.source_port,
            "dscp": packet.dscp,
            "mark": packet.mark,
            "cgroup": packet.socket.cgroup.encode() if packet.socket.cgroup is not None else None,
        }
        exact = [values[name] for name in rows.exact]
        address = values[rows.prefix] if rows.prefix else b""
        if None in exact or not isinstance(address, bytes):
            return None
        return rows.find(tuple(v for v in exact if v is not None), address)
