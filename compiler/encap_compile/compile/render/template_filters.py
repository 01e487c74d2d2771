"""What templates may ask of the program: text for what is decided, no decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import ir
from ..lower.c_names import row_name_constant
from ..lower.tables import row_id
from ..program_types import HOOKS
from . import conditions
from .attribution import OWNER_FILTERS
from .counting import COUNTING_FILTERS
from .encapsulate import ENCAPSULATE_FILTERS
from .receive import RECEIVE_FILTERS
from .rule_values import connect_base, egress_base, ingress_base, rule_values
from .shared_matches import rule_condition, shared_matches
from .tails import TAIL_FILTERS
from .tunnel_endpoints import (
    compares_ipv6,
    only_tunnel_endpoint,
    recognises_tunnel_endpoints,
    set_key,
    tunnel_endpoint_condition,
)

FAMILIES = ("ipv4", "ipv6")


def named_rows(program: ir.Program) -> list[tuple[str, int]]:
    found = {row_name_constant(r.table, r.row_name): row_id(r.row_name) for r in program.egress.rules if r.row_name}
    for rule in program.egress.rules:
        for choice in rule.choices:
            found.update(zip(choice.rows, choice.ids, strict=True))
    for connect in program.attribution.connects if program.attribution else ():
        if connect.chosen:
            table, _, row = connect.chosen.partition("/")
            found[row_name_constant(table, row)] = row_id(row)
    return list(found.items())


def stacks_by_row(program: ir.Program) -> list[ir.Stack]:
    found = {e.stack.name: e.stack for d in program.egress.dispatches if d.by_row for e in d.encapsulators}
    if program.flows:
        arriving = [d.stack for d in (program.ingress.decapsulators if program.ingress else ()) if d.learns]
        found.update({s.name: s for s in arriving})
    return list(found.values())


def struct_member(member: ir.StructMember) -> str:
    return f"{member.ctype} {member.name}{f'[{member.array}]' if member.array else ''}"


def used_tables(egress: ir.EgressProgram) -> set[str]:
    return set(tables_with_rows(egress))


def may_lose_fragments(egress: ir.EgressProgram, program: ir.Program) -> bool:
    return any(loses_fragments(rule, program) for rule in egress.rules)


def tables_with_rows(egress: ir.EgressProgram) -> list[str]:
    chosen = {r.table: None for r in egress.rules if r.action == "encapsulate"}
    return list(chosen | {c.table: None for r in egress.rules for c in r.choices})


def destination(rule: ir.EgressRule) -> str:
    """The label that a rule goes to, which is the name of its function too."""
    return f"{ir.verb(rule.action)}_{rule.table}"


def dispatched(egress: ir.EgressProgram) -> list[tuple[str, str]]:
    """Where rules lead to: each label, and what holds the values."""
    values = {"reflect": "&flow->learned"}
    found = {destination(r): values.get(r.action, f"row_{r.table}") for r in egress.rules if r.table}
    found |= {f"encapsulate_{c.table}": f"row_{c.table}" for r in egress.rules for c in r.choices}
    return list(found.items())


def row_constant(row: ir.FixedRow, table: ir.TableMap) -> str:
    return f"{row.row_id:#010x}"


def _from_packet(member: str) -> str:
    return "packet->socket.cgroup" if member == "cgroup" else f"packet->{conditions.MEMBERS.get(member, member)}"


def needs(packet: ir.PacketNeeds) -> list[str]:
    """The flags of what the program asks of a packet."""
    wanted = {
        "PROTOCOL": packet.protocol,
        "PORTS": packet.ports,
        "DSCP": packet.dscp,
        "TTL": packet.ttl,
        "MARK": packet.mark,
        "LENGTH": packet.length,
        "FRAGMENT": packet.hash or packet.flow or packet.fragments,
        "FIRST_FRAGMENT": packet.fragments,
        "DISCOVERY": packet.discovery,
        "SOCKET": packet.socket,
    }
    return [f"NEED_{name}" for name, there in wanted.items() if there]


def key_initialisers(table: ir.TableMap, exact: bool = False, p: ir.Program | None = None) -> str:
    """Designated initialisers of a key from the packet; `exact` leaves the prefix out."""
    parts = []
    for member in table.key:
        if member.name == "prefixlen" or (member.name.startswith("pad") and member.array):
            continue
        if exact and member.name == table.prefix_member:
            continue
        source = _from_packet(member.name)
        if p is not None and member.name in ("source", "destination"):
            source = _narrowed(source, member.ctype)
        parts.append(f".{member.name} = {source}")
    return ", ".join(parts)


def _narrowed(source: str, ctype: str) -> str:
    """An address of the packet as the key's type: a table may know one family only."""
    if ctype == "struct ip_address":
        return source
    if ctype == "__be32":
        return f"{source}.word[3]"
    words = ", ".join(f"{source}.word[{i}]" for i in range(4))
    return f"{{{{{words}}}}}"


