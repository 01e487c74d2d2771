"""The egress rules as C: a function that goes through them, and the labels that they lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import assert_never

from .. import ir
from .attribution import chose
from .counting import count_as

RULES_TOGETHER = 32  # 500 rules in one piece take clang twice as long, and become no shorter


def begins_a_group(number: int) -> bool:
    """Whether clang is kept from joining a rule with those before it; `number` counts from 0."""
    return number > 0 and number % RULES_TOGETHER == 0


def passes(before: ir.PassedBefore) -> str:
    """Whether a packet is none for the rules."""
    return " || ".join(_aside(kind) for kind in before.kinds)


def _aside(kind: ir.Aside) -> str:
    match kind:
        case ir.Aside.OWN_STACK:
            return "carries_own_stack(packet)"
        case ir.Aside.DISCOVERY:
            return "is_discovery(skb, packet)"
        case ir.Aside.LINK_LOCAL_IPV4:
            return "is_link_local_ipv4(packet)"
        case ir.Aside.LINK_LOCAL_IPV6:
            return "is_link_local_ipv6(packet)"
        case _:
            assert_never(kind)


def hides(needs: ir.PacketNeeds) -> str:
    """Whether a packet hides what decides."""
    match needs.hides:
        case ir.Hides.PORTS:
            return "packet->ports_unseen"
        case ir.Hides.PROTOCOL:
            return "packet->protocol == PROTOCOL_UNSEEN"
        case ir.Hides.NOTHING:
            return "false"
        case _:
            assert_never(needs.hides)


def counter(name: str, program: ir.Program) -> str:
    """Where a counter stands in `struct counters`."""
    return next(c.member for c in program.counters if c.name == name)


# ---- what rules look up ----------------------------------------------------------------------------------------------


def _look_ups(egress: ir.EgressProgram) -> Iterator[ir.LookUp]:
    for rule in egress.rules:
        yield from (step for step in rule.steps if isinstance(step, ir.LookUp))


def reads_packet(egress: ir.EgressProgram) -> bool:
    """Whether any rule asks for what was parsed, or writes what becomes of it."""
    return any(rule.conditions or rule.steps for rule in egress.rules)


def skips_lost(egress: ir.EgressProgram) -> bool:
    return any(step.skips_lost for step in _look_ups(egress))


def keeps(egress: ir.EgressProgram) -> bool:
    return any(step.miss.keeps for step in _look_ups(egress))


def row_tables(egress: ir.EgressProgram) -> list[str]:
    """The tables that rules find rows in, by their names: which rule is the first moves none."""
    return sorted({step.find.table for step in _look_ups(egress)})


def labels(egress: ir.EgressProgram) -> list[tuple[str, str]]:
    """What rules lead to, in the order of the functions, and what holds the values."""
    found = {step.send: _values(step) for rule in egress.rules for step in rule.steps}
    return [(d.function, found[d.function]) for d in egress.dispatches if d.function in found]


def _values(step: ir.Step) -> str:
    match step:
        case ir.LookUp():
            return f"row_{step.find.table}"
        case ir.Recall():
            return "&flow->learned"
        case _:
            assert_never(step)


def find_row(find: ir.Find) -> str:
    match find:
        case ir.ByKey():
            return f"find_in_{find.table}(packet)"
        case ir.ByName():
            return f"find_in_{find.table}({find.row.constant})"
        case ir.ByChoice():
            return f"find_in_{find.table}((__u32)packet->socket.choice)"
        case _:
            assert_never(find)


# ---- what becomes of a packet ----------------------------------------------------------------------------------------


def is_bare(rule: ir.EgressRule) -> bool:
    """Whether the rule is one statement."""
    return not rule.steps and rule.ending.verdict is not ir.Verdict.PASS_UNLESS_KEPT


def body(rule: ir.EgressRule, program: ir.Program) -> list[str]:
    """What is done with a packet that meets the conditions."""
    return [line for step in rule.steps for line in _step(step, program)] + ending(
        rule.ending, program.egress, program.counter_entries
    )


def _step(step: ir.Step, program: ir.Program) -> list[str]:
    sent = [f"packet->chosen = COUNTER({step.counter});"]
    leave = [f"goto {step.send};"]
    match step:
        case ir.LookUp(find=ir.ByChoice() as find):
            return [f"if ({chose(find)}) {{", *_row(step, [*sent, "counted = choice;", *leave], program), "}"]
        case ir.LookUp():
            return _row(step, [*sent, *leave], program)
        case ir.Recall():
            return [f"if (find_learned(skb, packet, {step.rule}, {step.idle}, flow)) {{", *sent, *leave, "}"]
        case _:
            assert_never(step)


def _row(step: ir.LookUp, sent: list[str], program: ir.Program) -> list[str]:
    row, miss = f"row_{step.find.table}", step.miss
    looked_up = [f"{row} = {'lost ? NULL : ' if step.skips_lost else ''}{find_row(step.find)};"]
    if miss.shown is miss.hidden is ir.Verdict.DROP:
        return [*looked_up, f"if (!{row})", f"return {count_as('drop', miss.counter, program.counter_entries)};", *sent]
    return [
        *looked_up,
        *[f"if ({row}) {{", *sent, "}", f"{count_as('count', miss.counter, program.counter_entries)};"],
        *by_what_shows(miss.shown, miss.hidden, program, partial(leave, egress=program.egress)),
        *(["kept |= lost;"] if miss.keeps else []),
    ]


def by_what_shows(
    shown: ir.Verdict, hidden: ir.Verdict, program: ir.Program, say: Callable[[ir.Verdict], list[str]]
) -> list[str]:
    """A verdict that depends on whether the packet shows what decides."""
    if shown is hidden:
        return say(shown)
    if hidden is ir.Verdict.NEXT:
        comment = "/* Taken to match because it hides what decides: not a reason to let it leave unencapsulated. */"
        return [comment, f"if (!({hides(program.packet)}))", *say(shown)]
    comment = "/* A part of the key was not to be seen: the packet may belong to one that was encapsulated. */"
    return [comment, f"if ({hides(program.packet)})", *say(hidden), *say(shown)]


def unless_unrouted(passed: str, egress: ir.EgressProgram) -> str:
    """What passes a packet, but where it came to the route device and cannot go on from there."""
    return f"on_route_device() ? drop_unrouted(skb) : {passed}" if egress.route_device else passed


def leave(verdict: ir.Verdict, egress: ir.EgressProgram) -> list[str]:
    """Of a packet that is counted already."""
    passed = unless_unrouted("TC_ACT_UNSPEC", egress)
    match verdict:
        case ir.Verdict.PASS:
            return [f"return {passed};"]
        case ir.Verdict.PASS_UNLESS_KEPT:
            return [f"return kept ? TC_ACT_SHOT : {passed};"]
        case ir.Verdict.DROP:
            return ["return TC_ACT_SHOT;"]
        case ir.Verdict.NEXT:
            return []
        case _:
            assert_never(verdict)


def ending(found: ir.Ending, egress: ir.EgressProgram, entries: int = 1) -> list[str]:
    """`entries` are those of the map of counters; what is counted by default stands in the first."""
    match found.verdict:
        case ir.Verdict.PASS:
            return [f"return {unless_unrouted(count_as('pass', found.counter, entries), egress)};"]
        case ir.Verdict.PASS_UNLESS_KEPT:
            passed = unless_unrouted(count_as("pass", found.counter, entries), egress)
            return ["if (kept)", "return TC_ACT_SHOT;", f"return {passed};"]
        case ir.Verdict.DROP:
            return [f"return {count_as('drop', found.counter, entries)};"]
        case ir.Verdict.NEXT:
            return []
        case _:
            assert_never(found.verdict)
