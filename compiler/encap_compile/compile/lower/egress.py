"""From the egress rules to the egress program: conditions, lookups and encapsulators, in the order written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .. import ir
from ..spec import EgressRule, Match, Spec
from .attribution import choices
from .c_names import c_name
from .conditions import LINK_LOCAL, PORT_WORDS, Conditions, catches, families_of, hidden_by_fragments
from .fit import overhead_constant
from .reflection import constant as learned_constant
from .reflection import larger, reply_stacks
from .tunnel_endpoints import tunnel_endpoints


def chooses(rule: EgressRule) -> bool:
    """Whether the rule keeps packets from leaving as they are."""
    return rule.action != "pass"


def lower_rules(spec: Spec, conditions: Conditions) -> tuple[ir.EgressRule, ...]:
    rules = []
    for rule in spec.egress.rules:
        # A later fragment shows no ports. Where the rule would let it leave unencapsulated it is not taken to match,
        # where the rule chooses it is: what belongs to a chosen packet must not leave unencapsulated.
        rules.append(
            ir.EgressRule(
                name=rule.name,
                c_name=c_name(rule.name),
                text=rule.text,
                place=rule.path,
                conditions=conditions.of(rule.match, unseen=chooses(rule)),
                action=_action(rule),
                table=c_name(rule.to.table) if rule.to else c_name(rule.name) if rule.reflect else "",
                row_name=rule.to.row or "" if rule.to else "",
                on_miss=rule.on_miss if rule.targets else "",
                learned=learned_constant(rule.reflect.rule) if rule.reflect else "",
                choices=choices(rule),
            )
        )
    return tuple(rules)


def _action(rule: EgressRule) -> str:
    if rule.to:
        return "encapsulate"
    return "socket" if rule.socket else "reflect" if rule.reflect else rule.action or "pass"


def dispatches(spec: Spec, stacks: Sequence[ir.Stack]) -> tuple[ir.Dispatch, ...]:
    """One for each table that a rule leads to, and for each rule that reflects."""
    found: dict[str, ir.Dispatch] = {}
    for rule in spec.egress.rules:
        if rule.reflect is not None:
            found[f"reflect {rule.name}"] = reflection(spec, rule, stacks)
        for target in rule.targets:
            if target.table not in found:
                found[target.table] = _dispatch(spec, target.table, stacks)
    return tuple(found.values())


def _dispatch(spec: Spec, table: str, stacks: Sequence[ir.Stack]) -> ir.Dispatch:
    """The stacks that rows of a table may take."""
    own = [s for s in stacks if s.encapsulation in spec.endpoints[table].encapsulations]
    name = c_name(table)
    return ir.Dispatch(
        function=f"encapsulate_{name}",
        table=name,
        by_row=len(own) > 1,
        encapsulators=tuple(
            ir.Encapsulator(
                f"encapsulate_{name}__{s.c_name}",
                name,
                s,
                f"struct row_{name}",
                s.constant,
                clamp=spec.mtu.clamp_mss,
                larger=overhead_constant(table),
            )
            for s in own
        ),
    )


def reflection(spec: Spec, rule: EgressRule, stacks: Sequence[ir.Stack]) -> ir.Dispatch:
    """The stacks of a rule's replies. What was learned says in which stack the packet came in."""
    name = c_name(rule.name)
    ways = [(r.arriving, stack, r.stacks) for r in reply_stacks(spec, rule, stacks) for stack in r.stacks]
    return ir.Dispatch(
        function=f"reflect_{name}",
        table=name,
        by_row=len(ways) > 1,
        encapsulators=tuple(
            ir.Encapsulator(
                f"reflect_{name}__{came.c_name}{f'__by_{stack.outer_family}' if len(choice) > 1 else ''}",
                name,
                stack,
                "struct learned",
                came.constant,
                clamp=spec.mtu.clamp_mss,
                larger=larger(came, stack),
                guarded=stack is not choice[-1],
            )
            for came, stack, choice in ways
        ),
    )


