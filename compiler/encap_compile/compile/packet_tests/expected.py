"""What tests expect must exist (T131): else a wrong name would be a failure that never ends."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ...common.values import ValueProblem, integer
from .. import ir
from ..description import Described
from ..headers.catalogue import IP_FIELDS, headers
from ..model import Facts
from ..spec import Spec
from ..spec_tests import PacketTest, Way, Word
from . import variable_part
from .frames import field_of
from .sent import field_type

IMPOSSIBLE = {
    Way.LEAVES: ("decapsulate", "choose"),
    Way.ARRIVES: ("encapsulate", "choose", "answer"),
    Way.CONNECTS: ("encapsulate", "decapsulate", "drop", "answer"),
}
ASKS = {
    Way.LEAVES: "a packet that leaves",
    Way.ARRIVES: "a packet that arrives",
    Way.CONNECTS: "a socket that connects",
}
PARTICIPLES = {
    "encapsulate": "encapsulated",
    "decapsulate": "decapsulated",
    "drop": "dropped",
    "choose": "given a row",
    "answer": "answered",
}


class Expected:
    """Looks up what the expectations of a spec's tests name."""

    def __init__(self, spec: Spec, described: Described, facts: Facts, findings: Findings) -> None:
        self.stacks, self.facts, self.findings = described.program.stacks, facts, findings
        self.counters = [c.name for c in described.program.counters]
        self.rules = {
            Way.LEAVES: [*(r.name for r in spec.egress.rules), "default"],
            Way.ARRIVES: [r.name for r in spec.ingress.rules],
            Way.CONNECTS: [r.name for r in spec.connect],
        }

    def check(self, test: PacketTest) -> None:
        self._known("rule", test, self.rules[test.way])
        self._known("counter", test, self.counters)
        self._row(test)
        mark = test.expect.get("mark")
        if mark is not None:
            try:
                integer(mark.value, 0, 0xFFFFFFFF, "mark")
            except ValueProblem as problem:
                self.findings.error(problem.code, problem.message, mark.place, problem.help)
        wanted = test.expect["verdict"]
        if wanted.value in IMPOSSIBLE[test.way]:
            words = f"{ASKS[test.way]} is never {PARTICIPLES[str(wanted.value)]}"
            self.findings.error("T131", words, wanted.place)
        for path, word in test.sent.items():
            if test.way is Way.LEAVES:
                self._field(path, word)
            else:
                words = f"{ASKS[test.way]} is not sent in headers"
                self.findings.error("T131", words, word.place, "leave `sent` out")

    def _known(self, what: str, test: PacketTest, names: Sequence[str]) -> None:
        word = test.expect.get(what)
        if word is not None and word.value not in names:
            help = did_you_mean(str(word.value), names, f"there is none for {ASKS[test.way]}" if not names else "")
            self.findings.error("T131", f"there is no {what} `{word.value}`", word.place, help)

    def _row(self, test: PacketTest) -> None:
        word = test.expect.get("row")
        if word is None:
            return
        called = str(word.value)
        tables = self.facts.tables.values()
        if any(called in t.by_name or any(not r.name and str(r.line) == called for r in t.all) for t in tables):
            return
        help = did_you_mean(called, {name for t in tables for name in t.by_name}, "a row without a name is its line")
        self.findings.error("T131", f"no table has a row `{called}`", word.place, help)

    def _field(self, path: str, word: Word) -> None:
        header, _, name = path.partition(".")
        named: dict[str, list[str]] = {}  # the types of each field of that header, in all stacks
        for stack in self.stacks:
            layer, field = field_of(stack, path)
            for known, type_ in _types(stack, layer).items() if layer is not None else ():
                named.setdefault(name if known == field else known, []).append(type_)
        found = named.get(name, [])
        if not found:
            members = sorted({layer.member for stack in self.stacks for layer in stack.layers})
            others = f"headers: {', '.join(members)}"
            help = did_you_mean(name, {*named, *IP_FIELDS}) if named else did_you_mean(header, members, others)
            self.findings.error("T131", f"no encapsulation sends `{path}`", word.place, help)
            return
        problems = [problem for type_ in found if (problem := _problem(type_, word)) is not None]
        if len(problems) == len(found):  # an address may be of either family
            self.findings.error(problems[0].code, problems[0].message, word.place, problems[0].help)


def _types(stack: ir.Stack, layer: ir.Layer) -> dict[str, str]:
    """The types of everything that can be named of a header."""
    fields = {f.name: field_type(f) for f in headers()[layer.header].fields()}
    return {**fields, **variable_part.types(stack, layer)}


def _problem(type_: str, word: Word) -> ValueProblem | None:
    try:
        variable_part.typed(type_, word.value)
    except ValueProblem as problem:
        return problem
    return None
