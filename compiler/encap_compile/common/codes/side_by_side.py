"""Codes about bundles side by side, from boot on, and while they run."""

from . import Explained

CODES = {
    "E590": Explained(
        "nothing to close",
        "`boot: closed` takes the routes of the prefixes that rules name until the bundle is applied. A rule that\n"
        "encapsulates by port, mark or cgroup alone names none, and no route can tell what it would encapsulate:\n\n"
        "    egress:\n      boot: closed\n      rules: [{name: web, match: {destination: 10.2.0.0/16}, to: sites}]",
    ),
    "E591": Explained(
        "all addresses would be closed",
        "`boot: closed` with a rule for 0.0.0.0/0 or ::/0 would leave the machine without a route until the bundle is\n"
        "applied, and the bundle without the addresses that it waits for. Name the prefixes behind the tunnels:\n\n"
        "    match: {destination: [10.0.0.0/8, 192.168.0.0/16]}",
    ),
    "H140": Explained(
        "nothing to replace",
        "`--replace NAME` takes over what another bundle runs in this namespace, as after renaming a spec: its\n"
        "programs are replaced in one step, its maps and counters are kept where their layout is the same, and what\n"
        "is left of it goes. There is no such bundle here. Once it is replaced, this is only a note:\n\n"
        "    encapctl status\n    encapctl apply build/NEW --replace OLD",
    ),
    "H141": Explained(
        "the socket option level changes with the name",
        "The level that applications give to setsockopt() is the FNV-1a hash of the spec's name. With another name\n"
        "the old level is answered by nobody: setsockopt() and getsockopt() fail with ENOPROTOOPT. What sockets have\n"
        "chosen before stays in force. Where applications cannot be built again at once, keep the name.",
    ),
    "H142": Explained(
        "two bundles take the same packets",
        "Two bundles are attached to one device, and a rule of the one that runs first encapsulates or drops packets\n"
        "that a rule of the other one is for. As a rule this is one spec under two names: the old bundle stays in\n"
        "charge. If nothing is left over for a rule, apply refuses; --allow-overlap says that this is meant:\n\n"
        "    encapctl apply build/NEW --replace OLD\n    encapctl remove OLD",
    ),
    "H143": Explained(
        "a bundle takes what another one has encapsulated",
        "Programs of one hook run one after the other. What the first one has encapsulated comes to the second one as\n"
        "an outer packet; if a rule of that matches it, such as `default: drop`, it is dropped or encapsulated once\n"
        "more. It passes where the second bundle knows stack, source address and tunnel endpoint as its own.\n"
        "Write a rule with `action: pass` for the other one's tunnel endpoints:\n\n"
        "    - {name: other-tunnels, match: {destination: 192.0.2.0/24, protocol: udp}, action: pass}",
    ),
    "H144": Explained(
        "two bundles receive the same encapsulation",
        "Both look for one outer protocol and port on one own address. The program that runs first decides: with\n"
        "`refuse: drop` the other one never gets a packet. Give them ports or addresses of their own, or put the\n"
        "rules into one spec:\n\n    ingress: {refuse: pass, rules: [...]}",
    ),
    "H145": Explained(
        "two bundles choose for the same sockets",
        "`connect:` rules of both match the same sockets of one cgroup. Each keeps its own choice; the program that\n"
        "runs first at egress follows its own. Keep the cgroups or the destinations apart.",
    ),
    "H146": Explained(
        "no copy to boot from",
        "`--kept` applies the copy of a bundle that `encapctl unit` has written to /var/lib/encap, or where\n"
        "ENCAP_KEPT says. There is none of that name, or it cannot be read:\n\n"
        "    encapctl unit build/NAME --set uplink=bond0\n    encapctl apply NAME --kept",
    ),
    "H147": Explained(
        "the copy to boot from is not written",
        "The bundle is applied and in force, but this machine would boot with what was applied before. Apply again\n"
        "when the folder in /var/lib/encap can be written.",
    ),
    "H148": Explained(
        "the replaced bundle is still booted",
        "`--replace OLD` takes over what runs. The unit and the copy of OLD that `encapctl unit` has written are\n"
        "left: at the next boot OLD would be applied again. Exchange them, too:\n\n"
        "    encapctl unit build/NEW --set uplink=bond0\n    systemctl daemon-reload\n"
        "    systemctl enable encap-NEW; systemctl disable encap-OLD\n    encapctl remove OLD",
    ),
    "H149": Explained(
        "prefixes could not be closed",
        "With `boot: closed`, the rules' prefixes have no route until the bundle is applied. The kernel refused the\n"
        "routes or the rule that leads to them: it may lack CONFIG_IP_MULTIPLE_TABLES, or this process CAP_NET_ADMIN.",
    ),
}
