"""What a test expects, held against what the model says."""

from __future__ import annotations

from typing import NamedTuple

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ...common.values import ValueProblem, dscp, integer, parse
from ..headers.catalogue import IP_FIELDS, headers
from ..lower import Lowered
from ..model import Did, Outcome, Verdict
from ..spec import Spec
from ..spec_tests import PacketTest, Word
from .frames import address_type, field_of


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
        value = _sent(outcome, path)
        if value is None or not _same(value, word):
            different.append(Difference(f"sent.{path}", str(word.value), _shown(value)))
    return different


def _text(what: str, word: Word) -> str:
    return str(integer(word.value, 0, 0xFFFFFFFF, "mark")) if what == "mark" else str(word.value)


def _sent(outcome: Outcome, path: str) -> int | bytes | None:
    """A field of the headers that were sent, read from their bytes."""
    if outcome.sent is None:
        return None
    layer, name = field_of(outcome.sent.stack, path)
    if layer is None:
        return None
    whole = int.from_bytes(outcome.sent.outer, "big")
    end = (
        len(outcome.sent.outer) - layer.offset
    ) * 8  # bits from the header's beginning to the last of the outer bytes
    for word in layer.words:
        end -= word.bits
        for part in word.parts:
            if part.name == name:
                value = whole >> (end + part.shift) & (1 << part.bits) - 1
                kind = address_type(headers()[layer.header].field(name))
                return value.to_bytes(part.bits // 8, "big") if kind else value
    return None


def _same(value: int | bytes, word: Word) -> bool:
    try:
        if isinstance(value, bytes):
            return parse({4: "ipv4", 6: "mac", 16: "ipv6"}[len(value)], word.value) == value
        return _number(word) == value
    except ValueProblem:
        return False


def _number(word: Word) -> int:
    """A number, or the name of a DSCP. Raises ValueProblem."""
    try:
        return integer(word.value, 0, (1 << 64) - 1, "a field")
    except ValueProblem:
        return dscp(word.value)


def _shown(value: int | bytes | None) -> str:
    if value is None:
        return "no such field"
    if isinstance(value, int):
        return str(value)
    from ...common.values import format_value

    return format_value({4: "ipv4", 6: "mac", 16: "ipv6"}[len(value)], value)


def check_expectation(test: PacketTest, spec: Spec, lowered: Lowered, findings: Findings) -> None:
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


def _check_field(path: str, word: Word, lowered: Lowered, findings: Findings) -> None:
    header, _, name = path.partition(".")
    layers = [layer for stack in lowered.program.stacks if (layer := field_of(stack, path)[0]) is not None]
    fields = {f.name for layer in layers for f in headers()[layer.header].fields()}
    if header == "ip":
        fields |= set(IP_FIELDS)
    if name not in fields:
        known = sorted({layer.member for stack in lowered.program.stacks for layer in stack.layers})
        help = did_you_mean(name, fields) if layers else did_you_mean(header, known, f"headers: {', '.join(known)}")
        findings.error("T131", f"no encapsulation sends `{path}`", word.place, help)
