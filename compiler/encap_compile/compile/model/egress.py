"""What leaves: rules in the order written; the first that a packet meets decides."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network

from ...common.fnv import fnv1a
from ...common.values import address_text
from .. import ir
from . import fit
from .attribution import attribute_packet
from .conditions import contains, first_unmet, in_prefixes, text
from .encapsulate import dispatch
from .facts import Network, Row, Value, any_address, plain
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
HIDDEN = ("source_port", "destination_port", "protocol")  # what a fragment or an odd header chain may not show
ACTIONS = {"pass": Verdict.PASS, "drop": Verdict.DROP}


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
    if _carries_own_stack(run, packet):
        run.count("egress_own_stack")
        return Verdict.PASS
    if _stays_on_link(egress, packet):
        run.count("egress_link_local")
        return Verdict.PASS
    if program.attribution is not None:
        attribute_packet(run, packet)
    return _Rules(run, packet).apply()


def _carries_own_stack(run: Run, packet: Packet) -> bool:
    """By the outer protocol and port, from one of our outer sources, to an end of the spec's tunnels."""
    egress, facts = run.machine.program.egress, run.machine.facts
    for signature in egress.signatures:
        port = signature.port < 0 or packet.destination_port == signature.port
        if packet.family == signature.family and packet.protocol in signature.protocols and port:
            return packet.source in facts.own and any(_is_end(run, packet, end) for end in egress.tunnel_endpoints)
    return False


def _is_end(run: Run, packet: Packet, end: ir.TunnelEndpoint) -> bool:
    facts = run.machine.facts
    if end.family and end.family != packet.family:
        return False
    if end.prefixes:
        return in_prefixes(packet.destination, packet.family, end.prefixes)
    if end.map:
        known = facts.sets.get(end.map)
        return (
            packet.destination in known if known is not None else contains(packet.destination, facts.prefixes[end.map])
        )
    if end.value:
        host = end.value.startswith("host.")
        value = facts.host[end.value.removeprefix("host.")] if host else run.machine.constants.words[end.value]
        assert isinstance(value, bytes)
        return any_address(value) == packet.destination
    return True


def _stays_on_link(egress: ir.EgressProgram, packet: Packet) -> bool:
    if egress.discovery and packet.discovery:
        return True
    return packet.family in egress.link_local and in_prefixes(
        packet.destination, packet.family, LINK_LOCAL[packet.family]
    )


