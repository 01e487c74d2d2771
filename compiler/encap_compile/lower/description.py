"""What the manifest says about a program for people and for `plan`: its rules, and what it asks of a kernel."""

from __future__ import annotations

from hashlib import sha256

from .. import ir, manifest
from ..spec import Spec
from .conditions import families_of
from .names import place_text
from .owners import owner_tables


def features(spec: Spec, program: ir.Program) -> dict[str, str]:
    """What the program asks of a kernel, with the version that brought it."""
    found = {}
    if program.egress.encapsulators or program.ingress:
        found["bpf_skb_adjust_room for tunnels"] = "5.2"
    if program.egress.encapsulators:
        found["gso_size in __sk_buff"] = "5.7"
    if spec.egress.next_hop == "route":
        found["bpf_redirect_neigh"] = "5.10"
    if any("BPF_F_ADJ_ROOM_ENCAP_L2_ETH" in s.room_flags for s in program.stacks):
        found["inner Ethernet in bpf_skb_adjust_room"] = "5.13"
    if program.ingress and program.ingress.family_change == "flags":
        found["BPF_F_ADJ_ROOM_DECAP_L3"] = "6.3"
    if program.owners:
        found["socket storage in TC programs"] = "5.2"
    if program.owners and program.owners.levels:
        found["bpf_skb_ancestor_cgroup_id"] = "4.19"
    if program.owners and program.owners.rules:
        found["links to cgroup hooks"] = "5.7"
    if program.owners and program.owners.errno:
        found["bpf_set_retval"] = "5.18"
    if program.owners and program.owners.mptcp:
        found["bpf_skc_to_mptcp_sock"] = "5.19"
    return found


def rule_summaries(spec: Spec) -> list[manifest.RuleSummary]:
    """Every rule in the order written, egress first, the default after the last of them."""
    egress, clamped = spec.egress, owner_tables(spec)
    found = []
    for rule in egress.rules:
        destinations: tuple[str, ...] = ()
        encapsulates = bool(rule.targets or rule.reflect)
        if encapsulates:
            prefixes = rule.match.destination.prefixes if rule.match.destination else ()
            destinations = tuple(str(p) for p in prefixes)
        found.append(
            manifest.RuleSummary(
                rule.name,
                "egress",
                rule.text,
                place_text(rule.place),
                destinations,
                rule.targets[0].table if rule.targets else "",
                rule.to.row or "" if rule.to else "",
                _digest(rule.text, rule.on_miss),
                tuple(dict.fromkeys(target.table for target in rule.targets)),
                families_of(rule.match) if encapsulates else (),
                rule.match.protocol if encapsulates else (),
                rule.reflect is not None,
                rule.reflect is not None or any(target.table in clamped for target in rule.targets),
            )
        )
    found.append(
        manifest.RuleSummary(
            "default", "egress", egress.default, place_text(egress.default_place), digest=_digest(egress.default)
        )
    )
    found += [
        manifest.RuleSummary(r.name, "connect", r.text, place_text(r.place), digest=_digest(r.text))
        for r in spec.connect
    ]
    found += [
        manifest.RuleSummary(r.name, "ingress", r.text, place_text(r.place), digest=_digest(r.text))
        for r in spec.ingress.rules
    ]
    return found


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:16]
