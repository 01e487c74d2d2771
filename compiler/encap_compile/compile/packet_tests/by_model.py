"""A test in the model: on a machine that has seen no packet but those of the tests before it."""

from __future__ import annotations

from dataclasses import replace

from ..model import Connecting, Frame, Machine, Outcome, Socket
from ..spec_tests import Way
from .build import destination_of
from .prepared import Prepared, Ready

ETHER = 14  # bytes of its header
Destination = tuple[tuple[str, ...], bytes, int, int]  # cgroups, address, protocol, port


class ModelRun:
    """A machine of the model, and the sockets that connected on it. `socket` is that of packets without one."""

    def __init__(self, prepared: Prepared, socket: Socket | None = None) -> None:
        self.socket = socket
        self.machine = Machine(prepared.described.program, prepared.facts)
        self.chosen: dict[Destination, tuple[str, str]] = {}

    def run(self, ready: Ready) -> Outcome:
        if isinstance(ready.given, Connecting):
            outcome = self.machine.connect(ready.given)
            to = ready.given.cgroups, ready.given.destination, ready.given.protocol, ready.given.destination_port
            self.chosen.pop(to, None)
            if outcome.chosen is not None:
                self.chosen[to] = outcome.chosen
            return outcome
        frame = ready.given if ready.given.socket else replace(ready.given, socket=self.socket)
        if ready.test.way is Way.LEAVES:
            return self.machine.egress(self.with_choice(frame))
        return self.machine.ingress(frame)

    def with_choice(self, frame: Frame) -> Frame:
        """The frame, from the socket that connected to its destination: what its application chose takes precedence."""
        socket = frame.socket or Socket()
        choice = self.chosen.get((socket.cgroups, *destination_of(frame.data[ETHER:])))
        if choice is None or socket.choice is not None:
            return frame
        return replace(frame, socket=replace(socket, choice=choice))


def run_ready(prepared: Prepared, ready: Ready, socket: Socket | None = None) -> Outcome:
    """What becomes of a test's packet. `socket` is that of packets without one."""
    run = ModelRun(prepared, socket)
    for earlier in ready.before:
        run.run(earlier)
    return run.run(ready)
