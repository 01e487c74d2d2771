"""The guard for other devices as C: whether the egress rules would encapsulate a packet."""

from __future__ import annotations

from typing import assert_never

from .. import ir
from .attribution import chose
from .egress import by_what_shows, find_row


def is_one_answer(rule: ir.GuardRule) -> bool:
    """Whether the rule is one statement."""
    match rule.steps:
        case ():
            return True
        case (ir.GuardLookUp(find=ir.ByKey() | ir.ByName()) as step, *_):
            return _drops(step)
        case _:
            return False


def guard_body(rule: ir.GuardRule, program: ir.Program) -> list[str]:
    """What is answered for a packet that meets the conditions of the rule."""
    return [line for step in rule.steps for line in _step(step, program)] + _answer(rule.ending)


def _drops(step: ir.GuardLookUp) -> bool:
    """Whether it does not matter if there is a row."""
    return step.shown is step.hidden is ir.Verdict.DROP


def _step(step: ir.GuardLookUp | ir.Recall, program: ir.Program) -> list[str]:
    match step:
        case ir.GuardLookUp(find=ir.ByChoice() as find):
            chosen, answer = f"if ({chose(find)})", _look_up(step, program)
            return [chosen, *answer] if _drops(step) else [f"{chosen} {{", *answer, "}"]
        case ir.GuardLookUp():
            return _look_up(step, program)
        case ir.Recall():
            return [f"if (was_learned(skb, packet, {step.rule}))", "return true;"]
        case _:
            assert_never(step)


def _look_up(step: ir.GuardLookUp, program: ir.Program) -> list[str]:
    if _drops(step):
        return ["return true;"]
    return [f"if ({find_row(step.find)})", "return true;", *by_what_shows(step.shown, step.hidden, program, _answer)]


def _answer(verdict: ir.Verdict) -> list[str]:
    match verdict:
        case ir.Verdict.DROP:
            return ["return true;"]
        case ir.Verdict.PASS | ir.Verdict.PASS_UNLESS_KEPT:
            return ["return false;"]
        case ir.Verdict.NEXT:
            return []
        case _:
            assert_never(verdict)


def reads_flows(guard: ir.Guard) -> bool:
    return any(isinstance(step, ir.Recall) for rule in guard.rules for step in rule.steps)
