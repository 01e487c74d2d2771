"""What a reference to a host value leads to. Its types are those that a check compares with a field's."""

from __future__ import annotations

from ...common.record import Record
from ..spec import Reference, Spec

ATTRIBUTES = {"mac": "mac", "mtu": "u32", "ifindex": "u32"}  # of a device, besides its addresses


class HostReference(Record):
    """A host value, or an attribute of the device that it is. `type` is that of what is meant."""

    path: tuple[str, ...]
    type: str


class HostUse(Record):
    """A host value in a stack. `own`: it is the outer source, an address of ours."""

    value: HostReference
    own: bool


def host_reference(reference: Reference, spec: Spec) -> HostReference:
    name, *attribute = reference.path
    type_ = ATTRIBUTES.get(attribute[0], "ip") if attribute else spec.host[name].type
    return HostReference(reference.path, type_)