def lengths_by_family(table: ir.TableMap) -> list[tuple[str, list[int]]]:
    return [
        (family, [length for f, length in table.prefix_lengths if f == family])
        for family in FAMILIES
        if any(f == family for f, _ in table.prefix_lengths)
    ]


def masked_assignment(table: ir.TableMap, family: str, length: int, program: ir.Program) -> str:
    """Put the packet's address into the key, cut to a prefix length."""
    member = next(m for m in table.key if m.name == table.prefix_member)
    source = _from_packet(member.name)
    if member.ctype == "__be32":
        return f"key.{member.name} = {_cut(f'{source}.word[3]', length, 32)};"
    first = 96 if family == "ipv4" else 0
    lines = []
    for i in range(4):
        bits = min(max(first + length - 32 * i, 0), 32)
        lines.append(f"key.{member.name}.word[{i}] = {_cut(f'{source}.word[{i}]', bits, 32)};")
    return "\n".join(lines)


def _cut(word: str, bits: int, width: int) -> str:
    if bits == 0:
        return "0"
    if bits == width:
        return word
    return f"{word} & bpf_htonl({(0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF:#010x})"


def ingress_matches(program: ir.Program) -> bool:
    """Whether an ingress rule looks into the inner packet."""
    return any(d.any_match for d in (program.ingress.decapsulators if program.ingress else ()))


HIDDEN_WORDS = ("source_port", "destination_port", "protocol")  # what a fragment or an odd header chain may not show


def hidden(program: ir.Program) -> str:
    """Whether a packet hides its ports or its protocol, as C; `false` where every packet shows what is asked for."""
    if program.packet.ports:
        return "packet->ports_unseen"
    if program.packet.protocol and "ipv6" in program.packet.families:
        return "packet->protocol == PROTOCOL_UNSEEN"
    return ""


def key_may_hide(rule: ir.EgressRule, program: ir.Program) -> bool:
    """Whether a part of the table's key may be hidden."""
    table = next(t for t in program.tables if t.name == rule.table)
    words = {m.name for m in table.key} | {
        c.member for r in table.rows for c in r.conditions if isinstance(c, ir.InRanges)
    }
    return bool(hidden(program)) and bool(words & set(HIDDEN_WORDS))


def match_may_hide(rule: ir.EgressRule, program: ir.Program) -> bool:
    """Whether the rule takes packets for matching that do not show what it asks for."""
    return bool(hidden(program)) and any(isinstance(c, ir.InRanges) and c.unseen for c in rule.conditions)


def loses_fragments(rule: ir.EgressRule, program: ir.Program) -> bool:
    """Whether a fragment whose first one was not seen finds no row by the rule: it may be another rule's."""
    return (
        program.egress.fragments
        and rule.action == "encapsulate"
        and (match_may_hide(rule, program) or key_may_hide(rule, program))
    )


def keeps_fragments(rule: ir.EgressRule, program: ir.Program) -> bool:
    """Whether such a fragment goes on to the next rule, but not out unencapsulated."""
    return rule.on_miss != "drop" and loses_fragments(rule, program) and not key_may_hide(rule, program)


def behind_kept(egress: ir.EgressProgram, program: ir.Program) -> list[int]:
    """The places of rules that let pass, and of a default that does, behind the first that keeps fragments from it."""
    first = next((i for i, rule in enumerate(egress.rules) if keeps_fragments(rule, program)), len(egress.rules))
    actions = [*(rule.action for rule in egress.rules), egress.default]
    return [i for i, action in enumerate(actions) if i > first and action == "pass"]


