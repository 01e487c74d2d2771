"""Which headers of the library the C includes behind what it defines, and the switches that they read."""

from __future__ import annotations

from .. import ir
from ..spec import Spec


def socket_rooms(owners: ir.Owners | None) -> tuple[str, ...]:
    """In the order of the C, each with what it gives beside the ones before it."""
    if owners is None:
        return ()
    found = {
        "encap_socket.h": True,
        "encap_choice.h": bool(owners.rules),
        "encap_netns.h": owners.guard and owners.marks,
        "encap_socket_options.h": bool(owners.rules),
        "encap_connect.h": bool(owners.connects),
    }
    return tuple(name for name, needed in found.items() if needed)


def socket_switches(spec: Spec, owners: ir.Owners) -> ir.ConstantGroup:
    major, minor = spec.kernel
    found = [ir.NamedConstant("OLDEST_KERNEL", f"KERNEL({major}, {minor})", "kernel")]
    if owners.connects:
        found += [
            _switch("CONNECT_NESTED", owners.nests, "a cgroup of the connect rules lies in another"),
            _switch("MARKS_SOCKETS", owners.guard and owners.marks, "before 6.13: packets do not tell their netns"),
        ]
    return ir.ConstantGroup("What the library is built for.", tuple(found))


def _switch(name: str, on: bool, comment: str) -> ir.NamedConstant:
    return ir.NamedConstant(name, str(int(on)), comment)
