"""Codes about settings of the machine that cost packets or speed: H180 to H185, of `plan`, `apply` and `doctor`."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "H180": Explained(
        "decapsulated packets that strict rp_filter drops",
        """A packet is decapsulated on the device that it came in by, and then the kernel checks its inner source there.
With rp_filter 1 (strict), a packet is dropped without a word if the route to its source leads over another
device, as it does for one of several uplinks. With 2 (loose), any route will do. The larger value of conf/all
and conf/DEVICE holds, so it is enough to raise the device's:

    sysctl -w net.ipv4.conf.eth1.rp_filter=2

`nstat -az TcpExtIPReversePathFilter` counts what was dropped. IPv6 has no such check.""",
    ),
    "H181": Explained(
        "merged tunnel datagrams",
        """With rx-udp-gro-forwarding or rx-gro-list the kernel merges UDP datagrams that arrive behind each other, also
those of a tunnel. The GSO packet has one outer header; those of the other datagrams are in its payload, so it
cannot be decapsulated: it is refused, and its segments are counted with the reason `gso`. Tunnels lose most
of their bulk traffic. The features serve hosts that forward UDP; switch them off on the attached device:

    ethtool -K eth0 rx-udp-gro-forwarding off rx-gro-list off""",
    ),
    "H182": Explained(
        "ICMP that nobody takes or that may not be sent",
        """The program tells a sender by ICMP what fits, if a packet is too big with its headers. With
net.ipv4.ip_no_pmtu_disc 1, local packets leave without DF, and nobody may be told about those; with 2 the
kernel ignores what it is told; with 3 it believes it for TCP alone. Then packets that are allowed by a
route's MTU and do not fit are lost. Either let the kernel discover path MTUs, or give the routes an mtu:

    sysctl -w net.ipv4.ip_no_pmtu_disc=0
    ip route change 10.0.0.0/8 via 192.0.2.1 dev eth0 mtu 1450""",
    ),
    "H183": Explained(
        "TCP that cannot learn what fits",
        """The spec says `clamp_mss: false` and `too_big: drop`, and a route allows packets that do not fit with their
headers. A TCP segment of full size is then dropped, tried again as it was, and dropped, until the connection
ends. With net.ipv4.tcp_mtu_probing 2 the kernel begins with small segments and probes for larger ones, for
IPv6 too; 1 does not help, because the segment is dropped before it leaves. An mtu on the routes, or the MSS
clamp, costs less.""",
    ),
    "H184": Explained(
        "a port that takes less than its bridge",
        """The program on a bridge or a bond makes outer packets as long as the bridge's MTU. The bridge drops what is
longer than the MTU of the port by which it should leave, and tells nobody. An MTU that was set on a bridge
stays when a port with a smaller one comes. Lower the bridge's, or raise the port's:

    ip link set br0 mtu 1400""",
    ),
    "H185": Explained(
        "a sysctl that cannot be set",
        """A program that looks up the next hop does so as from `lo`, and the kernel answers only where that device
forwards. In a container /proc/sys is mostly read-only, so `apply` cannot set it. Packets are encapsulated all
the same: each one is sent to the neighbour on the attached device, which costs more, and is counted in
`egress_next_hop_fallback`. Set it on the machine; it makes no router of a host:

    sysctl -w net.ipv4.conf.lo.forwarding=1""",
    ),
}
