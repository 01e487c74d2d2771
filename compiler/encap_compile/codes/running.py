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
}
