"""`encap-compile explain SPEC --packet`: what becomes of one packet, and why, byte by byte."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .. import ir
from ..description import Described
from ..model import Did, Frame, Machine, Outcome, Sent, Verdict
from ..pipeline import check_spec
from ..positions import line_of, positions
from ..spec import Spec
from .capture import frame_of
from .frames import Frames
from .given import packet_words
from .invented import machine_facts
from .sent import SentField, sent_fields

ETHER = 14
ROW = 16  # bytes of a field in a row
NEXT_HEADER, DESTINATION_OPTIONS = 6, 60  # in an IPv6 header
_CAPTURED = re.compile(r"(?P<file>.+\.p?cap):(?P<number>[0-9]+)")


class PacketExplained(NamedTuple):
    text: str
    document: dict[str, Any]


def explain_packet(path: str, packet: str, arrives: bool) -> PacketExplained:
    """`packet` is words, or FILE.pcap:N. Raises DiagnosedError."""
    spec, described, _, findings = check_spec(path)
    facts = machine_facts(spec, described, findings)
    captured = _CAPTURED.fullmatch(packet)
    if captured:
        frame: Frame | None = Frame(frame_of(captured["file"], int(captured["number"])))
    else:
        given = packet_words(packet)
        arrives = arrives or given.encapsulation is not None
        frame = Frames(spec, described, facts, findings).frame(given)
    findings.stop_on_errors()
    assert frame is not None
    machine = Machine(described.program, facts)
    outcome = machine.ingress(frame) if arrives else machine.egress(frame)
    mtu = facts.host.get("mtu")
    return PacketExplained(
        _text(spec, described.program.stacks, frame, outcome, arrives, mtu if isinstance(mtu, int) else 0),
        _document(spec, described, frame, outcome, arrives),
    )


def _verdict(outcome: Outcome, arrives: bool) -> str:
    if outcome.verdict is Verdict.DROP:
        return "dropped"
    if outcome.sent:
        return f"encapsulated in {outcome.sent.stack.title}"
    if outcome.verdict is Verdict.REDIRECT and not arrives:
        return "answered, and not sent"
    return "decapsulated" if arrives and outcome.rule else "passed as it is"


def steps(spec: Spec, outcome: Outcome) -> list[str]:
    where = positions(spec)
    return [str(step._replace(place=line_of(step.place, where) if step.place else "")) for step in outcome.steps]


def _text(spec: Spec, spec_stacks: Sequence[ir.Stack], frame: Frame, outcome: Outcome, arrives: bool, mtu: int) -> str:
    size, now = len(frame.data) - ETHER, len(outcome.data) - ETHER
    by = f" by {outcome.rule}" if outcome.rule else ""
    lines = [f"A packet of {size} bytes {'arrives' if arrives else 'leaves'}: {_verdict(outcome, arrives)}{by}", ""]
    lines += [f"  {step}" for step in steps(spec, outcome)]
    if arrives and not outcome.steps:
        lines.append("  it carries none of this spec's stacks, or does not come to an address of this host")
    headers = outcome.sent or _received(spec_stacks, frame, outcome, arrives)
    if headers is not None:
        lines += ["", "Outer bytes:", *_labelled(headers)]
    if outcome.sent:
        lines += ["", f"On the wire {now} bytes of IP; the device takes {mtu}: {mtu - now} bytes are left."]
    return "\n".join(lines) + "\n"


def _labelled(headers: Sent) -> Iterator[str]:
    """Each outer byte with the field that it belongs to."""
    rows = [row for field in sent_fields(headers) for row in _rows(field)]
    word, name = max(len(row[1]) for row in rows), max(len(row[2]) for row in rows)
    last = -1
    for offset, raw, field, value in rows:
        shown = (f"{offset:4d}", raw) if offset != last else ("    ", "")
        last = offset
        yield f"  {shown[0]}  {shown[1]:<{word}}  {field:<{name}}  {value}".rstrip()


def _rows(field: SentField) -> Iterator[tuple[int, str, str, str]]:
    """A field in one row, or where it is longer than an address in one for each 16 bytes."""
    called, text = f"{field.header}.{field.name}", field.text
    for at in range(0, len(field.raw), ROW):
        yield field.offset + at, field.raw[at : at + ROW].hex(), called, text
        text = "" if len(field.raw) > ROW else text


def _received(stacks: Sequence[ir.Stack], frame: Frame, outcome: Outcome, arrives: bool) -> Sent | None:
    """The headers that a packet was decapsulated from. None if it was not, or if there is more between them."""
    size = len(frame.data) - len(outcome.data)
    name = next((step.detail for step in outcome.steps if step.did is Did.RECEIVED), "")
    stack = next((s for s in stacks if s.name == name), None)
    if not arrives or size <= 0 or stack is None:
        return None
    outer = frame.data[ETHER : ETHER + size]
    if stack.outer_family == "ipv6" and outer[NEXT_HEADER] == DESTINATION_OPTIONS:  # RFC 2473: a tunnel's limit
        return None
    return Sent(stack, {}, outer)


def _document(spec: Spec, described: Described, frame: Frame, outcome: Outcome, arrives: bool) -> dict[str, Any]:
    counted: Mapping[str, tuple[int, int]] = outcome.counted
    headers = outcome.sent or _received(described.program.stacks, frame, outcome, arrives)
    return {
        "name": described.program.name,
        "direction": "ingress" if arrives else "egress",
        "verdict": _verdict(outcome, arrives).partition(" ")[0],
        "rule": outcome.rule,
        "mark": outcome.mark,
        "steps": steps(spec, outcome),
        "counters": {name: {"packets": p, "bytes": b} for name, (p, b) in counted.items()},
        "outer": [
            {"offset": f.offset, "bytes": f.raw.hex(), "name": f"{f.header}.{f.name}", "value": f.text}
            for f in (sent_fields(headers) if headers is not None else ())
        ],
        "frame_in": frame.data.hex(),
        "frame_out": outcome.data.hex(),
    }