def looked_up(program: ir.Program) -> list[ir.AddressMap]:
    """Maps that a match looks into, the `from` of a rule, or what identifies our packets; but those that the library
    looks into by itself."""
    ingress = [r.match for d in (program.ingress.decapsulators if program.ingress else ()) for r in d.rules]
    found = [c for r in program.egress.rules for c in r.conditions] + [c for m in ingress for c in m]
    found += [c for r in (program.attribution.connects if program.attribution else ()) for c in r.conditions]
    ends = {e.map for e in program.egress.tunnel_endpoints} if recognises_tunnel_endpoints(program) else set()
    received = [r for d in (program.ingress.decapsulators if program.ingress else ()) for r in d.rules]
    ends |= {r.source_map for r in received if r.source_map}
    names = {c.map for c in found if isinstance(c, ir.InPrefixMap)} | ends
    return [m for m in program.address_maps if m.name in names and not conditions.is_of_addresses(m)]


RULES_TOGETHER = 32  # 500 rules in one piece take clang twice as long, and become no shorter


def begins_a_group(number: int) -> bool:
    """Whether clang is kept from joining a rule with those before it; `number` counts from 0."""
    return number > 0 and number % RULES_TOGETHER == 0


def reflects(egress: ir.EgressProgram) -> bool:
    return any(r.action == "reflect" for r in egress.rules)


def merged_signatures(signatures: Sequence[ir.Signature]) -> list[ir.Signature]:
    """One for each family and protocol, however many encapsulations share it."""
    found: dict[object, ir.Signature] = {}
    for s in signatures:
        known = found.setdefault((s.protocols, s.port), s)
        if known.family != s.family:
            found[(s.protocols, s.port)] = known._replace(family="")
    return list(found.values())


def signature_condition(signature: ir.Signature, program: ir.Program) -> str:
    terms = []
    if program.packet.both and signature.family:
        terms.append("packet->is_ipv4" if signature.family == "ipv4" else "!packet->is_ipv4")
    protocols = " || ".join(f"packet->protocol == {conditions.PROTOCOLS.get(p, str(p))}" for p in signature.protocols)
    terms.append(f"({protocols})" if len(signature.protocols) > 1 else protocols)
    if signature.port >= 0:
        terms.append(f"packet->destination_port == bpf_htons({signature.port_constant})")
    return " && ".join(terms)


def row_argument(rule: ir.EgressRule, program: ir.Program) -> str:
    return row_name_constant(rule.table, rule.row_name) if rule.row_name else "packet"


def guarded_stacks(egress: ir.EgressProgram) -> list[ir.Stack]:
    """Stacks that are sent only by hosts that have the addresses for it."""
    return list({e.stack.name: e.stack for e in egress.encapsulators if e.guarded}.values())


def cases(dispatch: ir.Dispatch) -> list[tuple[str, list[ir.Encapsulator]]]:
    """What is sent in each case, in the order to be tried: all but the last are guarded."""
    found: dict[str, list[ir.Encapsulator]] = {}
    for encapsulator in dispatch.encapsulators:
        found.setdefault(encapsulator.case, []).append(encapsulator)
    return list(found.items())


def guard(stack: str) -> str:
    """Whether the host has the addresses of a stack."""
    return f"has_addresses_of_{stack}()"


def has_addresses(stack: ir.Stack) -> str:
    """The same as a condition: none of the host values in its outer addresses is missing."""
    sources = [p.source for w in stack.layers[0].words for p in w.parts if p.name in ("source", "destination")]
    members = [s.member for s in sources if isinstance(s, ir.FromHost)]
    return " && ".join(f"is_given(&host.{m})" if stack.outer_family == "ipv6" else f"host.{m}" for m in members)


def on_link(egress: ir.EgressProgram) -> list[str]:
    """What passes before the rules, any of it."""
    calls = [f"is_link_local_{family}(packet)" for family in egress.link_local]
    return ["is_discovery(skb, packet)", *calls] if egress.discovery else calls


