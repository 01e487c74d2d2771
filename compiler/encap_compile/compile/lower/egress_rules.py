"""Egress rules as steps and verdicts: the look-ups in order, and what becomes of a packet that finds nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .. import ir
from ..resolved import EgressRule, Resolved
from .attribution import choices
from .c_names import c_name, named_row
from .conditions import Conditions, hidden_words
from .counters import egress_counter, rule_counter
from .learning import constant as learned_constant


def rule_conditions(resolved: Resolved, conditions: Conditions) -> dict[str, tuple[ir.Condition, ...]]:
    """By the rules' names.

    A later fragment shows no ports. Where the rule would let it leave unencapsulated it is not taken to match, where
    the rule chooses it is: what belongs to a chosen packet must not leave unencapsulated.
    """
    return {rule.name: conditions.of(rule, rule.chooses, f"egress_{c_name(rule.name)}") for rule in resolved.egress}


def lower_rules(
    resolved: Resolved,
    conditions: Mapping[str, tuple[ir.Condition, ...]],
    shared: Mapping[str, tuple[ir.Condition, ...]],
    needs: ir.PacketNeeds,
    follows: bool,
) -> tuple[tuple[ir.EgressRule, ...], ir.EgressRule]:
    """The rules, and the default as the last of them. `follows`: later fragments are given what the first showed."""
    rules = [
        ir.EgressRule(
            name=rule.name,
            c_name=c_name(rule.name),
            text=rule.text,
            place=rule.path,
            conditions=conditions[rule.name],
            shared=shared.get(rule.name, ()),
            steps=tuple(_steps(rule, _Hiding(rule, conditions[rule.name], needs, follows))),
            ending=_ending(rule),
        )
        for rule in resolved.egress
    ]
    ending = ir.Ending(ir.Verdict(resolved.spec.egress.default), egress_counter("default"))
    rules.append(ir.EgressRule("default", "default", "everything else", "egress.default", (), (), (), ending))
    *found, default = _kept_from_leaving(rules)
    return tuple(found), default


def shared_conditions(
    conditions: Mapping[str, tuple[ir.Condition, ...]], fit: ir.Fit | None, guard: bool
) -> dict[str, tuple[ir.Condition, ...]]:
    """What is asked in two places, by the rules' names: of a rule that answers may meet, what an answer shows."""
    answers = {a.name: a.conditions for a in fit.answers if a.conditions} if fit else {}
    return {**(conditions if guard else {}), **answers}


class _Hiding:
    """What a packet that meets the rule's conditions may hide, of what decides for the rule.

    `match`: what the conditions ask for; `key`: a part of the table's key. `fragments`: so do later fragments whose
    first one was not seen.
    """

    def __init__(
        self,
        rule: EgressRule,
        conditions: Sequence[ir.Condition],
        needs: ir.PacketNeeds,
        follows: bool,
    ) -> None:
        words = hidden_words(needs.families) if needs.hides is not ir.Hides.NOTHING else frozenset()
        key = rule.to.table.key if rule.to else ()
        self.match = any(isinstance(c, ir.InRanges) and c.unseen and c.member in words for c in conditions)
        self.key = bool({*key} & words)
        self.fragments = follows and (self.match or self.key)


def _steps(rule: EgressRule, hiding: _Hiding) -> list[ir.Step]:
    counter = rule_counter(rule.name, ir.Direction.EGRESS)
    if rule.to is not None:
        name = rule.to.table.name
        table = c_name(name)
        find: ir.Find = ir.ByName(table, named_row(name, rule.to.row)) if rule.to.row else ir.ByKey(table)
        return [ir.LookUp(find, f"encapsulate_{table}", counter, hiding.fragments, _miss(rule, hiding))]
    if rule.reflect is not None:
        learned = learned_constant(rule.reflect.rule.name)
        return [ir.Recall(learned, f"IDLE_{learned}", f"reflect_{c_name(rule.name)}", counter)]
    return [
        # What a socket chose is there, or is not, for all fragments of its packets alike.
        ir.LookUp(choice, f"encapsulate_{choice.table}", counter, False, _miss(rule, hiding)._replace(keeps=False))
        for choice in choices(rule)
    ]


def _miss(rule: EgressRule, hiding: _Hiding) -> ir.Miss:
    counter, shown = rule_counter(rule.name, ir.Direction.EGRESS, missed=True), ir.Verdict(rule.on_miss)
    if shown is ir.Verdict.DROP or hiding.key:  # with a part of the key hidden, it may belong to what is encapsulated
        return ir.Miss(counter, shown, ir.Verdict.DROP, keeps=False)
    if shown is ir.Verdict.PASS and hiding.match:
        # Taken to match because it hides what decides: not a reason to let it leave unencapsulated.
        return ir.Miss(counter, shown, ir.Verdict.NEXT, hiding.fragments)
    return ir.Miss(counter, shown, shown, hiding.fragments)


def _ending(rule: EgressRule) -> ir.Ending:
    if rule.action:
        return ir.Ending(ir.Verdict(rule.action), rule_counter(rule.name, ir.Direction.EGRESS))
    return ir.Ending(ir.Verdict.NEXT, "")


def _kept_from_leaving(rules: Sequence[ir.EgressRule]) -> list[ir.EgressRule]:
    """The rules, none of which lets a packet leave unencapsulated that a rule before it keeps from that.

    Only what some later rule would let pass must be kept.
    """
    first = next((i for i, rule in enumerate(rules) if any(m.keeps for m in _misses(rule))), len(rules))
    last = max((i for i, rule in enumerate(rules) if _lets_pass(rule)), default=-1)
    found = []
    for i, rule in enumerate(rules):
        if i > first:
            rule = _on_every_verdict(rule, _unless_kept)
        if i >= last:
            rule = _on_every_miss(rule, lambda miss: miss._replace(keeps=False))
        found.append(rule)
    return found


def _misses(rule: ir.EgressRule) -> list[ir.Miss]:
    return [step.miss for step in rule.steps if isinstance(step, ir.LookUp)]


def _lets_pass(rule: ir.EgressRule) -> bool:
    return ir.Verdict.PASS in (rule.ending.verdict, *(m.shown for m in _misses(rule)))


def _unless_kept(verdict: ir.Verdict) -> ir.Verdict:
    return ir.Verdict.PASS_UNLESS_KEPT if verdict is ir.Verdict.PASS else verdict


def _on_every_verdict(rule: ir.EgressRule, change: Callable[[ir.Verdict], ir.Verdict]) -> ir.EgressRule:
    ending = rule.ending._replace(verdict=change(rule.ending.verdict))
    return _on_every_miss(
        rule._replace(ending=ending), lambda m: m._replace(shown=change(m.shown), hidden=change(m.hidden))
    )


def _on_every_miss(rule: ir.EgressRule, change: Callable[[ir.Miss], ir.Miss]) -> ir.EgressRule:
    steps = (s._replace(miss=change(s.miss)) if isinstance(s, ir.LookUp) else s for s in rule.steps)
    return rule._replace(steps=tuple(steps))
