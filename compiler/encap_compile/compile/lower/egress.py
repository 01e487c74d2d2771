"""The egress program: what passes before its rules, what they lead to, and what they want to know of a packet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .. import ir
from ..resolved import Resolved
from .c_names import c_name
from .conditions import LINK_LOCAL, catches, hidden_by_fragments, hidden_words
from .counters import egress_counter
from .egress_rules import lower_rules
from .fit import overhead_constant
from .learning import larger
from .reflection import Answers
from .used_stacks import UsedStacks

LINK_LOCAL_ASIDE = {"ipv4": ir.Aside.LINK_LOCAL_IPV4, "ipv6": ir.Aside.LINK_LOCAL_IPV6}


def dispatches(resolved: Resolved, stacks: UsedStacks) -> tuple[ir.Dispatch, ...]:
    """One for each table that a rule leads to, in the order of the tables, and for each rule that reflects."""
    clamp = resolved.spec.mtu.clamp_mss
    led_to = {target.table.name for rule in resolved.egress for target in rule.targets}
    tables = (table for table in resolved.tables.values() if table.name in led_to)
    reflecting = (rule for rule in resolved.egress if rule.reflect is not None)
    return (
        *(_dispatch(table.name, stacks.of(table), clamp) for table in tables),
        *(_reflection(rule.name, stacks.answers[rule.name], clamp) for rule in reflecting),
    )


def _dispatch(table: str, own: Sequence[ir.Stack], clamp: bool) -> ir.Dispatch:
    """`own`: the stacks that rows of a table may take."""
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
                clamp=clamp,
                larger=overhead_constant(table),
            )
            for s in own
        ),
    )


def _reflection(rule: str, answers: Sequence[Answers], clamp: bool) -> ir.Dispatch:
    """The stacks of a rule's replies. What was learned says in which stack the packet came in."""
    name = c_name(rule)
    ways = [(answer.arriving, stack, answer.stacks) for answer in answers for stack in answer.stacks]
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
                clamp=clamp,
                larger=larger(came, stack),
                guarded=stack is not choice[-1],
            )
            for came, stack, choice in ways
        ),
    )


def passed_before(resolved: Resolved, own: ir.OwnStacks | None) -> tuple[ir.PassedBefore, ...]:
    """What is none for the rules: our own packets, and what keeps a link alive, where a rule could meet it."""
    kinds = [ir.Aside.DISCOVERY] if "ipv6" in resolved.families and _catches_discovery(resolved) else []
    kinds += [LINK_LOCAL_ASIDE[family] for family in resolved.families if _catches_link_local(resolved, family)]
    found = {"own_stack": [ir.Aside.OWN_STACK] if own else [], "link_local": kinds}
    return tuple(ir.PassedBefore(tuple(kinds), egress_counter(reason)) for reason, kinds in found.items() if kinds)


def _catches_link_local(resolved: Resolved, family: str) -> bool:
    """Whether link-local packets could meet a rule that does not let them pass."""
    if resolved.spec.egress.default == "drop":
        return True
    return any(rule.chooses and catches(rule, family, LINK_LOCAL[family]) for rule in resolved.egress)


def _catches_discovery(resolved: Resolved) -> bool:
    """Whether a rule that does not let packets pass could meet IPv6 neighbour discovery: its destination may be any."""
    if resolved.spec.egress.default == "drop":
        return True
    return any(rule.chooses and "ipv6" in rule.families for rule in resolved.egress)


def follows_fragments(matches: Iterable[Sequence[ir.Condition]], families: Sequence[str], keys: Iterable[str]) -> bool:
    """Whether a rule or a key asks for what later fragments do not show."""
    return any(hidden_by_fragments(match, families) for match in matches) or bool({*keys} & hidden_words(families))


def lower_egress(
    resolved: Resolved,
    dispatches: tuple[ir.Dispatch, ...],
    own: ir.OwnStacks | None,
    before: tuple[ir.PassedBefore, ...],
    matches: Mapping[str, tuple[ir.Condition, ...]],
    shared: Mapping[str, tuple[ir.Condition, ...]],
    needs: ir.PacketNeeds,
    follows: bool,
    fits: bool,
    paths: ir.Paths | None,
) -> ir.EgressProgram:
    spec = resolved.spec
    rules, default = lower_rules(resolved, matches, shared, needs, follows)
    return ir.EgressProgram(
        function=f"{c_name(spec.name)}__egress",
        families=resolved.families,
        before=before,
        rules=rules,
        default=default,
        next_hop=ir.NextHop(spec.egress.next_hop),
        encapsulators=tuple(e for d in dispatches for e in d.encapsulators),
        dispatches=dispatches,
        own=own,
        too_big=ir.TooBig(spec.mtu.too_big),
        paths=paths,
        route_device=f"{c_name(spec.name)}__route_device_ingress" if spec.route_device else "",
        fits=fits,
        fragments=follows,
    )
