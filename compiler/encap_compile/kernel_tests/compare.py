"""What the program did with a test's packet, held against the model and against what the test expects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..compile.description import Described
from ..compile.model import Outcome, Sent, Verdict
from ..compile.packet_tests.result import Disagreement
from ..compile.packet_tests.validate import Difference, differences
from ..compile.spec_tests import PacketTest, Way
from .program import Ran

ETHER = 14  # bytes of its header


def disagreements(outcome: Outcome, ran: Ran) -> Iterator[Disagreement]:
    """Where the model and the program differ."""
    if str(outcome.verdict) != ran.verdict:
        yield Disagreement("verdict", str(outcome.verdict), ran.verdict)
    if outcome.mark != ran.mark:
        yield Disagreement("mark", str(outcome.mark), str(ran.mark))
    if len(outcome.data) != len(ran.data):
        yield Disagreement("length", f"{len(outcome.data) - ETHER} bytes", f"{len(ran.data) - ETHER} bytes")
    at = next((i for i, (a, b) in enumerate(zip(outcome.data, ran.data, strict=False)) if a != b), None)
    if at is not None:
        place = f"byte {at} of the frame"
        yield Disagreement(place, outcome.data[at : at + 8].hex(), ran.data[at : at + 8].hex())
    for name in sorted({*outcome.counted, *ran.counted}):
        model, program = outcome.counted.get(name, (0, 0)), ran.counted.get(name, (0, 0))
        if model != program:
            yield Disagreement(f"counter {name}", _counted(model), _counted(program))


def _counted(count: tuple[int, int]) -> str:
    return f"{count[0]} packets, {count[1]} bytes"


def program_differences(
    test: PacketTest, given: bytes, outcome: Outcome, ran: Ran, described: Described
) -> list[Difference]:
    """What is not as expected of the program. It names no rule and no row: these are taken from the model's `outcome`,
    with which it agrees or is told to differ."""
    grown = len(ran.data) - len(given)
    rule = outcome.rule if grown < 0 or test.way is Way.LEAVES else ""
    verdict = next((v for v in Verdict if v == ran.verdict), Verdict.PASS)
    found = replace(
        outcome,
        verdict=verdict,
        data=ran.data,
        mark=ran.mark,
        counted=ran.counted,
        rule=rule if verdict is not Verdict.DROP else outcome.rule,
        sent=_sent(outcome, ran, grown, described),
    )
    return differences(test, found)


def _sent(outcome: Outcome, ran: Ran, grown: int, described: Described) -> Sent | None:
    """The headers in front of the packet, as those that the model sends or as the first stack of their length."""
    if grown <= 0:
        return None
    outer = ran.data[ETHER : ETHER + grown]
    if outcome.sent is not None and len(outcome.sent.outer) == grown:
        return outcome.sent._replace(outer=outer)
    stack = next((s for s in described.program.stacks if s.overhead == grown), None)
    return Sent(stack, {}, outer) if stack is not None else None
