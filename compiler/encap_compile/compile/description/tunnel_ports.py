"""UDP ports on which the kernel's GRO can merge what the program decapsulates."""

from __future__ import annotations

from ...common.manifest import TunnelPort
from .. import ir
from ..headers.catalogue import headers

_BEHIND_UDP = 2  # GRO asks the UDP socket, which knows one header behind its own (udp_gro_receive)


def tunnel_ports(program: ir.Program) -> list[TunnelPort]:
    """In the order of the encapsulations that are received."""
    ports = {s.name: known.port for s, known in zip(program.stacks, program.signatures, strict=True)}
    found: dict[tuple[str, int], list[str]] = {}
    for outer in (outer for d in program.decapsulations for outer in d.outers):
        layers, port = outer.stack.layers, ports[outer.stack.name]
        kind = headers()[layers[_BEHIND_UDP].header].merged_by if len(layers) > _BEHIND_UDP else ""
        if kind and port is not None:
            families = found.setdefault((kind, port.number), [])
            families += [outer.stack.outer_family] if outer.stack.outer_family not in families else []
    return [TunnelPort(kind, port, tuple(families)) for (kind, port), families in found.items()]