class _Rules:
    """One packet and the rules. `kept`: a rule may have encapsulated it, so that it must not leave unencapsulated."""

    def __init__(self, run: Run, packet: Packet) -> None:
        self.run, self.packet, self.machine = run, packet, run.machine
        self.program = run.machine.program
        self.hides = packet.hides(self.program.packet)
        self.lost = packet.fragment and packet.ports_unseen  # its first fragment was not seen: it may be any rule's
        self.kept = False

    def apply(self) -> Verdict:
        egress = self.program.egress
        for rule in egress.rules:
            unmet = first_unmet(
                rule.conditions, self.packet, self.program.packet, self.machine.facts, self.machine.constants.cgroups
            )
            if unmet is not None:
                self.run.step(Did.TRIED, rule.name, f"not {text(unmet, self.machine.cgroup_paths)}", rule.place)
                continue
            self.run.step(Did.MATCHED, rule.name, rule.text, rule.place)
            verdict = self._take(rule)
            if verdict is not None:
                return verdict
        if egress.default == "pass" and self.kept:
            return Verdict.DROP
        self.run.rule = "default"
        self.run.count("egress_default")
        return ACTIONS[egress.default]

    def _take(self, rule: ir.EgressRule) -> Verdict | None:
        """None: the next rule decides."""
        if rule.action == "encapsulate":
            return self._encapsulate(rule)
        if rule.action == "socket":
            return self._chosen(rule)
        if rule.action == "reflect":
            return self._reflect(rule)
        if rule.action == "pass" and self.kept:
            return Verdict.DROP
        self.run.rule = rule.name
        self.run.count(f"egress_rule_{rule.c_name}")
        return ACTIONS[rule.action]

    # ---- rows -------------------------------------------------------------------------------------------------------

    def _encapsulate(self, rule: ir.EgressRule) -> Verdict | None:
        loses = self._loses_fragments(rule)
        row = None if loses and self.lost else self._row(rule)
        if row is not None:
            return self._send(rule, rule.table, row)
        verdict = self._miss(rule, rule.table)
        if loses and rule.on_miss != "drop" and not self._key_may_hide(rule):
            self.kept |= self.lost
        return verdict

    def _chosen(self, rule: ir.EgressRule) -> Verdict | None:
        table, number = self.packet.socket.choice
        for choice in rule.choices:
            if table != self.machine.constants.number(choice.constant) or (choice.ids and number not in choice.ids):
                continue
            rows = self.machine.facts.tables[choice.table]
            row = next((r for name, r in rows.by_name.items() if fnv1a(name) == number), None)
            if row is not None:
                return self._send(rule, choice.table, row)
            return self._miss(rule, choice.table)
        return None

    def _miss(self, rule: ir.EgressRule, table: str) -> Verdict | None:
        self.run.rule = rule.name
        self.run.step(Did.MISSED, table, f"no row: {rule.on_miss}", rule.place)
        self.run.count(f"egress_miss_{rule.c_name}")
        if rule.on_miss == "drop":
            return Verdict.DROP
        if self._key_may_hide(rule) and self.hides:  # what tells its row is hidden: it may belong to one that has one
            return Verdict.DROP
        if rule.on_miss == "pass" and not (self._match_may_hide(rule) and self.hides):
            return Verdict.PASS
        return None

    def _row(self, rule: ir.EgressRule) -> Row | None:
        rows = self.machine.facts.tables[rule.table]
        if rule.row_name:
            return rows.by_name.get(rule.row_name)
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

    def _send(self, rule: ir.EgressRule, table: str, row: Row) -> Verdict:
        self.run.rule = rule.name
        self.run.step(Did.FOUND, table, row.name or f"row {row.line}")
        function = next(d for d in self.program.egress.dispatches if d.function == f"encapsulate_{table}")
        case = self.machine.stacks[row.stack].constant if row.stack else ""
        return dispatch(self.run, self.packet, function, case, row.fields)

    def _reflect(self, rule: ir.EgressRule) -> Verdict | None:
        learned = find_learned(self.run, self.packet, rule.learned)
        if learned is None:
            self.run.step(Did.MISSED, rule.name, "nothing learned", rule.place)
            return None
        self.run.rule = rule.name
        self.run.step(Did.FOUND, rule.name, f"learned from {learned.stack}")
        function = next(d for d in self.program.egress.dispatches if d.function == f"reflect_{rule.table}")
        return dispatch(self.run, self.packet, function, learned.stack, learned.values)

    # ---- what is hidden ---------------------------------------------------------------------------------------------

    def _asked(self) -> bool:
        needs = self.program.packet
        return needs.ports or (needs.protocol and "ipv6" in needs.families)

    def _match_may_hide(self, rule: ir.EgressRule) -> bool:
        """Whether the rule takes packets for matching that do not show what it asks for."""
        return self._asked() and any(isinstance(c, ir.InRanges) and c.unseen for c in rule.conditions)

    def _key_may_hide(self, rule: ir.EgressRule) -> bool:
        if rule.action != "encapsulate":
            return False
        rows = self.machine.facts.tables[rule.table]
        return self._asked() and any(name in HIDDEN for name in rows.exact)

    def _loses_fragments(self, rule: ir.EgressRule) -> bool:
        return self.program.egress.fragments and (self._match_may_hide(rule) or self._key_may_hide(rule))
