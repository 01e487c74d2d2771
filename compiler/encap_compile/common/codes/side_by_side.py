"""Codes about bundles side by side, from boot on, and while they run."""

from . import Explained

CODES = {
    "E590": Explained(
        "nothing to close",
        """`boot: closed` makes the prefixes that rules name unreachable until the bundle is applied. A rule that
matches only by port, mark or cgroup names no prefix, so no route can block its packets. Name a destination:

    egress:
      boot: closed
      rules: [{name: web, match: {destination: 10.2.0.0/16}, to: sites}]""",
    ),
    "E591": Explained(
        "all addresses would be closed",
        """`boot: closed` with a rule for 0.0.0.0/0 or ::/0 would leave the machine without any route until the bundle
is applied, so the addresses that the bundle waits for could not come up. Name the prefixes behind the
tunnels:

    match: {destination: [10.0.0.0/8, 192.168.0.0/16]}""",
    ),
    "H140": Explained(
        "nothing to replace",
        """`--replace NAME` takes over from another bundle in this namespace, for example after renaming a spec: its
programs are replaced in one step, its maps and counters are kept if their layout is the same, and the rest
of it is removed. No such bundle is applied here. After it was replaced, this is only a note:

    encapctl status
    encapctl apply build/NEW --replace OLD""",
    ),
    "H141": Explained(
        "the socket option level changes with the name",
        """The level that applications give to setsockopt() is the FNV-1a hash of the spec's name. After renaming the
spec, setsockopt() and getsockopt() with the old level fail with ENOPROTOOPT. Choices that sockets made
before stay in force. If applications cannot be rebuilt at the same time, keep the name.""",
    ),
    "H142": Explained(
        "two bundles match the same packets",
        """Two bundles are attached to one device, and a rule of the one that runs first encapsulates or drops packets
that a rule of the other one should match. Usually this is one spec under two names, and the old bundle
still handles the packets. If no packet is left for a rule, apply refuses; --allow-overlap allows it:

    encapctl apply build/NEW --replace OLD
    encapctl remove OLD""",
    ),
    "H143": Explained(
        "a bundle matches packets that another one has encapsulated",
        """Programs of one hook run one after the other. A packet that the first one has encapsulated reaches the
second one as an outer packet. If a rule of the second one matches it, or its `default: drop`, it is dropped
or encapsulated again. It only passes if the second bundle has the same stack, source address and tunnel
endpoint. Add a rule with `action: pass` for the other bundle's tunnel endpoints:

    - {name: other-tunnels, match: {destination: 192.0.2.0/24, protocol: udp}, action: pass}""",
    ),
    "H144": Explained(
        "two bundles receive the same encapsulation",
        """Both receive the same outer protocol and port on the same address. The program that runs first decides: with
`refuse: drop`, the other one never gets a packet. Give them different ports or addresses, write `refuse:
pass`, or put the rules into one spec:

    ingress: {refuse: pass, rules: [...]}""",
    ),
    "H145": Explained(
        "two bundles choose for the same sockets",
        """`connect:` rules of both match the same sockets of one cgroup. Each bundle records its own choice, and the
program that runs first at egress uses its own. Use separate cgroups or destinations.""",
    ),
    "H146": Explained(
        "no copy to boot from",
        """`--kept` applies the copy of a bundle that `encapctl unit` has written to /var/lib/encap, or where
ENCAP_KEPT says. There is no copy of that name, or it cannot be read:

    encapctl unit build/NAME --set uplink=bond0
    encapctl apply NAME --kept""",
    ),
    "H147": Explained(
        "the copy to boot from is not written",
        """The bundle is in force, but this machine would boot with what was applied before. Apply again when the
folder in /var/lib/encap is writable.""",
    ),
    "H148": Explained(
        "the replaced bundle would be applied at boot",
        """`--replace OLD` takes over what runs, but the unit and the copy of OLD that `encapctl unit` wrote still
exist: the next boot would apply OLD again. Replace them too:

    encapctl unit build/NEW --set uplink=bond0
    systemctl daemon-reload
    systemctl enable encap-NEW; systemctl disable encap-OLD
    encapctl remove OLD""",
    ),
    "H149": Explained(
        "prefixes could not be closed",
        """With `boot: closed`, the rules' prefixes are unreachable until the bundle is applied. The kernel refused the
routes or the routing rule for them: it may lack CONFIG_IP_MULTIPLE_TABLES, or this process CAP_NET_ADMIN.""",
    ),
}
