"""Traffic control as it is: qdiscs and BPF filters on a device, read by rtnetlink."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from .constants import TC_CLSACT_EGRESS, TC_CLSACT_INGRESS
from .errors import KernelError
from .rtnetlink import RTM_GETQDISC, RTM_GETTFILTER, RouteSocket, attributes, text

_TCMSG = struct.Struct("=BxxxiIII")  # struct tcmsg: family, ifindex, handle, parent, info
_TCA_KIND, _TCA_OPTIONS = 1, 2
_TCA_BPF_NAME, _TCA_BPF_ID = 7, 11


@dataclass(frozen=True)
class Filter:
    """A filter on a clsact hook. `name` and `program_id` are those of a BPF filter, else empty and 0.

    `protocol` is an ETH_P number in host byte order.
    """

    ifindex: int
    parent: int
    priority: int
    protocol: int
    handle: int
    kind: str
    name: str
    program_id: int


def filters_on(ifindex: int, parent: int) -> list[Filter]:
    """All filters of a clsact hook in the order they run; none when there is no such qdisc. Raises KernelError."""
    found = []
    with RouteSocket() as route:
        try:
            for payload in route.dump(RTM_GETTFILTER, _TCMSG.pack(0, ifindex, 0, parent, 0)):
                _, index, handle, at, info = _TCMSG.unpack_from(payload)
                more = attributes(payload[_TCMSG.size :])
                if handle == 0 or index != ifindex:  # handle 0 announces a priority (struct tcf_proto), not a filter
                    continue
                options = attributes(more.get(_TCA_OPTIONS, b""))
                (program,) = struct.unpack("=I", options.get(_TCA_BPF_ID, bytes(4)))
                kind, name = text(more.get(_TCA_KIND, b"")), text(options.get(_TCA_BPF_NAME, b""))
                protocol = socket.ntohs(info & 0xFFFF)
                found.append(Filter(index, at or parent, info >> 16, protocol, handle, kind, name, program))
        except KernelError as error:
            if error.errno == 22:  # EINVAL: no clsact qdisc there
                return []
            raise
    return found


def clsact_qdisc(ifindex: int) -> str:
    """ "clsact", "ingress" (which has no egress hook), or "" when the device has neither. Raises KernelError."""
    with RouteSocket() as route:
        for payload in route.dump(RTM_GETQDISC, _TCMSG.pack(0, ifindex, 0, 0, 0)):
            _, index, _, _, _ = _TCMSG.unpack_from(payload)
            kind = text(attributes(payload[_TCMSG.size :]).get(_TCA_KIND, b""))
            if index == ifindex and kind in ("clsact", "ingress"):
                return kind
    return ""


def has_filters(ifindex: int) -> bool:
    """Whether any filter is on either hook. Raises KernelError."""
    return bool(filters_on(ifindex, TC_CLSACT_INGRESS) or filters_on(ifindex, TC_CLSACT_EGRESS))
