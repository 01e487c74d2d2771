"""Codes of `encapctl` about what keeps programs in force: pins, hooks, locks."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "H130": Explained(
        "pins that would not last",
        """A pin exists as long as its bpf filesystem, which exists as long as it is mounted somewhere. This one is
mounted only in the mount namespace of this process. It would disappear with the process, and so would the
programs: traffic would leave unencapsulated. `ip netns exec` creates such a mount namespace. This command
does not:

    nsenter --net=/run/netns/NAME encapctl apply build/NAME

The filesystem matters, not the mount: a service with mounts of its own (PrivateMounts=, ProtectSystem=), or
a container with the machine's /sys/fs/bpf, shares the machine's filesystem. encapctl looks for it among the
mounts of PID 1. In another PID namespace, as in most containers, PID 1 is not the machine's: use
--pins-persist or ENCAP_PINS_PERSIST=1 there if the filesystem is the machine's.""",
    ),
    "H131": Explained(
        "pins in another bpf filesystem",
        """The state of the bundle says which bpf filesystem it was pinned in. That one is still mounted, but encapctl
uses another: --bpffs or ENCAP_BPFFS differ from those of the last apply, or a new bpf filesystem was
mounted over the old one. The programs pinned there keep running but are not visible; another apply would
attach a second set of programs.""",
    ),
    "H133": Explained(
        "a filter before ours ends the chain",
        """A packet that this filter matches never reaches our program: it is dropped, redirected, or leaves
unencapsulated. A filter that is not a program ends the chain for the packets it matches, unless its last
action is `continue`. That includes filters without an action, and `mirred egress mirror`, which passes what
it has mirrored.

    tc filter add dev bond0 egress pref 10 matchall action mirred egress mirror dev mon0 continue

Filters of a smaller pref than 49000 run before a clsact filter of ours, and programs on TCX run before all
filters. encapctl cannot tell what another program before ours does: `encapctl status` checks for a moment
whether ours runs while the device sends, which requires CAP_SYS_ADMIN. apply, plan and status exit with 3.""",
    ),
    "K210": Explained(
        "a hook does not have the program that was attached",
        """Finally, apply checks every hook again, and one has no program, or not ours. Another manager of the device
may have detached it (a network manager that replaces qdiscs, another BPF agent), or the device was
re-created meanwhile. The programs on the other hooks are in force. `encapctl status` shows what is missing
now.""",
    ),
    "K211": Explained(
        "pins or state are missing",
        """Finally, apply checks its pins and its state, and some are missing: another process deletes them, or they
were created in a filesystem that was unmounted meanwhile. The programs may keep running without them, but
could not be replaced in place. Find out what deletes them, then apply again.""",
    ),
    "H132": Explained(
        "another run holds the lock",
        """Only one `apply`, `remove` or `sweep` runs at a time in a network namespace: a file below /run/encap is
locked until the process ends. Without --lock-timeout a run waits forever, and after a second names the
process it waits for; with --lock-timeout SECONDS it gives up with exit code 6.""",
    ),
}