def condition(found: Sequence[ir.Condition], program: ir.Program) -> str:
    """The conditions of a row that is compiled in, whose values stand where they are compared."""
    return conditions.all_of(found, program)


def inner_condition(rule: ir.IngressRule, program: ir.Program) -> str:
    return conditions.all_of(rule.match, program, ingress_base(rule))


def connect_condition(rule: ir.ConnectRule, program: ir.Program) -> str:
    """The same for a socket that connects: its cgroups are those that the program is attached in."""
    return conditions.all_of(rule.conditions, program, connect_base(rule), cgroups="host.cgroups")


def directions(names: Sequence[str]) -> str:
    """For which packets headers are learned, as flags."""
    return " | ".join(f"FOR_{name.upper()}" for name in names)


def reflecting(rules: Sequence[ir.EgressRule]) -> bool:
    """Whether any rule puts back on what came in."""
    return any(rule.action == "reflect" for rule in rules)


def may_fall_through(rule: ir.EgressRule, program: ir.Program) -> bool:
    """Whether a packet that comes to the rule may go on to the next: one that matches everything may end it."""
    if rule.conditions or rule.action in ("socket", "reflect"):
        return True
    if rule.action == "encapsulate":
        return rule.on_miss == "next" or (rule.on_miss == "pass" and match_may_hide(rule, program))
    return False


def asks_packet(fit: ir.Fit, program: ir.Program) -> bool:
    """Whether any rule wants to know more of an answer than that there is one."""
    return any("packet" in answer_condition(a, program) for a in fit.answers)


def answer_condition(answer: ir.Answer, program: ir.Program) -> str:
    """What an answer must meet for a rule."""
    shared = shared_matches(program).get(answer.name)
    rule = next(r for r in program.egress.rules if r.name == answer.name)
    return shared.call if shared else conditions.all_of(answer.conditions, program, egress_base(rule))


def ends_open(fit: ir.Fit) -> bool:
    """Whether there are answers that none of the rules decides."""
    last = fit.answers[-1]
    return not last.final or bool(last.conditions)


FILTERS: dict[str, Callable[..., Any]] = {
    "asks_packet": asks_packet,
    "shared_matches": shared_matches,
    "rule_condition": rule_condition,
    "ends_open": ends_open,
    "answer_condition": answer_condition,
    **COUNTING_FILTERS,
    **ENCAPSULATE_FILTERS,
    **RECEIVE_FILTERS,
    **TAIL_FILTERS,
    **OWNER_FILTERS,
    "needs": needs,
    "section": lambda hook: HOOKS[hook].section,
    "named_rows": named_rows,
    "stacks_by_row": stacks_by_row,
    "struct_member": struct_member,
    "used_tables": used_tables,
    "tables_with_rows": tables_with_rows,
    "dispatched": dispatched,
    "destination": destination,
    "row_constant": row_constant,
    "key_initialisers": key_initialisers,
    "lengths_by_family": lengths_by_family,
    "masked_assignment": masked_assignment,
    "ingress_matches": ingress_matches,
    "hidden": hidden,
    "reflecting": reflecting,
    "may_fall_through": may_fall_through,
    "key_may_hide": key_may_hide,
    "match_may_hide": match_may_hide,
    "loses_fragments": loses_fragments,
    "keeps_fragments": keeps_fragments,
    "behind_kept": behind_kept,
    "may_lose_fragments": may_lose_fragments,
    "looked_up": looked_up,
    "reflects": reflects,
    "begins_a_group": begins_a_group,
    "merged_signatures": merged_signatures,
    "signature_condition": signature_condition,
    "tunnel_endpoint_condition": tunnel_endpoint_condition,
    "only_tunnel_endpoint": only_tunnel_endpoint,
    "recognises_tunnel_endpoints": recognises_tunnel_endpoints,
    "set_key": set_key,
    "compares_ipv6": compares_ipv6,
    "directions": directions,
    "row_argument": row_argument,
    "guarded_stacks": guarded_stacks,
    "cases": cases,
    "guard": guard,
    "has_addresses": has_addresses,
    "on_link": on_link,
    "condition": condition,
    "inner_condition": inner_condition,
    "rule_values": rule_values,
    "connect_condition": connect_condition,
}
