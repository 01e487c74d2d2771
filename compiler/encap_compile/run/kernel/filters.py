"""Traffic control as it is: qdiscs and filters on a device, read by rtnetlink."""

from __future__ import annotations

import socket
import struct

from ...common.record import Record
from .errors import KernelError
from .filter_actions import ends_with, protocol_name
from .rtnetlink import RTM_GETQDISC, RTM_GETTFILTER, RouteSocket, attributes, text
from .uapi import TC_CLSACT_EGRESS, TC_CLSACT_INGRESS

_TCMSG = struct.Struct("=BxxxiIII")  # struct tcmsg: family, ifindex, handle, parent, info
_TCA_KIND, _TCA_OPTIONS, _TCA_CHAIN = 1, 2, 11
_SHARED_BLOCK = -1  # TCM_IFINDEX_MAGIC_BLOCK: the filters of a block that several qdiscs share
_TCA_BPF_NAME, _TCA_BPF_ID = 7, 11


class Filter(Record):
    """A filter on a clsact hook. `name` and `program_id` are those of a BPF filter, else empty and 0.

    `protocol` is an ETH_P number in host byte order. `ends` says what it does with a packet that it matches, if the
    filters behind it do not see that packet.
    """

    ifindex: int
    parent: int
    priority: int
    protocol: int
    handle: int
    kind: str
    name: str
    program_id: int
    ends: str = ""

    @property
    def place(self) -> str:
        """As `tc` names it."""
        return f"{self.kind} pref {self.priority} protocol {protocol_name(self.protocol)}"


def filters_on(ifindex: int, parent: int) -> list[Filter]:
    """All filters of a clsact hook in the order they run; none when there is no such qdisc. Raises KernelError.

    Without those of chains that a packet only comes to by `goto chain`.
    """
    found = []
    with RouteSocket() as route:
        try:
            for payload in route.dump(RTM_GETTFILTER, _TCMSG.pack(0, ifindex, 0, parent, 0)):
                _, index, handle, at, info = _TCMSG.unpack_from(payload)
                more = attributes(payload[_TCMSG.size :])
                (chain,) = struct.unpack("=I", more.get(_TCA_CHAIN, bytes(4)))
                if (
                    handle == 0 or chain or index not in (ifindex, _SHARED_BLOCK)
                ):  # handle 0 announces a priority (struct tcf_proto), not a filter
                    continue
                options = attributes(more.get(_TCA_OPTIONS, b""))
                (program,) = struct.unpack("=I", options.get(_TCA_BPF_ID, bytes(4)))
                kind, name = text(more.get(_TCA_KIND, b"")), text(options.get(_TCA_BPF_NAME, b""))
                protocol = socket.ntohs(info & 0xFFFF)
                at = parent if index == _SHARED_BLOCK else at or parent
                ends = ends_with(kind, protocol, options)
                found.append(Filter(ifindex, at, info >> 16, protocol, handle, kind, name, program, ends))
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
