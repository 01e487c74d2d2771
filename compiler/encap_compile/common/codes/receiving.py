"""Codes about receiving at full speed: GRO for tunnel packets."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E592": Explained(
        "a GRO device that merges nothing",
        """`receive: {gro: device}` makes an idle tunnel device for each UDP port on which VXLAN or Geneve is
decapsulated. No ingress rule of the spec decapsulates one of them. IPIP and GRE need no device, because the
kernel's GRO merges them on its own; for other headers it has no such device.""",
    ),
    "H190": Explained(
        "received segments are not merged",
        """The kernel's GRO merges what is inside VXLAN and Geneve only while a tunnel device has their UDP port, and
no device has it. Every segment is decapsulated and delivered alone, which takes about twice the CPU time of
the kernel's own tunnel device. Let `apply` make an idle device that receives nothing itself:

    receive: {gro: device}

An idle device of your own would do as well, but unless it is made with `vnifilter`, it delivers what anybody
sends to the port, past `from:` and `refuse`.""",
    ),
    "H191": Explained(
        "the GRO device cannot be made",
        """The spec has `receive: {gro: device}`, but the machine has no such devices (the module `vxlan` or `geneve`
is missing), or something else has the UDP port. Packets are decapsulated all the same, segment by segment.
`ss -lunp` shows who has the port. A tunnel device of your own on the port also switches GRO on, for the
outer families that it has; then no device is made.""",
    ),
    "H192": Explained(
        "GRO is off on an attached device",
        """With generic receive offload off, the kernel merges no received packets, whatever tunnel devices there are:

    ethtool -K eth0 gro on

A veth also needs its peer to send no packets larger than its MTU (`ethtool -K PEER tso off`), or GRO has
nothing to merge.""",
    ),
}
