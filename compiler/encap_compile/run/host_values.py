"""This machine's host values: what was given, and what the defaults find on its devices.

A value is the same for all attached devices, except one whose default names a `devices` value: that one differs
per device and belongs to the device that each program instance is attached to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from ..common.diagnostics import NOWHERE, Findings, Place
from ..common.manifest import HostDeclaration, Manifest
from ..common.record import Record
from ..common.values import WIDTHS
from .kernel.devices import Device
from .loader.hostfile import Given

NOT_GIVEN = "is not given"  # of a value without a default: waiting does not help
_BROADCAST = IPv4Address("255.255.255.255")
_FAMILIES = {"ip": (4, 6), "ipv4": (4,), "ipv6": (6,)}


class Addresses(Record):
    """One address of each family at most."""

    ipv4: IPv4Address | None = None
    ipv6: IPv6Address | None = None

    def __str__(self) -> str:
        return ", ".join(str(a) for a in (self.ipv4, self.ipv6) if a is not None) or "none"


Plain = Device | Addresses | bytes | int | str  # bytes: a MAC address; str: a cgroup's path


class Resolved(Record):
    """A value with where it came from. `by_device` holds what differs per attached device, by its name."""

    declaration: HostDeclaration
    origin: str
    values: tuple[Plain, ...] = ()  # one, or the devices
    by_device: Mapping[str, Plain] | None = None
    place: Place = NOWHERE

    def value_on(self, device: Device) -> Plain:
        """The value for the instance on that device; of `devices`, the device itself."""
        if self.by_device is not None:
            return self.by_device[device.name]
        if self.declaration.type == "devices":
            return device if device in self.values else self.values[0]
        return self.values[0]

    def text(self) -> str:
        """For people."""
        if self.by_device is not None:
            return ", ".join(f"{show(value)} on {name}" for name, value in self.by_device.items())
        return ", ".join(show(v) for v in self.values)


def show(value: Plain) -> str:
    """A value as a person would write it."""
    if isinstance(value, Device):
        return value.name
    return value.hex(":") if isinstance(value, bytes) else str(value)


class Machine(Record):
    """All host values, and the devices to attach to in the order of the spec, each once.

    `addresses` are the global primary addresses of devices of which the programs read `DEVICE.address`, by name.
    """

    values: Mapping[str, Resolved]
    attached: tuple[Device, ...]
    addresses: Mapping[str, Addresses] = field(default_factory=dict)


def resolve(
    manifest: Manifest, given: Mapping[str, Given], devices: Mapping[str, Device], findings: Findings
) -> Machine:
    """Find every host value; what cannot be found goes to `findings` (H104 to H107, H109) and is left out."""
    declared = {d.name: d for d in manifest.host}
    for name, value in given.items():
        if name not in declared and value.origin == "--set":  # a host file may serve several bundles
            findings.error(
                "H104", f"--set {name}: the spec has no such host value", help=f"known: {', '.join(declared)}"
            )
    values: dict[str, Resolved] = {}
    resolver = _Resolver(given, devices, findings, values)
    # Devices first: defaults look at them.
    for declaration in sorted(manifest.host, key=lambda d: not d.type.startswith("device")):
        resolver.resolve(declaration)
    values = {d.name: values[d.name] for d in manifest.host if d.name in values}
    attached: dict[int, Device] = {}
    for name in manifest.attach:
        for device in values[name].values if name in values else ():
            if isinstance(device, Device):
                attached.setdefault(device.index, device)
                if not device.ethernet:
                    words = (
                        f"{device.name} is not an Ethernet device: its packets have no Ethernet header to start from"
                    )
                    findings.error("H107", words, help="attach to the Ethernet device below or above it")
    return Machine(values, tuple(attached.values()), _direct_addresses(manifest, values, resolver))


def _direct_addresses(manifest: Manifest, values: Mapping[str, Resolved], resolver: _Resolver) -> dict[str, Addresses]:
    """The addresses of every device that a program member `DEVICE.address` reads, of the families it reads."""
    families: dict[str, set[int]] = {}
    for member in manifest.host_members:
        name, _, attribute = member.source.partition(".")
        if attribute == "address":
            families.setdefault(name, set()).add(6 if member.family == "ipv6" else 4)
    found = {}
    for name, versions in families.items():
        for device in values[name].values if name in values else ():
            if isinstance(device, Device):
                addresses = resolver.addresses_of(f"{name}.address", device, sorted(versions), "")
                if addresses is not None:
                    found[device.name] = addresses
    return found


@dataclass
class _Resolver:
    given: Mapping[str, Given]
    devices: Mapping[str, Device]
    findings: Findings
    values: dict[str, Resolved]

    def resolve(self, declaration: HostDeclaration) -> None:
        given = self.given.get(declaration.name)
        if given is None and declaration.type == "cgroup" and declaration.default:  # a path, and not of a device
            given = Given((declaration.default,), "the spec's default", NOWHERE)
        if given is not None:
            parsed = self._parse(declaration, given)
            if parsed is not None:
                self.values[declaration.name] = Resolved(declaration, given.origin, parsed, None, given.place)
            return
        if not declaration.default:
            words = f"host value `{declaration.name}` ({declaration.type}) {NOT_GIVEN}"
            fix = (
                f"give it with --set {declaration.name}=..., or in the host file (/etc/encap/host.yaml or --host FILE)"
            )
            self.findings.error("H104", words, help=fix)
            return
        name, _, what = declaration.default.partition(".")
        source = self.values.get(name)
        if source is None:
            return  # reported where it was missing
        found = {d.name: self._default(declaration, d, what) for d in source.values if isinstance(d, Device)}
        if any(v is None for v in found.values()):
            return
        known = {n: v for n, v in found.items() if v is not None}
        if source.declaration.type == "devices":
            self.values[declaration.name] = Resolved(declaration, declaration.default, (), known)
        else:
            self.values[declaration.name] = Resolved(declaration, declaration.default, tuple(known.values()))

    def _parse(self, declaration: HostDeclaration, given: Given) -> tuple[Plain, ...] | None:
        kind = declaration.type
        many = kind in ("devices", "ip")
        if len(given.texts) > 1 and not many:
            return self._bad(declaration, given, f"one value is expected, not {len(given.texts)}")
        if kind in ("device", "devices"):
            return self._parse_devices(declaration, given)
        if kind in _FAMILIES:
            return self._parse_addresses(declaration, given)
        text = given.texts[0]
        if kind == "cgroup":
            if not text.startswith("/") or any(p in ("", ".", "..") for p in text[1:].split("/") if text != "/"):
                return self._bad(declaration, given, f"`{text}` is not a cgroup's path, as /system.slice")
            return (text,)
        if kind == "mac":
            try:
                mac = bytes.fromhex(text.replace("-", ":").replace(":", " "))
            except ValueError:
                mac = b""
            if len(mac) != 6:
                return self._bad(declaration, given, f"`{text}` is not a MAC address")
            return (mac,) if any(mac) else self._bad(declaration, given, f"{text} is no device's address")
        try:
            number = int(text, 0)
        except ValueError:
            return self._bad(declaration, given, f"`{text}` is not a number")
        if not 0 <= number < 1 << WIDTHS[kind]:
            return self._bad(declaration, given, f"{number} does not fit into {kind}")
        return (number,)

    def _parse_devices(self, declaration: HostDeclaration, given: Given) -> tuple[Plain, ...] | None:
        missing = [t for t in given.texts if t not in self.devices]
        if missing:
            words = f"host value `{declaration.name}`: no device {', '.join(missing)} ({given.origin})"
            have = ", ".join(n for n in self.devices if n != "lo") or "only lo"
            self.findings.error("H105", words, given.place, f"this network namespace has {have}")
            return None
        return tuple(self.devices[t] for t in dict.fromkeys(given.texts))

    def _parse_addresses(self, declaration: HostDeclaration, given: Given) -> tuple[Plain, ...] | None:
        found: dict[int, IPv4Address | IPv6Address] = {}
        for text in given.texts:
            try:
                address = ip_address(text)
            except ValueError:
                return self._bad(declaration, given, f"`{text}` is not an IP address")
            if address.version not in _FAMILIES[declaration.type]:
                return self._bad(declaration, given, f"{address} is not {declaration.type}")
            if address.version in found:
                return self._bad(declaration, given, f"two IPv{address.version} addresses: one of each family at most")
            if address.is_multicast or address.is_unspecified or address.is_loopback or address == _BROADCAST:
                return self._bad(declaration, given, f"{address} cannot be the source of a packet")
            found[address.version] = address
        return (_addresses(found),)

    def _bad(self, declaration: HostDeclaration, given: Given, words: str) -> tuple[Plain, ...] | None:
        self.findings.error("H103", f"host value `{declaration.name}` ({given.origin}): {words}", given.place)
        return None

    def _default(self, declaration: HostDeclaration, device: Device, what: str) -> Plain | None:
        attributes: dict[str, Plain] = {"mac": device.mac, "mtu": device.mtu, "ifindex": device.index}
        if what != "address":
            value = attributes.get(what)
            if not value:
                self.findings.error("H104", f"host value `{declaration.name}`: {device.name} has no {what}")
            return value or None
        versions = _FAMILIES.get(declaration.type, ())
        found = self.addresses_of(declaration.name, device, versions, f"--set {declaration.name}=")
        if found is not None and found == Addresses():
            families = " or ".join(f"IPv{v}" for v in versions)
            words = f"host value `{declaration.name}`: {device.name} has no global {families} address"
            fix = f"add one to the device, or give it: --set {declaration.name}=ADDRESS"
            self.findings.error("H104", words, help=fix)
            return None
        return found

    def addresses_of(self, name: str, device: Device, versions: Sequence[int], option: str) -> Addresses | None:
        """The only global primary address of each family, where there is one; None and a finding if there are more."""
        found: dict[int, IPv4Address | IPv6Address] = {}
        for version in versions:
            candidates = [a.address for a in device.addresses if a.global_primary and a.address.version == version]
            if len(candidates) > 1:
                listed = ", ".join(str(c) for c in candidates)
                words = f"host value `{name}`: {device.name} has {len(candidates)} addresses it could be: {listed}"
                fix = "declare a host value of its own with the address as default, and give that"
                if option.startswith("--set"):
                    fix = f"say which: {option}{candidates[0]}, or in the host file"
                self.findings.error("H106", words, help=fix)
                return None
            if candidates:
                found[version] = candidates[0]
        return _addresses(found)


def _addresses(found: Mapping[int, IPv4Address | IPv6Address]) -> Addresses:
    four, six = found.get(4), found.get(6)
    return Addresses(
        four if isinstance(four, IPv4Address) else None,
        six if isinstance(six, IPv6Address) else None,
    )
