"""Names are unique where it matters, and still so as C identifiers."""

from __future__ import annotations

from collections.abc import Iterable

from ..diagnostics import Findings, Place
from ..spec import Spec

_WORDS = """auto break case char const continue default do double else enum extern float for goto if inline int long
register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool true
false typeof asm"""
C_WORDS = frozenset(_WORDS.split())
# What the C has at file scope, and what its functions call what they have beside a table's rows.
_TAKEN = """apply_connect_rules apply_rules arrivals arrives ask_cgroups ask_listener behind carries_own_stack
cgroups changed_family checksum_add_be32 checksum_fold checksum_is_right choice choice_above choice_in_force
choice_of choice_overhead choose clamp_mss connects count count_chosen count_for_socket counted counters
counters_of_this_cpu datagram decapsulated decided decision_in_force decisions_of diff ecn ecn_decapsulated
ecn_of_ipv6 ecn_write_ipv4 ecn_write_ipv6 find_flow find_key find_learned find_oldest find_option find_other_owner
find_owner find_syn fit_answer fit_arrivals fit_plain fit_segments fits fits_connection flags flow flow_at_hand
flow_bucket flow_hash flow_hash_add flow_key_hash flow_port flow_scratch flow_table flow_turn fnv1a forget_owner
found from_ipv6 goes_to_tunnel_end has_flow has_owner host host_ipv6 host_mac index inner_ecn inner_is_ipv4
inner_length ip_header_of ipv4 ipv6 is_encapsulation_limit is_given is_group_mac is_icmp_echo is_icmp_error
is_mapped_ipv4 is_ours is_own_address is_peer is_syn is_table is_turning_point key learn_flow length_field
linearize listed mapped_ipv4 mark may_choose mss not_ours oldest option_length options other other_owner outer
overhead overhead_of_answer own_addresses owner owner_key packet packet_at_hand packet_data packet_end parse_ipv4
parse_ipv6 parse_ipv6_chain parse_ports protocol quoted_flow read_choice read_text recall_owner receive_ipv4
receive_ipv6 received record_decision refuse refuse_option remember_owner row same_ipv6 same_mac same_words scratch
segments segments_of skb socket_request socket_tuple sockets stays_on_link still_fits tail tell_owner tell_status
through_scratch to_ipv6 wrong"""
TAKEN = frozenset(_TAKEN.split())


def check(spec: Spec, findings: Findings) -> None:
    """E308 two rules of one name, E309 names that differ in `-` and `_` only, E310 words of C."""
    rules = [(rule.name, rule.place) for rule in spec.egress.rules]
    rules += [(rule.name, rule.place) for rule in spec.connect]
    rules += [(rule.name, rule.place) for rule in spec.ingress.rules]
    seen: dict[str, Place] = {}
    for name, place in rules:
        if name in seen:
            words = f"two rules are called {name}"
            related = ((seen[name], "the first"),)
            findings.error("E308", words, place, "rename one: counters carry the rule's name", related=related)
        seen.setdefault(name, place)
    _judge("rules", seen.items(), findings)
    _judge("host values", ((h.name, h.place) for h in spec.host.values()), findings)
    _judge("sets", ((s.name, s.place) for s in spec.sets.values()), findings)
    _judge("encapsulations", ((e.name, e.place) for e in spec.encapsulations.values()), findings)
    _judge("tables", ((t.name, t.place) for t in spec.endpoints.values()), findings)
    for table in spec.endpoints.values():
        name = table.name.replace("-", "_")
        if name in TAKEN or f"find_{name}" in TAKEN or name.startswith("bpf_"):
            words = f"`{table.name}` is taken: the generated C calls something else so"
            findings.error("E310", words, table.place, f"choose another: {table.name.removeprefix('bpf_')}-table")
    for encapsulation in spec.encapsulations.values():
        for use in encapsulation.headers:
            _judge(f"options of {use.name}", ((o.name, o.place) for o in use.options), findings)
    for table in spec.endpoints.values():
        _judge(f"fields of {table.name}", ((f, table.places[f"fields.{f}"]) for f in table.fields), findings)


def _judge(what: str, named: Iterable[tuple[str, Place]], findings: Findings) -> None:
    seen: dict[str, tuple[str, Place]] = {}
    for name, place in named:
        if name in C_WORDS:
            findings.error("E310", f"`{name}` is a word of C, where it would be an identifier", place, "choose another")
        identifier = name.replace("-", "_")
        if identifier in seen and seen[identifier][0] != name:
            other, first = seen[identifier]
            words = f"the {what} {other} and {name} are both `{identifier}` in C"
            findings.error("E309", words, place, "rename one of them", related=((first, "the other"),))
        seen.setdefault(identifier, (name, place))
