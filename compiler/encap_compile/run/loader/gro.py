"""`receive: {gro: device}`: idle tunnel devices that switch the kernel's GRO on for received tunnel packets.

GRO asks the UDP socket of the outer port (udp_gro_receive), and only a tunnel device makes one that merges what is
inside. So a device of ours is up on each port on which no other one is. It gets no address and no route, and receives
nothing: VXLAN with `vnifilter` has no VNI to receive, and on every one a program drops what comes in, which is there
before it goes up.

What is ours is known by the device itself, which says whose it is; by its name and MAC where an apply was killed
before it said so. So nothing has to be written down beside it, and what a crash left is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from ...common.diagnostics import Diagnostic, Findings, Severity
from ...common.fnv import fnv1a
from ...common.manifest import Manifest, TunnelPort
from ...common.record import Record
from ..host_values import Machine
from ..kernel.device_features import Features
from ..kernel.errors import KernelError, describe
from ..kernel.guard import guard, is_guarded
from ..kernel.tunnel_devices import TunnelDevice, delete, make_external, set_up, tunnel_devices

DEVICE = "device"
KEEP, MAKE, SET_UP, DELETE, REFUSED = "keep", "make", "set up", "delete", "refused"
_FAMILIES = {"ipv4": 4, "ipv6": 6}
_EADDRINUSE = 98
NOTHING_UNMADE: Mapping[str, str] = MappingProxyType({})
_ANOTHER_MERGES = "another device has the port"


class GroDevice(Record):
    """A device of ours for one UDP port, and what is to be done with it. `index` is 0 as long as it is not there."""

    name: str
    kind: str
    port: int
    action: str
    why: str = ""
    index: int = 0

    @property
    def text(self) -> str:
        return f"{self.name}: {self.kind} on UDP port {self.port}"


class Merging(Record):
    """A UDP port on which a device that is not ours already has the kernel merge: its name, and for which families."""

    port: TunnelPort
    by: str
    families: tuple[str, ...]


class Gro(Record):
    """What is, or is to be, in force for the ports of a bundle. `unmerged` are those for which nothing merges."""

    devices: tuple[GroDevice, ...] = ()
    others: tuple[Merging, ...] = ()
    unmerged: tuple[TunnelPort, ...] = ()

    @property
    def changes(self) -> tuple[GroDevice, ...]:
        return tuple(d for d in self.devices if d.action not in (KEEP, REFUSED))


def name_of(bundle: str, port: int) -> str:
    """At most 15 characters, as IFNAMSIZ has it."""
    return f"gro{port}-{fnv1a(bundle) & 0xFFFFFF:06x}"


def owner_of(bundle: str) -> str:
    """What a device of ours says in its ifalias."""
    return f"encap: GRO of {bundle}"


def find(manifest: Manifest | None, bundle: str, former: str = "", unmade: Mapping[str, str] = NOTHING_UNMADE) -> Gro:
    """What is there, and what is missing for a bundle; without a manifest, what has to go. Raises KernelError.

    `former` is the bundle that this one replaces. `unmade` are devices that the last apply could not make, and why: it
    is no change that is pending, as the next one most likely cannot either.
    """
    here = tunnel_devices()
    ours = [d for d in here if _is_of(d, bundle) or (former and _is_of(d, former))]
    rest = [d for d in here if d not in ours]
    ports = manifest.tunnel_ports if manifest else ()
    asked = manifest is not None and manifest.gro == DEVICE
    devices: list[GroDevice] = []
    others: list[Merging] = []
    unmerged: list[TunnelPort] = []
    for port in ports:
        mine = next((d for d in ours if (d.kind, d.port) == (port.kind, port.port) and _is_of(d, bundle)), None)
        there = _others(port, rest)
        if asked and mine is not None and mine.up:
            devices.append(_kept(mine))
        elif there:
            others += [Merging(port, d.name, _families(port, d)) for d in there]
        elif asked:
            devices.append(_wanted(port, bundle, mine))
        else:
            unmerged.append(port)
    devices = [
        replace(d, action=REFUSED, why=unmade[d.name]) if d.action == MAKE and d.name in unmade else d for d in devices
    ]
    wanted = {d.name for d in devices}
    devices += [
        GroDevice(d.name, d.kind, d.port, DELETE, _why_gone(d, others), d.index) for d in ours if d.name not in wanted
    ]
    return Gro(tuple(devices), tuple(others), tuple(unmerged))


def _kept(mine: TunnelDevice) -> GroDevice:
    guarded = is_guarded(mine.index)
    action, why = (KEEP, "") if guarded else (MAKE, "its guard is gone")
    return GroDevice(mine.name, mine.kind, mine.port, action, why, mine.index)


def _wanted(port: TunnelPort, bundle: str, mine: TunnelDevice | None) -> GroDevice:
    name = name_of(bundle, port.port)
    if mine is not None and mine.owner:
        return GroDevice(mine.name, port.kind, port.port, SET_UP, "it is down", mine.index)
    if mine is not None:
        return GroDevice(mine.name, port.kind, port.port, MAKE, "an apply was killed while it made it", mine.index)
    return GroDevice(name, port.kind, port.port, MAKE)


def _is_of(device: TunnelDevice, bundle: str) -> bool:
    if device.owner:
        return device.owner == owner_of(bundle)
    return device.orphan and device.name == name_of(bundle, device.port)


def _others(port: TunnelPort, here: Iterable[TunnelDevice]) -> list[TunnelDevice]:
    """Devices on the port that are not ours. One that is down has it too: ours would keep it from going up."""
    return [d for d in here if (d.kind, d.port) == (port.kind, port.port) and not d.gpe]


def _families(port: TunnelPort, device: TunnelDevice) -> tuple[str, ...]:
    return tuple(f for f in port.families if device.up and _FAMILIES[f] in device.families)


def _why_gone(device: TunnelDevice, others: Sequence[Merging]) -> str:
    taken = any((m.port.kind, m.port.port) == (device.kind, device.port) for m in others)
    return _ANOTHER_MERGES if taken else "no longer in the spec"


def advice(gro: Gro, machine: Machine) -> list[Diagnostic]:
    """H190 for ports on which segments are not merged, H191 for devices that the last apply could not make, H192 for
    attached devices that do not merge at all."""
    findings = Findings()
    findings.extend(_refused(d, d.why) for d in gro.devices if d.action == REFUSED)
    for port in gro.unmerged:
        words = f"received {port.kind} segments on UDP port {port.port} are not merged before they are decapsulated: "
        words += "no tunnel device has the port"
        findings.note("H190", words, help="`receive: {gro: device}` in the spec")
    for port in dict.fromkeys(m.port for m in gro.others):
        by = [m for m in gro.others if m.port == port]
        missing = [f for f in port.families if not any(f in m.families for m in by)]
        if missing:
            names = ", ".join(m.by for m in by)
            words = (
                f"received {port.kind} segments on UDP port {port.port} are not merged over {' and '.join(missing)}:"
            )
            fix = f"set {names} up, or give it that family; or delete it, and `receive: {{gro: device}}` makes one"
            findings.note("H190", f"{words} {names} has the port, but is down or has another family", help=fix)
    if gro.devices or gro.others:
        for device in machine.attached:
            with Features() as features:
                on = features.on(device.name)
            if on and "rx-gro" not in on:
                words = f"GRO is off on {device.name}: nothing that it receives is merged"
                findings.note("H192", words, help=f"`ethtool -K {device.name} gro on`")
    return findings.all


def carry_out(manifest: Manifest, former: str, findings: Findings) -> dict[str, str]:
    """Delete, then make, by what is there now. What the machine refuses costs speed and no packet: H191.

    The names of those that could not be made, and why. Raises KernelError.
    """
    unmade = {}
    changes = find(manifest, manifest.name, former).changes
    for device in (d for d in changes if d.action == DELETE):
        delete(device.index)
    for device in (d for d in changes if d.action != DELETE):
        try:
            _bring_up(device, owner_of(manifest.name))
        except KernelError as error:
            why = "something else has the port" if error.errno == _EADDRINUSE else describe(error.errno)
            unmade[device.name] = why
            findings.extend([_refused(device, why)])
    return unmade


def _refused(device: GroDevice, why: str) -> Diagnostic:
    words = f"the GRO device {device.text} cannot be made: {why}"
    fix = "packets are decapsulated all the same, each segment alone"
    return Diagnostic("H191", words, help=fix, severity=Severity.WARNING)


def _bring_up(device: GroDevice, owner: str) -> None:
    index = device.index
    if device.action == MAKE and index:
        delete(index)
    if device.action == MAKE:
        index = make_external(device.name, device.kind, device.port, owner).index
    try:
        guard(index)
        set_up(index)
    except KernelError:
        delete(index)
        raise


def drift_of_devices(gro: Gro) -> list[str]:
    """What is not as an apply would leave it, a sentence each."""
    words = {MAKE: "is not there", SET_UP: "is down", DELETE: "is left over"}
    return [f"GRO device {d.text}: {d.why or words[d.action]}" for d in gro.changes]


def take_away(bundle: str) -> tuple[str, ...]:
    """Delete every device of a bundle; their names. Raises KernelError."""
    devices = find(None, bundle).devices
    for device in devices:
        delete(device.index)
    return tuple(d.name for d in devices)
