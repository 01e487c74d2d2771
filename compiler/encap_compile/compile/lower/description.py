"""What the manifest says about a program for people and for `plan`: its rules, and what it asks of a kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from ...common import manifest
from .. import ir
from ..spec import EgressRule, Match, Spec
from .recognition import signature


def features(spec: Spec, program: ir.Program) -> dict[str, str]:
    """What the program asks of a kernel, with the version that brought it."""
    found = {}
    if program.egress.encapsulators or program.ingress:
        found["bpf_skb_adjust_room for tunnels"] = "5.2"
    if program.egress.encapsulators:
        found["gso_size in __sk_buff"] = "5.7"
    if spec.egress.next_hop == "route":
        found["bpf_redirect_neigh"] = "5.10"
    if any("BPF_F_ADJ_ROOM_ENCAP_L2_ETH" in s.tc_flags for s in program.stacks):
        found["inner Ethernet in bpf_skb_adjust_room"] = "5.13"
    if program.ingress and program.ingress.family_change is ir.FamilyChange.FLAGS:
        found["BPF_F_ADJ_ROOM_DECAP_L3"] = "6.3"
    if program.attribution:
        found["socket storage in TC programs"] = "5.2"
    if program.attribution and program.attribution.levels:
        found["bpf_skb_ancestor_cgroup_id"] = "4.19"
    if program.attribution and program.attribution.rules:
        found["links to cgroup hooks"] = "5.7"
    if program.attribution and program.attribution.marks:
        found["socket storage in programs for new sockets"] = "5.9"
    if program.attribution and program.attribution.errno:
        found["bpf_set_retval"] = "5.18"
    if program.attribution and program.attribution.mptcp:
        found["bpf_skc_to_mptcp_sock"] = "5.19"
    return found


def rule_summaries(spec: Spec, stacks: Sequence[ir.Stack]) -> list[manifest.RuleSummary]:
    """Every rule in the order written, egress first, the default after the last of them."""
    egress, known_by = spec.egress, stack_signatures(stacks)
    found = []
    for rule in egress.rules:
        destinations: tuple[str, ...] = ()
        if rule.targets:
            prefixes = rule.match.destination.prefixes if rule.match.destination else ()
            destinations = tuple(str(p) for p in prefixes)
        found.append(
            manifest.RuleSummary(
                rule.name,
                "egress",
                rule.text,
                rule.path,
                destinations,
                rule.targets[0].table if rule.targets else "",
                rule.to.row or "" if rule.to else "",
                _digest(rule.text, rule.on_miss),
                _action(rule),
                _match(rule.match, bool(destinations)),
                rule.on_miss if rule.to else "",
                tuple(dict.fromkeys(target.table for target in rule.targets))[1:],
                spec.mtu.clamp_mss and bool(rule.targets or rule.reflect),
                rule.was.name if rule.was else "",
            )
        )
    found.append(
        manifest.RuleSummary(
            "default",
            "egress",
            egress.default,
            "egress.default",
            digest=_digest(egress.default),
            action=egress.default,
        )
    )
    found += [
        manifest.RuleSummary(
            r.name,
            "connect",
            r.text,
            r.path,
            digest=_digest(r.text),
            action="choose" if r.choose else "pass",
            match=_match(r.match, False),
            was=r.was.name if r.was else "",
        )
        for r in spec.connect
    ]
    found += [
        manifest.RuleSummary(
            r.name,
            "ingress",
            r.text,
            r.path,
            digest=_digest(r.text),
            action="decapsulate",
            match={"received": tuple(known_by[s.name] for s in stacks if s.encapsulation == r.decapsulate)},
            on_miss=spec.ingress.refuse,
            was=r.was.name if r.was else "",
        )
        for r in spec.ingress.rules
    ]
    return found


def stack_signatures(stacks: Iterable[ir.Stack]) -> dict[str, str]:
    """By stack, what it is known by: outer family, IP protocols, and the UDP port if there is one."""
    found = {}
    for stack in stacks:
        known = signature(stack)
        port = f" {known.port.number}" if known.port else ""
        found[stack.name] = f"{known.family} {','.join(map(str, known.protocols))}{port}"
    return found


def _action(rule: EgressRule) -> str:
    if rule.action:
        return rule.action
    return "encapsulate" if rule.to else "socket" if rule.socket else "reflect"


def _match(match: Match, destinations_told: bool) -> dict[str, tuple[str, ...]]:
    """A match for the loader, which compares it with those of other bundles."""
    prefixes = {"destination": None if destinations_told else match.destination, "source": match.source}
    found: dict[str, tuple[str, ...]] = {
        word: tuple(map(str, addresses.prefixes)) for word, addresses in prefixes.items() if addresses is not None
    }
    for word in ("protocol", "dscp"):
        found[word] = tuple(map(str, getattr(match, word)))
    for word in ("destination_port", "source_port", "mark"):
        ranges = getattr(match, word)
        found[word] = tuple(str(r.first) if r.first == r.last else f"{r.first}-{r.last}" for r in ranges)
    found["cgroup"] = match.cgroup
    return {word: values for word, values in found.items() if values}


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:16]
