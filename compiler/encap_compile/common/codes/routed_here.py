"""Codes of `encapctl` about the route device on a machine."""

from . import Explained

CODES = {
    "H193": Explained(
        "the route device's name is taken",
        """`apply` makes the route device itself, and knows it again by its alias (`ip link show` prints it). A
device of that name is there and is not ours, so it is neither changed nor deleted. Rename or delete it,
or take another name in the spec:

    attach: {devices: [host.uplink], route_device: {name: encap1}}""",
    ),
    "H194": Explained(
        "the route device cannot be set up",
        """The route device is a vxlan device that receives nothing, because the kernel reserves headroom in
packets that are routed to such a device. It still needs a UDP port of its own, and a kernel with vxlan
devices. Until it is up, nothing is routed to it: the attached devices encapsulate as before.""",
    ),
    "H195": Explained(
        "the route device's MTU is too small for IPv6",
        """The MTU of the route device is the smallest MTU of the attached devices, minus the largest overhead of
the rules that are routed to it. IPv6 needs links of 1280 bytes (RFC 8200), and hosts ignore smaller
path MTUs (RFC 8201): such a device has no IPv6 at all. Raise the MTU of the attached device, or route
no IPv6 prefix.""",
    ),
    "H196": Explained(
        "strict reverse path filtering drops what is decapsulated",
        """The bundle decapsulates on the attached device, so inner packets seem to arrive there. Answers to them
are routed to the route device. With rp_filter = 1 the kernel drops IPv4 packets that arrive by another
device than the route back leads to (RFC 3704, strict mode). Of `all` and the device's own value the
larger one counts. Loose mode asks only for some route:

    sysctl -w net.ipv4.conf.eth0.rp_filter=2""",
    ),
    "H197": Explained(
        "routing rules are asked before ours",
        """The routes to the route device are in a table of their own, which an `ip rule` of preference 90 asks
before the main table. Rules of a smaller preference are asked first: packets that their tables have a
route for never come to the route device. On an attached device they are encapsulated all the same; by
any other device they leave as they are. Give these rules a preference above 90, or leave out their
prefixes.""",
    ),
    "H198": Explained(
        "other routes within the routed prefixes are not used",
        """The table of the route device is asked before all others, and the longest prefix counts only within one
table. So a route of the main table that is more specific than a routed prefix is not used any more.
Subnets that devices of this machine are on, and tunnel endpoints, are left out by themselves. A route that is
there to give packets their source address (`src`) still does so, and needs no change. If
packets to the named prefixes are not to be encapsulated, let a rule pass them:

    - {name: printers, match: {destination: 10.9.0.0/16}, action: pass}""",
    ),
    "H199": Explained(
        "a network manager may remove our routes",
        """systemd-networkd may remove routes and routing rules that are in none of its files, unless it is told to
leave them. Then nothing is routed to the route device until the next `apply`; `encapctl run` adds
them again within a moment. A file that matches every device, as `Name=*`, would also take the route
device over. `encapctl unit --managers /etc` writes what keeps both, and the same for NetworkManager:

    # /etc/systemd/networkd.conf.d/50-encap-overlay.conf
    [Network]
    ManageForeignRoutes=no
    ManageForeignRoutingPolicyRules=no""",
    ),
    "H200": Explained(
        "the route device is not as it was applied",
        """The route device was deleted or set down, or its routes or its routing rule were removed. Without the device,
packets to the prefixes that were routed to it get EHOSTUNREACH: they do not leave unencapsulated. Without
the rule they take the routes that they had before. The next `apply` restores all of it, and `encapctl run`
within a moment. `encapctl status` names whatever else differs from what was applied.""",
    ),
}
