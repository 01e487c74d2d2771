"""What a test expects, held against what the model says."""

from __future__ import annotations

from typing import NamedTuple

from ...common.values import ValueProblem, integer
from ..model import Did, Outcome, Verdict
from ..spec_tests import PacketTest, Way, Word
from .frames import field_of
from .sent import SentField, field_named
from .variable_part import typed


class Difference(NamedTuple):
    """`what` was asked for, as in `expect`; both values as text."""

    what: str
    expected: str
    found: str


def verdict(test: PacketTest, outcome: Outcome) -> str:
    if outcome.verdict is Verdict.DROP:
        return "drop"
    if test.way is Way.CONNECTS:
        return "choose" if outcome.chosen else "pass"
    if test.way is Way.LEAVES:
        if outcome.sent:
            return "encapsulate"
        return "answer" if outcome.verdict is Verdict.REDIRECT else "pass"  # what leaves is an ICMP error
    return "decapsulate" if outcome.rule else "pass"


def row(outcome: Outcome) -> str:
    found = [step.detail for step in outcome.steps if step.did is Did.FOUND]
    return found[-1].removeprefix("row ") if found else ""


def differences(test: PacketTest, outcome: Outcome) -> list[Difference]:
    """Everything that is not as expected; none if all is."""
    found = {
        "verdict": verdict(test, outcome),
        "rule": outcome.rule,
        "row": row(outcome),
        "mark": "" if outcome.verdict is Verdict.DROP else str(outcome.mark),
        "counter": "",
    }
    different = []
    for what, word in test.expect.items():
        if what == "counter":
            if word.value not in outcome.counted:
                different.append(Difference(what, str(word.value), ", ".join(sorted(outcome.counted)) or "none"))
        elif _text(what, word) != found[what]:
            different.append(Difference(what, str(word.value), found[what] or "none"))
    for path, word in test.sent.items():
        field = _sent(outcome, path)
        if field is None or not _same(field, word):
            different.append(Difference(f"sent.{path}", str(word.value), field.text if field else "no such field"))
    return different


def _text(what: str, word: Word) -> str:
    return str(integer(word.value, 0, 0xFFFFFFFF, "mark")) if what == "mark" else str(word.value)


def _sent(outcome: Outcome, path: str) -> SentField | None:
    if outcome.sent is None:
        return None
    layer, name = field_of(outcome.sent.stack, path)
    return field_named(outcome.sent, layer, name) if layer is not None else None


def _same(field: SentField, word: Word) -> bool:
    try:
        return typed(field.type, word.value) == field.value
    except ValueProblem:  # of the other family
        return False
