"""The attached devices as the kernel has them: up or not, on their own or part of another, and what is over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from ...kernel.devices import Device
from .report import RouteReport, listed

_OVER_ANOTHER = frozenset({"vlan", "macvlan", "ipvlan", "macvtap", "ipvtap", "macsec"})  # `lower` carries their packets
_OF_PORTS = {"bridge": "port", "bond": "port", "team": "port"}  # what they send leaves by one of their ports


class Attachment:
    """Which attached devices a packet passes that is routed over a device."""

    def __init__(self, attached: Iterable[Device], devices: Iterable[Device]) -> None:
        self.devices: Mapping[int, Device] = {d.index: d for d in devices}
        self.attached = {d.index: self.devices.get(d.index, d) for d in attached}
        self.names = ", ".join(d.name for d in self.attached.values())
        self.passed = cache(self._passed)

    def name(self, ifindex: int) -> str:
        """A device's name."""
        return self.devices[ifindex].name if ifindex in self.devices else f"device {ifindex}"

    def lower(self, device: Device) -> Device | None:
        """The device of this namespace that carries its packets, as those of a VLAN; None if there is none."""
        return self.devices.get(device.lower) if device.kind in _OVER_ANOTHER and device.lower else None

    def _passed(self, ifindex: int) -> frozenset[int]:
        found = {ifindex} if ifindex in self.attached else set()
        device = self.devices.get(ifindex)
        lower = self.lower(device) if device is not None else None
        if lower is not None:
            found |= self.passed(lower.index)
        if device is not None and device.kind in _OF_PORTS:
            for port in self.devices.values():
                if port.master == ifindex:
                    found |= self.passed(port.index)
        return frozenset(found)

    @property
    def vrfs(self) -> tuple[int, ...]:
        """The VRFs whose tables are asked for a route over an attached device, 0 for none of them, in this order."""
        masters = dict.fromkeys(d.master if d.master_kind == "vrf" else 0 for d in self.attached.values())
        return (*masters, 0) if 0 not in masters else tuple(masters)

    @property
    def silent(self) -> str:
        """The attached devices over which the kernel may have no routes now, and why; empty if there is none."""
        down = [d.name for d in self.attached.values() if not d.up]
        dark = [d.name for d in self.attached.values() if d.up and not d.carrier]
        parts = []
        if down:
            parts.append(f"{', '.join(down)} {'is' if len(down) == 1 else 'are'} down")
        if dark:
            parts.append(f"{', '.join(dark)} {'has' if len(dark) == 1 else 'have'} no carrier")
        return " and ".join(parts)

    def check(self, report: RouteReport) -> None:
        """H120 to H122 and H124: what keeps the programs on these devices from seeing packets."""
        for device in self.attached.values():
            if not device.up:
                words = f"{device.name} is down: no packet leaves by it, and the kernel has no routes over it"
                report.warn("H120", words, f"`ip link set {device.name} up`, and plan again to check the routes")
            elif not device.carrier:
                words = f"{device.name} has no carrier: no packet leaves by it until its link is there"
                report.warn("H121", words, "check its cable and its link partner, and plan again")
            if device.master_kind == "vrf":
                words = f"{device.name} belongs to VRF {self.name(device.master)}: the routes checked are its table's"
                report.note("H124", words, "packets of sockets outside the VRF take the main table's routes")
            elif device.master:
                self._check_port(device, report)

    def _check_port(self, device: Device, report: RouteReport) -> None:
        master, kind = self.name(device.master), device.master_kind
        ports = [p.index for p in self.devices.values() if p.master == device.master]
        words = f"{device.name} is a port of {kind} {master}: routes lead over {master}, and the program sees only "
        words += f"what {master} sends by {device.name}"
        everything = kind != "bridge" and self.attached.keys() >= set(ports)
        say = report.note if device.master in self.attached or everything else report.warn
        say("H122", words, f"attach to {master} instead")

    def check_over(self, used: Iterable[int], report: RouteReport) -> None:
        """H123: of devices that routes lead over, those that are over an attached one (VLANs and their like)."""
        over: dict[int, list[str]] = {}
        for ifindex in used:
            device = self.devices.get(ifindex)
            if ifindex not in self.attached and device is not None and device.kind in _OVER_ANOTHER:
                for index in self.passed(ifindex):
                    over.setdefault(index, []).append(f"{device.name} ({device.kind})")
        for index, names in over.items():
            base = self.name(index)
            words = f"routes lead over {listed(names)}, which {'lie' if len(names) > 1 else 'lies'} over {base}: "
            words += f"packets are encapsulated on {base}, and keep the tag or MAC address that they got before"
            report.note("H123", words, f"attach to {names[0].split()[0]} if only its packets are meant")
