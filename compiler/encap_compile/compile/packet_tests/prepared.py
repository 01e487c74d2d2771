"""The tests of a spec, ready to be run: their packets as frames, and everything that they name looked up."""

from __future__ import annotations

from collections.abc import Mapping

from ...common.diagnostics import Findings
from ...common.record import Record
from ...common.suggest import did_you_mean
from ..description import Described
from ..model import Connecting, Facts, Frame
from ..spec import Spec
from ..spec_tests import PacketTest, Way
from .expected import Expected
from .frames import Frames
from .invented import machine_facts


class Ready(Record):
    """A test, what it gives to the programs, and the tests whose packets come before."""

    test: PacketTest
    given: Frame | Connecting
    before: tuple[Ready, ...]


class Prepared(Record):
    """The tests of a spec in their order, and what the programs know of the machine that they run on."""

    spec: Spec
    described: Described
    facts: Facts
    tests: tuple[Ready, ...]


def prepare(spec: Spec, described: Described, findings: Findings) -> Prepared:
    """What is wrong with the tests goes to `findings` (T131, E4); those that are right are among the result's."""
    facts = machine_facts(spec, described, findings)
    frames = Frames(spec, described, facts, findings)
    expected = Expected(spec, described, facts, findings)
    ready: dict[str, Ready] = {}
    seen: set[str] = set()
    for test in spec.tests.packets if spec.tests is not None else ():
        if test.name in seen:
            findings.error("T131", f"two tests are called `{test.name}`", test.place, "a name for each")
        expected.check(test)
        given = frames.connecting(test.packet) if test.way is Way.CONNECTS else frames.frame(test.packet)
        before = _before(test, ready, seen, findings)
        seen.add(test.name)
        if given is not None:
            ready[test.name] = Ready(test, given, before)
    return Prepared(spec, described, facts, tuple(ready.values()))


def _before(test: PacketTest, ready: Mapping[str, Ready], seen: set[str], findings: Findings) -> tuple[Ready, ...]:
    found = []
    for word in test.after:
        name = str(word.value)
        if name in ready:
            found.append(ready[name])
        elif name not in seen:  # else it has an error of its own
            help = did_you_mean(name, seen, "a test comes after tests that are written above it")
            findings.error("T131", f"there is no test `{name}` above", word.place, help)
    return tuple(found)
