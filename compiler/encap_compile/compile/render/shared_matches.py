"""Conditions of egress rules that more than one place asks: each stands once in the C, in a function of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .. import ir
from . import conditions
from .rule_values import egress_base


class SharedMatch(NamedTuple):
    """`conditions` are those of the rule that all places ask; `text` is their C."""

    function: str
    conditions: tuple[ir.Condition, ...]
    text: str

    @property
    def call(self) -> str:
        return f"{self.function}(packet)"


def shared_matches(program: ir.Program) -> dict[str, SharedMatch]:
    """By the rules' names. Of a rule that checks answers, what an answer shows of the packet that it answers."""
    shown = {a.name: a.conditions for a in program.fit.answers} if program.fit else {}
    guard = program.owners is not None and program.owners.guard
    found = {}
    for rule in program.egress.rules:
        asked = shown.get(rule.name) or (rule.conditions if guard else ())
        text = conditions.all_of(asked, program, egress_base(rule))
        if "packet->" in text:  # else it asks nothing
            found[rule.name] = SharedMatch(f"matches_{rule.c_name}", asked, text)
    return found


def rule_condition(rule: ir.EgressRule, program: ir.Program, shared: Mapping[str, SharedMatch]) -> str:
    """What a packet must meet for a rule."""
    found = shared.get(rule.name)
    if found is None:
        return conditions.all_of(rule.conditions, program, egress_base(rule))
    rest = [c for c in rule.conditions if c not in found.conditions]
    return conditions.all_of(rest, program, egress_base(rule), called=found.call)
