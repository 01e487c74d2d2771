"""Which headers of the library the C includes behind what it defines, and the switches that they read."""

from __future__ import annotations

from .. import ir
from ..spec import Spec


def rooms(owners: ir.Owners | None, egress: ir.EgressProgram, ingress: ir.IngressProgram | None) -> tuple[str, ...]:
    """In the order of the C, each with what it gives beside the ones before it."""
    decapsulators = ingress.decapsulators if ingress else ()
    found = {
        "encap_egress.h": egress.needed,
        "encap_encapsulate.h": bool(egress.encapsulators),
        "encap_decapsulate.h": bool(decapsulators),
        "encap_vlan.h": any(d.tagged for d in decapsulators),
        "encap_socket.h": owners is not None,
        "encap_choice.h": owners is not None and bool(owners.rules),
        "encap_netns.h": owners is not None and owners.guard and owners.marks,
        "encap_socket_options.h": owners is not None and bool(owners.rules),
        "encap_connect.h": owners is not None and bool(owners.connects),
    }
    return tuple(name for name, needed in found.items() if needed)


def switches(
    spec: Spec, owners: ir.Owners | None, egress: ir.EgressProgram, ingress: ir.IngressProgram | None
) -> tuple[ir.ConstantGroup, ...]:
    major, minor = spec.kernel
    found = []
    if owners or (ingress and ingress.decapsulators):
        found.append(ir.NamedConstant("OLDEST_KERNEL", f"KERNEL({major}, {minor})", "kernel"))
    if egress.encapsulators:
        found.append(_switch("NEXT_HOP_ROUTE", egress.next_hop == "route", f"egress.next_hop: {egress.next_hop}"))
    if ingress and ingress.decapsulators:
        verdict = {"drop": "TC_ACT_SHOT", "pass": "TC_ACT_UNSPEC"}[ingress.refuse]
        found.append(ir.NamedConstant("REFUSED", verdict, "ingress.refuse"))
    if owners and owners.connects:
        found += [
            _switch("CONNECT_NESTED", owners.nests, "a cgroup of the connect rules lies in another"),
            _switch("MARKS_SOCKETS", owners.guard and owners.marks, "before 6.13: packets do not tell their netns"),
        ]
    return (ir.ConstantGroup("What the library is built for.", tuple(found)),) if found else ()


def _switch(name: str, on: bool, comment: str) -> ir.NamedConstant:
    return ir.NamedConstant(name, str(int(on)), comment)
