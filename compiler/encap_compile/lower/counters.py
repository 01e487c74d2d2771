"""Every outcome has a counter with a name: `struct counters`, in the order a packet can meet them.

What the C library counts by itself stands in structs of the library, which are the same in all programs (`LIBRARY`). A
program may have a use for some of their members only; the others have no name outside, and stay zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .. import ir
from .names import c_name, member_name

SIZE = 16  # bytes of a counter: packets and bytes, two u64
LIBRARY = {
    # encap_counters.h
    "egress_outcomes": (
        "other", "malformed", "no_first_fragment", "own_stack", "link_local", "too_big", "gso", "no_room",
        "unknown_stack",
    ),
    "refusals": (
        "truncated", "options", "fragment", "version", "header_checksum", "length", "vlan", "payload", "source",
        "match", "ecn", "gso", "room",
    ),
    "flow_outcomes": ("learned", "changed", "disbelieved", "evicted"),
}  # fmt: skip


class CounterLayout(NamedTuple):
    """The counters and their places, the members of `struct counters`, and its size in bytes."""

    counters: tuple[ir.CounterMember, ...]
    slots: tuple[ir.CounterSlot, ...]
    size: int


def lower_counters(
    egress: ir.EgressProgram,
    ingress: ir.IngressProgram | None,
    learns: bool,
    owners: ir.Owners | None,
    clamps: bool,
    fit: ir.Fit | None,
) -> tuple[ir.CounterMember, ...]:
    found: dict[str, ir.CounterMember] = {}

    def add(name: str, kind: str, text: str, place: str = "", formerly: str = "", member: str = "") -> None:
        found.setdefault(name, ir.CounterMember(name, kind, text, place, formerly, member or name))

    encapsulates = bool(egress.encapsulators)
    if egress.needed:
        _egress(egress, encapsulates, add)
        if owners and owners.levels:
            words = "of a closed connection, remembered by a version with other cgroups: dropped"
            add("egress_renamed", "dropped", words)
    if owners and owners.guard:
        words = "a rule encapsulates it, and its route leaves by a device that is not attached: dropped"
        add("egress_unattached", "dropped", words)
    if clamps and (encapsulates or egress.fits):
        add("egress_mss_kept", "noted", MSS_KEPT)
    if clamps and ingress and (ingress.clamps or learns or (fit and fit.answers)):
        add("ingress_mss_kept", "noted", MSS_KEPT)
    for connect in owners.connects if owners else ():
        words = f"{connect.chosen} was chosen" if connect.chosen else "nothing was chosen"
        text = f"rule {connect.name}: sockets for which {words}"
        add(f"connect_rule_{connect.c_name}", "connect", text, connect.place, _formerly("connect", connect.name))
    for decapsulator in ingress.decapsulators if ingress else ():
        for rule_ in decapsulator.rules:
            text, was = f"rule {rule_.name}: decapsulated", _formerly("ingress", rule_.name)
            add(f"ingress_rule_{rule_.c_name}", "decapsulated", text, rule_.place, was)
    for name, text in FLOWS.items() if learns else REMEMBERED.items() if owners else ():
        add(name, "flows", text, member=name.replace("_", "."))
    if ingress is None:
        return _told_apart(found)
    refused = "dropped" if ingress.refuse == "drop" else "left as it is"
    for decapsulator in ingress.decapsulators:
        encapsulation = decapsulator.stack.encapsulation
        for reason, text in refusals(decapsulator):
            was = _formerly("refused", encapsulation, reason.removeprefix(f"{member_name(encapsulation)}_"))
            words, member = f"{encapsulation}: {text}: {refused}", refusal_member(encapsulation, reason)
            add(f"refused_{c_name(encapsulation)}__{reason}", "refused", words, formerly=was, member=member)
    return _told_apart(found)


def _formerly(*parts: str) -> str:
    return "_".join(member_name(part) for part in parts)


def _told_apart(found: dict[str, ir.CounterMember]) -> tuple[ir.CounterMember, ...]:
    """What the first release called a counter, where that says which: two could have one name, and count together."""
    claimed = set(found)
    counters = []
    for counter in found.values():
        counters.append(counter._replace(formerly="") if counter.formerly in claimed else counter)
        claimed.add(counter.formerly)
    return tuple(counters)


def lay_out(counters: Sequence[ir.CounterMember]) -> CounterLayout:
    """Place each counter in `struct counters`; a struct of the library stands where its first counter would."""
    slots: dict[str, ir.CounterSlot] = {}
    offsets: dict[str, int] = {}
    size = 0
    placed = []
    for counter in counters:
        slot, _, within = counter.member.partition(".")
        type_ = _struct(slot) if within else "counter"
        if slot not in slots:
            where = f" ({counter.place})" if counter.place else ""
            slots[slot] = ir.CounterSlot(type_, slot, "" if within else f"{counter.text}{where}")
            offsets[slot] = size
            size += SIZE * (len(LIBRARY[type_]) if within else 1)
        position = LIBRARY[type_].index(within) if within else 0
        placed.append(counter._replace(offset=offsets[slot] + SIZE * position))
    return CounterLayout(tuple(placed), tuple(slots.values()), size)


def _struct(slot: str) -> str:
    """Which struct of the library a member of `struct counters` is."""
    return {"egress": "egress_outcomes", "flows": "flow_outcomes"}.get(slot, "refusals")


DONE = {
    "encapsulate": ("chosen", "encapsulated"),
    "socket": ("chosen", "encapsulated as its socket chose"),
    "reflect": ("chosen", "encapsulated as it came in"),
    "pass": ("passed", "passed in the clear"),
    "drop": ("dropped", "dropped"),
}
FLOWS = {
    "flows_learned": "a flow that was not known: learned",
    "flows_changed": "a known flow that came in with other headers: learned anew",
    "flows_disbelieved": "other headers, by a TCP segment that does not fit its connection: not learned",
    "flows_evicted": "a flow that was not idle yet gave way to another",
}
MSS_KEPT = "a SYN that is authenticated with its options (TCP-AO): its MSS was not lowered"
REMEMBERED = {
    "flows_learned": "a connection of which it was not known whose it is: remembered",
    "flows_changed": "a connection that became another socket's, or whose socket chose anew: remembered anew",
    "flows_evicted": "a connection that was not idle yet gave way to another",
}


def _egress(egress: ir.EgressProgram, encapsulates: bool, add: Callable[..., None]) -> None:
    def outcome(name: str, kind: str, text: str) -> None:
        add(f"egress_{name}", kind, text, member=f"egress.{name}")

    for rule in egress.rules:
        kind, done = DONE[rule.action]
        was = _formerly("egress", rule.name)
        add(f"egress_rule_{rule.c_name}", kind, f"rule {rule.name}: {done}", rule.place, was)
        if rule.action in ("encapsulate", "socket"):
            missed = {"drop": "dropped", "pass": "passed in the clear", "next": "went to the next rule"}[rule.on_miss]
            kind = {"drop": "dropped", "pass": "passed", "next": "passed"}[rule.on_miss]
            table = rule.table or " or ".join(c.table for c in rule.choices)
            text = f"rule {rule.name}: no row in {table}, {missed}"
            add(f"egress_miss_{rule.c_name}", kind, text, rule.place, f"{was}_no_row")
    default = "passed in the clear" if egress.default == "pass" else "dropped"
    add(
        "egress_default",
        "passed" if egress.default == "pass" else "dropped",
        f"no rule: {default}",
        egress.default_place,
    )
    families = "IPv4 nor IPv6" if len(egress.families) == 2 else "IPv4" if egress.families == ("ipv4",) else "IPv6"
    words = f"neither {families}" if len(egress.families) == 2 else f"not {families}"
    outcome("other", "passed", f"{words} by its frame, as ARP and tags within the frame: passed")
    outcome("malformed", "dropped", "an IP header that cannot be read: dropped")
    if egress.fragments:
        outcome(
            "no_first_fragment",
            "noted",
            "a later fragment whose first one was not seen: rules by port follow on_miss, none lets it pass",
        )
    if egress.signatures:
        outcome("own_stack", "passed", "already encapsulated by this host: passed")
    if egress.link_local or egress.discovery:
        outcome("link_local", "passed", "link-local, link-scope multicast or neighbour discovery: passed")
    if encapsulates:
        outcome("too_big", "dropped", "encapsulated it would be longer than the device's MTU: dropped")
        if any(e.stack.per_segment for e in egress.encapsulators):
            words = "a GSO packet for headers that the kernel cannot write in each segment: dropped"
            outcome("gso", "dropped", words)
        outcome("no_room", "dropped", "the kernel could not make room for the headers: dropped")
    if any(d.by_row for d in egress.dispatches):
        outcome("unknown_stack", "dropped", "a row of a kind that this program does not know: dropped")


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


def _options(stack: ir.Stack) -> list[tuple[str, str]]:
    if stack.tail is None or stack.tail.options is None:
        return []
    header, listed = stack.tail.layer, stack.tail.options.options
    found = [
        (f"{header}_options", "options longer than there is room, twice, or of another length than expected"),
        (f"{header}_options_critical", "a critical option that the spec does not list"),
    ]
    if listed:
        found.append((f"{header}_options_missing", "not all options that the spec lists"))
    fixed = [o for o in listed if not isinstance(o.source, ir.FromRow)]
    return found + [(o.reason, f"another value of option {o.name}") for o in fixed]


def refusals(decapsulator: ir.Decapsulator) -> Sequence[tuple[str, str]]:
    """(reason, words) in the order the program judges."""
    found = [("truncated", "shorter than its headers")]
    found += [(c.reason, WORDS.get(c.reason, f"wrong {c.reason.replace('_', ' ')}")) for c in decapsulator.checks]
    found += _options(decapsulator.stack)
    if decapsulator.checksum_layer:
        found.append(("header_checksum", WORDS["header_checksum"]))
    found.append(("length", "lengths that contradict the packet"))
    if decapsulator.tagged:
        found.append(("vlan", "a VLAN tag in the inner frame, other than of VLAN 0"))
    found.append(("payload", "what is inside is no IPv4 or IPv6 packet"))
    if any(r.source_kind != "any" for r in decapsulator.rules):
        found.append(("source", "an outer source that no rule lists"))
    if all(r.match for r in decapsulator.rules):
        found.append(("match", "an inner packet that no rule matches"))
    found += [(i.reason, f"{i.reason.replace('_', ' ')} not in {i.table}") for i in decapsulator.identifiers]
    found.append(("ecn", "congestion marked on a packet that cannot say so (RFC 6040)"))
    found.append(("gso", "a super-packet of several outer packets"))
    found.append(("room", "the kernel could not take the headers off"))
    return found
