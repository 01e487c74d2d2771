"""A bundle's programs, loaded with the host values of an invented machine and filled with the bundle's rows."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from encap_compile.common.diagnostics import Findings
from encap_compile.common.manifest import Counter, Manifest
from encap_compile.run.host_values import resolve
from encap_compile.run.kernel.devices import Address, Device
from encap_compile.run.kernel.maps import Map, Packed
from encap_compile.run.kernel.objects import BpfObject
from encap_compile.run.kernel.programs import Program
from encap_compile.run.kernel.test_run import run
from encap_compile.run.loader.bundle import Bundle, open_bundle
from encap_compile.run.loader.compose import NO_CGROUPS, Context, compose
from encap_compile.run.loader.contents import wanted_contents
from encap_compile.run.loader.hostfile import read_settings

OWN = {4: "192.0.2.77", 6: "2001:db8::77"}  # our outer addresses
MAC = "02:00:00:00:00:77"  # our device's
MTU = 1500
NO_DEVICE = 0x7FFFFFFF
LOOPBACK = 1  # the only device of every network namespace: whatever came in by it is forwarded
_PAIR = struct.Struct("=QQ")

Counts = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Outcome:
    """`verdict` is pass, drop or redirect; `frame` the bytes behind the program; `counted` the counters that moved."""

    verdict: str
    frame: bytes
    mark: int
    counted: Counts


def device(mtu: int = MTU, tx_checksum: Collection[int] = (4, 6)) -> Device:
    addresses = tuple(Address(ip_address(a), 24, True) for a in OWN.values())
    mac = bytes.fromhex(MAC.replace(":", ""))
    # In a VRF that is not there: next hops do not depend on the routes of this machine.
    vrf, offloads = NO_DEVICE, frozenset(tx_checksum)
    return Device("eth0", 2, mac, mtu, True, True, addresses, master=vrf, master_kind="vrf", tx_checksum=offloads)


def load_programs(bundle: Path, settings: Sequence[str]) -> None:
    """Have all programs of a bundle verified, and let them go. Raises LoadRefusedError with the verifier's log."""
    opened = open_bundle(bundle, {})
    findings = Findings()
    given = read_settings([*(f"{name}=eth0" for name in opened.manifest.attach), *settings])
    machine = resolve(opened.manifest, given, {"eth0": device()}, findings)
    assert not findings.errors, [d.message for d in findings.errors]
    with BpfObject(opened.object, opened.manifest.name) as object_:
        object_.set_initial_value(".rodata.host", compose(opened.manifest, machine, device()).host)
        object_.load()


