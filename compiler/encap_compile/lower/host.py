"""Host values: which members `struct host` has, and where each comes from on a machine."""

from __future__ import annotations

from collections.abc import Iterable

from .. import ir, manifest
from ..spec import Reference, Spec
from .names import c_name
from .tables import manifest_layout, place_members

IDENTITY = "identity"
ATTRIBUTE_TYPES = {"mac": "mac", "mtu": "u32", "ifindex": "u32"}


class HostValues:
    """Collects the host values that the program reads."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._found: dict[str, tuple[str, str, str, set[str]]] = {}  # member -> type, source, family, stacks

    def device_mtu(self) -> None:
        device = self.spec.attach[0].path[0]
        self._add("mtu", "u32", f"{device}.mtu", "", "")

    def add(self, reference: Reference, family: str, stack: str) -> None:
        """A `host.` reference that a stack of outer `family` uses."""
        name = reference.path[0]
        declared = self.spec.host[name]
        if len(reference.path) > 1:
            attribute = reference.path[1]
            if attribute == "address":
                self._add(c_name(f"{name}_address_{family}"), family, f"{name}.address", family, stack)
            else:
                member = c_name("_".join(reference.path))
                self._add(member, ATTRIBUTE_TYPES[attribute], ".".join(reference.path), "", stack)
        elif declared.type == "ip":
            self._add(c_name(f"{name}_{family}"), family, name, family, stack)
        else:
            self._add(c_name(name), declared.type, name, "", stack)

    def _add(self, member: str, type_: str, source: str, family: str, stack: str) -> None:
        known = self._found.setdefault(member, (type_, source, family, set()))
        known[3].add(stack)

    def lower(self) -> tuple[tuple[ir.HostMember, ...], manifest.Layout, tuple[manifest.HostMember, ...]]:
        entries = [(name, type_) for name, (type_, *_) in self._found.items()]
        order = {"ip": 0, "ipv6": 0, "ipv4": 0, "u32": 0, "u24": 0, "u20": 0, "mac": 1, "u16": 1, "port": 1}
        entries.sort(key=lambda e: order.get(e[1], 2))
        placed = place_members([*entries, (IDENTITY, "bytes32")])
        members = []
        described = []
        for type_, member in placed:
            array = member.size if member.type in ("bytes", "pad") else 0
            comment = "which bundle this is: for `encapctl status`" if member.name == IDENTITY else ""
            if member.name in self._found:
                _, source, family, stacks = self._found[member.name]
                comment = f"host.{source}"
                described.append(
                    manifest.HostMember(member, source, family, tuple(f"stack:{s}" for s in sorted(stacks) if s))
                )
            elif member.name == IDENTITY:
                described.append(manifest.HostMember(member, IDENTITY))
            members.append(ir.HostMember(member.name, type_.ctype, comment, array))
        return tuple(members), manifest_layout(placed), tuple(described)


def references(values: Iterable[object]) -> Iterable[Reference]:
    for value in values:
        if isinstance(value, Reference) and value.root == "host":
            yield value
