"""From the egress rules to the guard: what they would do with a packet that leaves by another device.

Only what is encapsulated on attached devices is kept from others, and what is dropped there for want of its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from .. import ir


def lower_guard(rules: Sequence[ir.EgressRule]) -> ir.Guard:
    return ir.Guard(tuple(_guarding(rule) for rule in rules), ends_open=not (rules and decides_all(rules[-1])))


def _guarding(rule: ir.EgressRule) -> ir.GuardRule:
    return ir.GuardRule(rule, tuple(_step(step) for step in rule.steps), _ended(rule.ending.verdict))


def _step(step: ir.Step) -> ir.GuardLookUp | ir.Recall:
    match step:
        case ir.LookUp():
            return ir.GuardLookUp(step.find, _missed(step.miss.shown), _missed(step.miss.hidden))
        case ir.Recall():
            return step
        case _:
            assert_never(step)


def _missed(verdict: ir.Verdict) -> ir.Verdict:
    """Of a packet whose row is missing."""
    match verdict:
        case ir.Verdict.DROP:
            return ir.Verdict.DROP
        case ir.Verdict.PASS | ir.Verdict.PASS_UNLESS_KEPT:  # the guard follows no fragments
            return ir.Verdict.PASS
        case ir.Verdict.NEXT:
            return ir.Verdict.NEXT
        case _:
            assert_never(verdict)


def _ended(verdict: ir.Verdict) -> ir.Verdict:
    """Of a packet that the rule does not encapsulate. What it drops is dropped on attached devices alone."""
    match verdict:
        case ir.Verdict.DROP | ir.Verdict.PASS | ir.Verdict.PASS_UNLESS_KEPT:
            return ir.Verdict.PASS
        case ir.Verdict.NEXT:
            return ir.Verdict.NEXT
        case _:
            assert_never(verdict)


def decides_all(rule: ir.EgressRule) -> bool:
    """Whether no packet goes on to the rule behind this one."""
    if rule.conditions:
        return False
    return rule.ending.verdict is not ir.Verdict.NEXT or any(_decides(s) for s in rule.steps)


def _decides(step: ir.Step) -> bool:
    match step:
        case ir.LookUp(find=ir.ByKey() | ir.ByName()):
            return ir.Verdict.NEXT not in (step.miss.shown, step.miss.hidden)
        case ir.LookUp() | ir.Recall():  # not every socket chooses, and not every flow was learned
            return False
        case _:
            assert_never(step)
