"""An example's program in the kernel, and the model of it, with the same host values and rows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

from encap_compile.common.diagnostics import Findings
from encap_compile.common.rows import read_prefixes
from encap_compile.compile import ir
from encap_compile.compile.inline_rows import check_inline_rows
from encap_compile.compile.model import Facts, Frame, Machine, Socket, facts_of, host_values
from encap_compile.compile.model.checksum import is_right
from encap_compile.compile.pipeline import check_spec, compile_spec
from encap_compile.compile.spec import Spec
from encap_compile.run.loader.compose import NO_CGROUPS, Context

from ..packets.datapath import MAC, Datapath
from ..packets.datapath import Outcome as Ran

TX_CHECKSUM = (4,)  # the IP versions whose checksums the device fills in: for GSO packets it makes a difference
LRU_MAPS = ("fragments", "arrivals", "answered", "path_mtus")  # where the kernel gives up entries before they are full
SETTINGS = {  # what each machine must say, beside its device
    "vxlan-overlay": (f"vtep_mac={MAC}",),
    "gue-edge": ("gateway=198.51.100.1,2001:db8:51::1",),
    "gue-edge, gateway of IPv4": ("gateway=198.51.100.1",),
}


@dataclass
class Pair:
    name: str
    program: ir.Program
    facts: Facts
    machine: Machine
    datapath: Datapath
    socket: Socket = field(
        default_factory=Socket
    )  # what the socket says that BPF_PROG_TEST_RUN gives to frames: it is this process's

    def run(self, hook: str, frame: Frame) -> Ran:
        given = frame.data, frame.mark, frame.gso_size, frame.gso_segs
        ran = self.datapath.egress(*given, frame.forwarded) if hook == "egress" else self.datapath.ingress(*given)
        return _without_id(frame, ran)

    def expect(self, hook: str, frame: Frame, machine: Machine | None = None) -> Ran:
        """What the model says, in the words of the program's outcome."""
        machine = machine or self.machine
        frame = replace(frame, socket=self.socket)
        machine.now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        outcome = machine.egress(frame) if hook == "egress" else machine.ingress(frame)
        self.steps = outcome.steps
        return _without_id(frame, Ran(str(outcome.verdict), outcome.data, outcome.mark, dict(outcome.counted)))

    def forget(self, *others: Machine | None) -> None:
        """Empty the maps in which the kernel may give up entries early, on both sides."""
        for name in LRU_MAPS:
            if name in self.datapath.map_names:
                with self.datapath.map(name) as map_:
                    map_.delete(map_.entries().keys)
        for machine in (self.machine, *others):
            if machine is not None:
                machine.fragments.clear()
                machine.arrivals.clear()
                machine.answered.clear()
                machine.path_mtus.clear()

    def mutant(self, program: ir.Program) -> Machine:
        """A model of another program than the kernel has, which remembers what the model of the right one does."""
        machine = Machine(program, self.facts)
        machine.flows = deepcopy(self.machine.flows)
        return machine


def _without_id(given: Frame, ran: Ran) -> Ran:
    """Without the IP ID of an outer packet that routers may fragment, which is random, and the checksum over it."""
    data = ran.frame
    head = data[14:34]
    if data == given.data or data[12:14] != b"\x08\0" or len(head) < 20 or head[6] & 0x40 or not is_right(head):
        return ran
    return replace(ran, frame=data[:18] + bytes(2) + data[20:24] + bytes(2) + data[26:])


def facts_for(datapath: Datapath, bundle: Path, spec: Spec) -> Facts:
    """What the loader told the program, and the rows that are compiled in."""
    manifest = datapath.manifest
    findings = Findings()
    fixed = {
        t.name: check_inline_rows(spec.endpoints[t.name], t, findings)
        for t in manifest.tables
        if t.name not in datapath.rows
    }
    prefixes = {s.map: read_prefixes(str(bundle / s.file), findings) for s in manifest.prefix_sets}
    assert not findings.all
    return facts_of(manifest, host_values(manifest.host_layout, datapath.host), {**datapath.rows, **fixed}, prefixes)


def load_pair(
    spec: Path,
    out: Path,
    settings: tuple[str, ...] = (),
    more: Mapping[str, str] | None = None,
    context: Context = NO_CGROUPS,
) -> Pair:
    """Compile a spec and load it. `more` are rows to add: table -> CSV lines."""
    parsed, lowered, _, _ = check_spec(str(spec))
    compile_spec(str(spec), out)
    bundle = out / lowered.program.name
    datapath = Datapath(bundle, settings=settings, more=more, context=context, tx_checksum=TX_CHECKSUM)
    facts = facts_for(datapath, bundle, parsed)
    return Pair(lowered.program.name, lowered.program, facts, Machine(lowered.program, facts), datapath)
