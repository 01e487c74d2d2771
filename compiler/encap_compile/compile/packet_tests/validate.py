"""What a test expects, held against what the model says."""

from __future__ import annotations

from typing import NamedTuple

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ...common.values import ValueProblem, integer, parse
from ..description import Described
from ..headers.catalogue import IP_FIELDS, headers
from ..model import Did, Outcome, Verdict
from ..spec import Spec
from ..spec_tests import PacketTest, Word
from .frames import field_of
from .sent import SentField, field_type, sent_fields


class Difference(NamedTuple):
    """`what` was asked for, as in `expect`; both values as text."""

    what: str
    expected: str
    found: str


def verdict(test: PacketTest, outcome: Outcome) -> str:
    if outcome.verdict is Verdict.DROP:
        return "drop"
    if test.leaves:
        return "encapsulate" if outcome.sent else "pass"
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
    fields = (f for f in sent_fields(outcome.sent) if layer is not None and (f.header, f.name) == (layer.member, name))
    return next(fields, None)


def _same(field: SentField, word: Word) -> bool:
    try:
        return parse(field.type, word.value) == field.value
    except ValueProblem:  # of the other family
        return False


def check_expectation(test: PacketTest, spec: Spec, lowered: Described, findings: Findings) -> None:
    """What is expected must exist (T131): else a wrong name would be a failure that never ends."""
    rules = [r.name for r in (spec.egress.rules if test.leaves else spec.ingress.rules)]
    known = {"rule": [*rules, "default"], "counter": [c.name for c in lowered.program.counters]}
    for what, names in known.items():
        word = test.expect.get(what)
        if word is not None and word.value not in names:
            findings.error(
                "T131", f"there is no {what} `{word.value}`", word.place, did_you_mean(str(word.value), names)
            )
    mark = test.expect.get("mark")
    if mark is not None:
        try:
            integer(mark.value, 0, 0xFFFFFFFF, "mark")
        except ValueProblem as problem:
            findings.error(problem.code, problem.message, mark.place, problem.help)
    impossible = {"encapsulate": not test.leaves, "decapsulate": test.leaves}
    wanted = test.expect["verdict"]
    if impossible.get(str(wanted.value), False):
        side = "leaves" if test.leaves else "arrives"
        findings.error("T131", f"a packet that {side} is never {wanted.value}d", wanted.place)
    for path, word in test.sent.items():
        _check_field(path, word, lowered, findings)


def _check_field(path: str, word: Word, lowered: Described, findings: Findings) -> None:
    header, _, name = path.partition(".")
    found = [field_of(stack, path) for stack in lowered.program.stacks]
    layers = [(layer, field) for layer, field in found if layer is not None]
    fields = [f for layer, field in layers for f in headers()[layer.header].fields() if f.name == field]
    if not fields:
        known = sorted({layer.member for stack in lowered.program.stacks for layer in stack.layers})
        names = {f.name for layer, _ in layers for f in headers()[layer.header].fields()} | set(IP_FIELDS)
        help = did_you_mean(name, names) if layers else did_you_mean(header, known, f"headers: {', '.join(known)}")
        findings.error("T131", f"no encapsulation sends `{path}`", word.place, help)
        return
    problems = [problem for f in fields if (problem := _problem(field_type(f), word)) is not None]
    if len(problems) == len(fields):  # an address may be of either family
        findings.error(problems[0].code, problems[0].message, word.place, problems[0].help)


def _problem(type_: str, word: Word) -> ValueProblem | None:
    try:
        parse(type_, word.value)
    except ValueProblem as problem:
        return problem
    return None