class Datapath:
    """Use it as a context manager. `settings` are host values besides the device, as for `encapctl --set`.

    `more` are rows to add to those of the bundle: table -> CSV lines. `context`: where the
    attached cgroup lies. `tx_checksum` are the IP versions whose checksums the device fills in. `host` are the bytes of
    the host values, `rows` the rows by table. `route`: the number of the route device, whose instance it then is.
    """

    def __init__(
        self,
        bundle: Path,
        mtu: int = MTU,
        settings: tuple[str, ...] = (),
        more: Mapping[str, str] | None = None,
        context: Context = NO_CGROUPS,
        tx_checksum: Collection[int] = (4, 6),
        route: int = 0,
    ) -> None:
        with TemporaryDirectory() as folder:
            files = {}
            for table, lines in (more or {}).items():
                files[table] = Path(folder) / f"{table}.csv"
                files[table].write_text((bundle / f"{table}.csv").read_text() + lines)
            self._load(open_bundle(bundle, files), device(mtu, tx_checksum), settings, context, route)

    def _load(self, opened: Bundle, attached: Device, settings: tuple[str, ...], context: Context, route: int) -> None:
        self.manifest: Manifest = opened.manifest
        self.device = attached
        findings = Findings()
        given = read_settings([*(f"{name}=eth0" for name in self.manifest.attach), *settings])
        machine = resolve(self.manifest, given, {"eth0": self.device}, findings)
        wanted = wanted_contents(opened, machine, findings)
        assert not findings.all, [d.message for d in findings.all]
        self._object = BpfObject(opened.object, self.manifest.name)
        self.host = compose(self.manifest, machine, self.device, context, route).host
        self.rows = wanted.rows
        self._object.set_initial_value(".rodata.host", self.host)
        self._object.load()
        for content in wanted.contents:
            if content.kind != "rows" or not wanted.rows[content.table].cgroups:  # of cgroups that are not there
                self.fill(content.map, content.entries)
        self._programs = {h.hook: self._object.program(h.program) for h in self.manifest.programs}
        if self.manifest.route_device:
            self._programs["guard"] = self._object.program(self.manifest.route_device.ingress)
        self._counters = self._object.map("counters")
        self._before = self._values()

    def fill(self, name: str, entries: Packed) -> None:
        with self.map(name) as map_:
            map_.update(entries)

    @property
    def map_names(self) -> set[str]:
        return set(self._object.maps)

    def map(self, name: str) -> Map:
        return self._object.map(name)

    @property
    def names(self) -> list[str]:
        """Every counter's."""
        return [c.name for c in self.manifest.counters]

    def program(self, hook: str) -> Program:
        return self._programs[hook]

    def egress(
        self, frame: bytes, mark: int = 0, gso_size: int = 0, gso_segs: int = 0, forwarded: bool = False
    ) -> Outcome:
        return self._run("tc_egress", frame, mark, gso_size, gso_segs, forwarded)

    def ingress(self, frame: bytes, mark: int = 0, gso_size: int = 0, gso_segs: int = 0) -> Outcome:
        return self._run("tc_ingress", frame, mark, gso_size, gso_segs)

    def guard(self, frame: bytes, mark: int = 0) -> Outcome:
        """What arrives at the route device."""
        return self._run("guard", frame, mark, 0, 0)

    def _run(
        self, hook: str, frame: bytes, mark: int, gso_size: int, gso_segs: int, forwarded: bool = False
    ) -> Outcome:
        ran = run(self._programs[hook], frame, mark, gso_size, gso_segs, arrived_by=LOOPBACK if forwarded else 0)
        return Outcome(ran.verdict, ran.frame, ran.mark, self.moved())

    def moved(self) -> Counts:
        """What changed in the counters since the last run."""
        after, before = self._values(), self._before
        self._before = after
        moved: Counts = {}
        for value, (at, counters) in enumerate(self._places):
            if after[value] == before[value]:
                continue
            for counter in counters:
                now, then = (_PAIR.unpack_from(b[value], counter.offset - at) for b in (after, before))
                if now != then:
                    packets, size = moved.get(counter.name, (0, 0))
                    moved[counter.name] = (packets + now[0] - then[0], size + now[1] - then[1])
        return moved

    def _values(self) -> list[bytes]:
        """What the counters' map holds, a value for each entry and CPU."""
        stride, entries = (self.manifest.counters_size + 7) // 8 * 8, max(self.manifest.counters_entries, 1)
        raw = (self._counters.lookup(struct.pack("=I", entry)) for entry in range(entries))
        return [value[cpu : cpu + stride] for value in raw for cpu in range(0, len(value), stride)]

    @cached_property
    def _places(self) -> list[tuple[int, list[Counter]]]:
        """Where each of these values begins in `struct counters`, and the counters in it."""
        size, entries = self.manifest.counters_size, max(self.manifest.counters_entries, 1)
        within = [[c for c in self.manifest.counters if c.offset // size == entry] for entry in range(entries)]
        cpus = len(self._before) // entries
        return [(entry * size, within[entry]) for entry in range(entries) for _ in range(cpus)]

    def close(self) -> None:
        for handle in (*self._programs.values(), self._counters):
            handle.close()
        self._object.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
