"""One frame on its way through a program: its bytes as they change, what is counted, the steps taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .frame import Did, Frame, Gso, Outcome, Sent, Step, Verdict
from .packet import ETHER, ETHER_TYPES

if TYPE_CHECKING:
    from .machine import Machine


@dataclass
class Run:
    machine: Machine
    frame: Frame
    data: bytearray
    mark: int
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    rule: str = ""
    chosen: str = ""  # the counter of the rule, which counts what is sent
    sent: Sent | None = None

    @classmethod
    def of(cls, machine: Machine, frame: Frame) -> Run:
        return cls(machine, frame, bytearray(frame.data), frame.mark)

    @property
    def family(self) -> str:
        """By the frame's type; empty for what is neither IPv4 nor IPv6."""
        return ETHER_TYPES.get(int.from_bytes(self.data[12:14], "big"), "")

    @property
    def segments(self) -> int:
        return self.frame.gso_segs or 1

    @property
    def mtu(self) -> int:
        mtu = self.machine.facts.host["mtu"]
        assert isinstance(mtu, int)
        return mtu

    def add(self, counter: str, size: int) -> None:
        """Count segments on the wire, and `size` bytes of IP packets."""
        packets, total = self.counted.get(counter, (0, 0))
        self.counted[counter] = packets + self.segments, total + size
        place, words = self.machine.counters[counter]
        self.steps.append(Step(Did.COUNTED, counter, words, place))

    @property
    def on_route_device(self) -> bool:
        return bool(self.machine.facts.host.get("route_device"))

    def count(self, counter: str) -> None:
        self.add(counter, len(self.data) - ETHER)

    def step(self, did: Did, name: str, detail: str = "", place: str = "") -> None:
        self.steps.append(Step(did, name, detail, place))

    def helper_refuses(self) -> bool:
        """bpf_skb_adjust_room leaves GSO packets alone that are neither TCP nor UDP (net/core/filter.c)."""
        return bool(self.frame.gso_size) and self.frame.gso is Gso.UNKNOWN

    def end(self, verdict: Verdict) -> Outcome:
        return Outcome(
            verdict, bytes(self.data), self.mark, self.counted, tuple(self.steps), rule=self.rule, sent=self.sent
        )
