"""A machine that runs a program: what stays between packets."""

from __future__ import annotations

from .. import ir
from ..identifiers import c_name
from .connect import connect
from .constants import Constants
from .egress import leave
from .facts import Facts
from .fit import Ends
from .flows import FlowTable
from .fragments import Key, Shown
from .frame import Connecting, Frame, Outcome
from .guard import leave_elsewhere
from .ingress import receive
from .path_mtu import PathMtu
from .run import Run


class Machine:
    """Runs the frames of one device through a program. What they leave behind is seen by those that follow.

    `now` is the clock, in ns: advance it to let what is remembered become idle. The model has no sockets of its own: no
    connection of this machine contradicts what a frame shows.
    """

    def __init__(self, program: ir.Program, facts: Facts, now: int = 1) -> None:
        self.program, self.facts, self.now = program, facts, now
        self.constants = Constants(program)
        self.counters = {c.name: (c.place, c.text) for c in program.counters}
        self.stacks = {stack.name: stack for stack in program.stacks}
        self.fragments: dict[Key, Shown] = {}
        self.arrivals: dict[Ends, int] = {}
        self.answered: dict[tuple[bytes, int], int] = {}
        self.path_mtus: dict[bytes, PathMtu] = {}
        self.cgroup_paths = {c.constant: c.path for c in program.attribution.cgroups} if program.attribution else {}
        self.flows = self._flow_table()

    def _flow_table(self) -> FlowTable | None:
        if self.program.flows is None:
            return None
        number, seed = self.constants.number, self.facts.host["flow_seed"]
        assert isinstance(seed, int)
        attribution = self.program.attribution is not None
        flows = self.program.flows
        return FlowTable(number("FLOW_BUCKETS"), flows.ways, seed, attribution, flows.opening if attribution else 0)

    def refusal(self, encapsulation: str, reason: str) -> str:
        """The counter of a reason for which packets of an encapsulation are refused."""
        return f"refused_{c_name(encapsulation)}__{reason}"

    def egress(self, frame: Frame) -> Outcome:
        """A frame that leaves by the device."""
        run = Run.of(self, frame)
        return run.end(leave(run))

    def elsewhere(self, frame: Frame) -> Outcome:
        """A frame of a socket in one of the spec's cgroups, which leaves by a device without our program."""
        run = Run.of(self, frame)
        return run.end(leave_elsewhere(run))

    def ingress(self, frame: Frame) -> Outcome:
        """A frame that came in by the device."""
        run = Run.of(self, frame)
        return run.end(receive(run))

    def connect(self, socket: Connecting) -> Outcome:
        """A socket that connects."""
        return connect(self, socket)
