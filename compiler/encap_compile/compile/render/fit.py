"""What answers meet, as C."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ir
from . import conditions
from .rule_values import egress_base
from .shared_matches import shared_matches


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


FIT_FILTERS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (asks_packet, answer_condition, ends_open)}
