"""Codes of `encapctl` about what keeps programs in force: pins, hooks, locks."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "H130": Explained(
        "pins that would not stay",
        "A pin lives as long as its bpf filesystem, and that as long as it is mounted somewhere. One that is mounted\n"
        "only in the mount namespace of this process is gone when the process ends, and with it the programs: traffic\n"
        "would leave unencapsulated. `ip netns exec` makes such a mount namespace. This keeps the machine's:\n\n"
        "    nsenter --net=/run/netns/NAME encapctl apply build/NAME\n\n"
        "What decides is the filesystem, not the mount: a service with mounts of its own (PrivateMounts=,\n"
        "ProtectSystem=) or a container that is given /sys/fs/bpf of the machine shares it. encapctl looks for it\n"
        "among the mounts of PID 1. In a PID namespace of its own, as most containers have, PID 1 is not the\n"
        "machine's: there --pins-persist, or ENCAP_PINS_PERSIST=1, says that the filesystem is.",
    ),
    "H131": Explained(
        "pins in another bpf filesystem",
        "The state of the bundle says which bpf filesystem it was pinned in. That one is still mounted, and encapctl\n"
        "is looking into another: --bpffs or ENCAP_BPFFS differ from those of the last apply, or somebody has mounted\n"
        "a new bpf filesystem over the old one. What is pinned there runs on and cannot be seen; another apply would\n"
        "put a second set of programs beside it.",
    ),
    "H133": Explained(
        "a filter before ours ends the chain",
        "A packet that this filter matches never comes to our program: it is dropped, redirected, or leaves\n"
        "unencapsulated. A filter that is no program ends the chain for what it matches, unless its last action is\n"
        "`continue`: also without an action, and with `mirred egress mirror`, which passes what it has mirrored.\n\n"
        "    tc filter add dev bond0 egress pref 10 matchall action mirred egress mirror dev mon0 continue\n\n"
        "Filters of a smaller pref than 49000 run before a clsact filter of ours, and programs on TCX run before all\n"
        "filters. What a program before ours does cannot be read from it: `encapctl status` looks for a moment\n"
        "whether ours still runs while the device sends, which takes CAP_SYS_ADMIN. apply, plan and status exit\n"
        "with 3.",
    ),
    "K210": Explained(
        "a hook does not show what was attached",
        "In the end apply looks at every hook again, and one does not have our program, or another one.\n"
        "Whatever manages the same device may have detached it (a network manager that replaces qdiscs, another BPF\n"
        "agent), or the device was re-created meanwhile. What other hooks show is in force. `encapctl status` says\n"
        "what is missing now.",
    ),
    "K211": Explained(
        "pins or state are gone",
        "After everything is done, apply looks for its pins and its state, and some are not there: something deletes\n"
        "them, or they were made in a filesystem that was unmounted meanwhile. The programs may run on without them,\n"
        "and could not be replaced in place. Find what deletes them, then apply again.",
    ),
    "H132": Explained(
        "another run holds the lock",
        "`apply`, `remove` and `sweep` change one network namespace one at a time, by a lock on a file below\n"
        "/run/encap, which ends with the process that holds it. Without --lock-timeout a run waits for ever, and says\n"
        "after a second for whom; with --lock-timeout SECONDS it gives up with exit code 6.",
    ),
}