def link_local_families(spec: Spec, families: Sequence[str]) -> tuple[str, ...]:
    """Families of which link-local packets could meet a rule that does not let them pass."""
    catching = [r.match for r in spec.egress.rules if chooses(r)]
    if spec.egress.default == "drop":
        catching.append(Match())
    return tuple(f for f in families if any(catches(m, f, LINK_LOCAL[f]) for m in catching))


def lower_egress(
    spec: Spec,
    stacks: Sequence[ir.Stack],
    signatures: Sequence[ir.Signature],
    conditions: Conditions,
    rules: tuple[ir.EgressRule, ...],
    fits: bool,
    keys: Iterable[str],
) -> ir.EgressProgram:
    families = conditions.families
    found = dispatches(spec, stacks)
    encapsulators = tuple(e for d in found for e in d.encapsulators)
    distinct = tuple(s for s in signatures if s.family in families)
    return ir.EgressProgram(
        function=f"{c_name(spec.name)}__egress",
        families=tuple(families),
        rules=rules,
        default=spec.egress.default,
        default_place="egress.default",
        next_hop=spec.egress.next_hop,
        encapsulators=encapsulators,
        dispatches=found,
        signatures=distinct,
        tunnel_endpoints=tunnel_endpoints(spec, encapsulators, conditions) if distinct else (),
        fits=fits,
        fragments=any(hidden_by_fragments(r.conditions, families) for r in rules) or bool({*keys} & {*PORT_WORDS}),
        link_local=link_local_families(spec, families),
        discovery="ipv6" in families and _catches_discovery(spec),
    )


def _catches_discovery(spec: Spec) -> bool:
    """Whether a rule that does not let packets pass could meet IPv6 neighbour discovery: its destination may be any."""
    return spec.egress.default == "drop" or any(
        chooses(r) and "ipv6" in families_of(r.match) for r in spec.egress.rules
    )


def packet_needs(
    families: tuple[str, ...],
    rules: Sequence[ir.EgressRule],
    ingress_match: Sequence[ir.Condition],
    keys: Mapping[str, Sequence[str]],
    stacks: Sequence[ir.Stack],
    egress: ir.EgressProgram,
    follows: bool,
    learns: bool,
) -> ir.PacketNeeds:
    """What the rules, the keys and the stacks want to know; nothing else is parsed.

    `follows`: ingress asks for what fragments hide.
    """
    conditions = [c for r in rules for c in r.conditions] + list(ingress_match)
    numbers = {c.member for c in conditions if isinstance(c, ir.InRanges)}
    key_words = {w for words in keys.values() for w in words}
    sources = [p.source for s in stacks for layer in s.layers for w in layer.words for p in w.parts]
    inner = {s.what for s in sources if isinstance(s, ir.FromInner)}
    wanted = numbers | key_words
    discovery = egress.discovery
    encapsulates = any(r.action in ("encapsulate", "socket", "reflect") for r in rules)
    socket = any(r.choices or any(isinstance(c, ir.InCgroups) for c in r.conditions) for r in rules)
    socket = socket or "cgroup" in key_words
    reflects = learns or any(r.action == "reflect" for r in rules)
    uses_hash = encapsulates and any(s.uses_hash for s in stacks)
    fragments = egress.fragments or follows
    ports = (
        fragments
        or bool(wanted & {"source_port", "destination_port"})
        or any(s.port >= 0 for s in egress.signatures)
        or uses_hash
        or reflects
        or socket
    )
    return ir.PacketNeeds(
        families=families,
        protocol="protocol" in wanted or bool(egress.signatures) or ports or encapsulates,
        ports=ports,
        dscp="dscp" in wanted or encapsulates or bool(inner & {"dscp", "ecn"}),
        ttl=encapsulates and "ttl" in inner,
        mark="mark" in wanted or "mark" in inner,
        hash=uses_hash,
        length=encapsulates or socket or learns,
        flow=reflects,
        fragments=fragments,
        socket=socket,
        discovery=discovery,
    )
