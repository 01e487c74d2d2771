"""Codes of `encapctl`: H the machine, K the kernel and libbpf, B the bundle."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "H100": Explained(
        "not in this release",
        "The command is planned and its name is reserved. `encapctl --help` lists what this release can do.",
    ),
    "H101": Explained(
        "a privilege is missing",
        "Every verb needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (before Linux 5.8 CAP_SYS_ADMIN in place of the\n"
        "first and the last), in the first user namespace: capabilities of a rootless container do not count. `sweep`\n"
        "needs CAP_SYS_PTRACE too, to see the namespaces of all processes. Run encapctl as root, or grant them; a\n"
        "user other than root also needs a bpf filesystem and a folder for the state that are his own:\n\n"
        "    mount -t bpf bpf /run/encap-pins && mkdir /run/encap && chown encap: /run/encap-pins /run/encap\n"
        "    C=+bpf,+net_admin,+perfmon\n"
        "    setpriv --reuid encap --regid encap --clear-groups --inh-caps $C --ambient-caps $C \\\n"
        "        env ENCAP_BPFFS=/run/encap-pins encapctl apply build/NAME\n\n"
        "What the first release applied has no pins of its programs: looking at those takes CAP_SYS_ADMIN once, and\n"
        "without it `apply` replaces them.",
    ),
    "H102": Explained(
        "no bpf filesystem",
        "Maps and links are kept alive by pins in a bpf filesystem, usually at /sys/fs/bpf. There it is mounted if\n"
        "it is missing; elsewhere it does not decide for you:\n\n    mount -t bpf bpf /sys/fs/bpf\n\n"
        "`ip netns exec` hides that mount, because it mounts a new /sys. Use `nsenter --net=/run/netns/NAME` instead.",
    ),
    "H103": Explained(
        "a host value is malformed",
        "Host values come from --set NAME=VALUE, from the file that --host names, or from /etc/encap/host.yaml: a\n"
        "mapping of names to values, a list where there are several.\n\n"
        "    uplinks: [bond0, ens3]\n    vtep: [192.0.2.17, 2001:db8::17]\n    mac: 02:00:00:00:00:01\n"
        "    rows: {sites: sites.csv, overlay/peers: /srv/feed/peers.csv}    # TABLE or BUNDLE/TABLE\n"
        "    limits: {removals: {percent: 20, rows: 10}}",
    ),
    "H104": Explained(
        "a host value is missing",
        "The spec declares a value that differs per machine, and neither a person nor a default gave one. A default\n"
        "like `uplink.address` takes the only global primary address of the device; an IPv6 address that is\n"
        "link-local, tentative, deprecated or temporary does not count.",
    ),
    "H105": Explained(
        "no such device",
        "The named network device is not in this network namespace. encapctl works in the namespace it runs in:\n\n"
        "    nsenter --net=/run/netns/NAME encapctl apply build/NAME",
    ),
    "H106": Explained(
        "a host value is ambiguous",
        "The device has several addresses that the default could mean, and a guess could be another one tomorrow. Say\n"
        "which, with --set or in the host file.",
    ),
    "H107": Explained(
        "not an Ethernet device",
        "The programs start reading at an Ethernet header. On devices without one (tun, ppp, ipip and the like) they\n"
        "would read something else. Attach to the Ethernet device that the packets pass before or afterwards.",
    ),
    "H108": Explained(
        "unknown attach kind",
        "ENCAP_ATTACH may be auto, tcx or clsact. auto takes TCX links where the kernel has them (6.6) and clsact\n"
        "filters elsewhere, and keeps what is in use.",
    ),
    "H109": Explained(
        "the host lacks an address that rows or answers need",
        "A row's encapsulation has an outer family of which this host has no address. Without such a row the missing\n"
        "family is fine. Give the host an address of that family, or take those rows out of this host's file.\n\n"
        "An answer that goes to a host value needs that value and the outer source in one family, whichever.",
    ),
    "H110": Explained(
        "not applied here",
        "Nothing of that name is attached, pinned or recorded in this network namespace. Bundles are kept per network\n"
        "namespace: look from within the one that it was applied in.",
    ),
    "H114": Explained(
        "the machine refused",
        "encapctl keeps pins in the bpf filesystem (/sys/fs/bpf) and its state in /run/encap, and could not read or\n"
        "write something there; the message names the file and the system's reason. What ran before runs on. Mend the\n"
        "cause (a full or read-only filesystem, permissions, a limit on open files) and run the command again:\n"
        "`apply` and `remove` go on where they stopped. `encapctl --debug` shows where it happened.",
    ),
    "H116": Explained(
        "no cgroup hierarchy",
        "The spec is about cgroups, and no cgroup2 hierarchy is mounted, or only a part of it that this process\n"
        "cannot place: in a cgroup namespace, as most containers have, paths begin at the container's own cgroup,\n"
        "while programs count levels from the machine's root. Mount it, or leave that namespace:\n\n"
        "    mount -t cgroup2 none /sys/fs/cgroup\n    nsenter --cgroup=/proc/1/ns/cgroup encapctl apply build/NAME",
    ),
    "H117": Explained(
        "the attached cgroup is not there",
        "What the spec says of cgroups and sockets is below one cgroup, which must be there when the bundle is\n"
        "applied. Those below it may come later. Its path begins at the root of the cgroup2 hierarchy:\n\n"
        "    attach: {devices: [host.uplink], cgroup: /}\n    attach: {devices: [host.uplink], cgroup: host.tenants}",
    ),
    "H118": Explained(
        "processes that cannot be seen",
        "`encapctl sweep` takes away what is left of network namespaces that are gone, found by looking at all\n"
        "processes. From within a container it sees only some. Run it on the machine itself.",
    ),
    "H150": Explained(
        "network namespaces that cannot be distinguished",
        "What a rule encapsulates does not leave by a device that is not attached. A program on the cgroup checks\n"
        "that, and the cgroup may hold sockets of other network namespaces, which must be let go. Before Linux 5.14\n"
        "programs and encapctl have no common name for a namespace that is not the machine's first one, so all\n"
        "sockets in the cgroup that are not of the first namespace count as ours. Give each its own cgroup:\n\n"
        "    attach: {devices: [host.uplink], cgroup: host.container}",
    ),
    "H151": Explained(
        "too many attached devices",
        "Programs on cgroups know the devices whose packets come to our programs, and can hold 64: the\n"
        "attached ones, and the VLANs, bonds and bridges above them. Attach to fewer devices, or let packets leave\n"
        "by others:\n\n"
        "    egress: {unattached: pass}",
    ),
    "H152": Explained(
        "the state is of another release",
        "What was applied is written below /run/encap in a form that has a version. A release with another major\n"
        "version has written it, or a later one whose bundle requires what this encapctl does not know, and it would\n"
        "take what runs for something else. Nothing was changed, and what runs, runs on. Use the release that is\n"
        "named, or a newer one; to go back, let that release remove the bundle first.",
    ),
    "H153": Explained(
        "the state cannot be read",
        "What was applied is written below /run/encap. It is there and cannot be read: edited, half a copy, or\n"
        "without the rights. encapctl does not take that for a machine on which nothing ran. What runs, runs on, and\n"
        "`apply` goes on from it: hooks and maps are found in the kernel, and maps that fit are kept. What is lost is\n"
        "said: `plan` names maps that begin empty, and counters whose layout is not known any more; `remove` cannot\n"
        "say which packets leave unencapsulated from then on, unless it is given the bundle's folder.",
    ),
    "H154": Explained(
        "counters start at 0",
        "After everything was done, counters were read again, and are lower than before. What a map of another layout\n"
        "had counted is added up by name, from what was written down of it; where that is lost, or somebody has\n"
        "unpinned the map meanwhile, so is what it had counted. Packets are not: the programs count on from 0.",
    ),
    "H160": Explained(
        "a key of the host file resembles a host value",
        "A host file may serve several bundles, so a key that this one does not know is no error. One that differs\n"
        "from a host value of the spec by a letter or two is most likely that value, and would be ignored. So would\n"
        "be `rows` and `limits`, or a word like them, where they are no mapping.",
    ),
    "H161": Explained(
        "a key below `rows` in the host file resembles one of this bundle",
        "`rows` names the files of tables, as TABLE or BUNDLE/TABLE. A host file may serve several bundles, so a\n"
        "table that this one does not have is no error; one that differs by a letter or two would be ignored. So\n"
        "would be a bundle's name like this one's that nothing on the machine has.",
    ),
    "K201": Explained(
        "libbpf is missing",
        "encapctl loads objects through libbpf.so.1, which every distribution packages:\n\n"
        "    apt-get update && apt-get install libbpf1    # Debian, Ubuntu\n"
        "    dnf install libbpf                           # Fedora, RHEL\n\n"
        "ENCAP_LIBBPF may name another file.",
    ),
    "K202": Explained(
        "libbpf is too old", "libbpf 1.0 (2022) or newer is needed. Install it, or name one with ENCAP_LIBBPF."
    ),
    "K203": Explained(
        "the kernel is too old for this bundle",
        "The spec's `kernel` is the oldest that the bundle was made for, and this machine's is older. Compile the\n"
        "spec with a lower `kernel`: if a feature stands in the way, the compiler says which.",
    ),
    "K204": Explained(
        "the object cannot be opened",
        "libbpf does not understand NAME.bpf.o: it is not a BPF object, or of another machine's byte order.",
    ),
    "K205": Explained(
        "the verifier refused a program",
        "The kernel proves every program safe before it runs, and did not succeed. Nothing has changed: what ran\n"
        "before runs on. The place is a line of the generated C, with the part of the spec it was made for. The\n"
        "compiler should not write such code: please report it, with the spec.\n\n"
        "If it says `16-bit range`, the program is too long: fewer rules and shorter lists help, as `encap-compile\n"
        "explain E520` shows. If it says `number of maps`, a program can use 64, and a table needs one or two.",
    ),
    "K206": Explained(
        "loading failed",
        "The kernel refused the object for another reason than the verifier's: memory, a map type it does not have, a\n"
        "limit. The message holds what libbpf said. Nothing has changed.",
    ),
    "K207": Explained(
        "no TCX on this kernel", "TCX came with Linux 6.6. Leave --attach out, or write --attach clsact."
    ),
    "K208": Explained(
        "a hook could not be changed",
        "All programs are loaded and all rows written, but the kernel did not attach one, as when another agent holds\n"
        "the place, or the device has an `ingress` qdisc where clsact is needed. Every mix of old and new programs\n"
        "works; mend the cause and run apply again.",
    ),
    "K209": Explained(
        "the kernel refused a call", "A map, program or hook could not be read or written; the message names the call."
    ),
    "B301": Explained(
        "no bundle there",
        "A bundle is a directory with a manifest.json, as `encap-compile SPEC` writes it to build/NAME. The manifest\n"
        "is written last: where other files are and it is not, the compiler or a copy was interrupted, and the files\n"
        "may be of two versions. Run `encap-compile` again, which writes what is missing, or copy the directory again.",
    ),
    "B302": Explained(
        "the manifest is malformed",
        "manifest.json is not what encap-compile writes. It is a build result: do not edit it, build it again.",
    ),
    "B303": Explained(
        "a manifest of another format",
        "The bundle was built by a release whose manifest has another major version: its members may mean something\n"
        "else. Use the release that is named, or build the bundle again with the release of this encapctl.",
    ),
    "B304": Explained(
        "a file of the bundle is missing", "The manifest names a file that cannot be read. Copy the bundle whole."
    ),
    "B305": Explained(
        "a file of the bundle was changed",
        "Its SHA-256 is not the one in the manifest: what was reviewed is not what would be loaded. Somebody edited\n"
        "it, or the compiler or a copy was interrupted between two files. Change the spec or the rows and build\n"
        "again; to try other rows on one machine, use --rows TABLE=FILE.",
    ),
    "B306": Explained(
        "a file without a hash", "The manifest must list the object and all row files with their hashes."
    ),
    "B307": Explained(
        "no such table", "--rows names a table that the bundle does not have, or whose rows are compiled in."
    ),
    "B308": Explained(
        "too many entries",
        "A map has the size that `capacity` in the spec gives it. Raise it and compile again; apply then moves to a\n"
        "larger map without losing a packet.",
    ),
    "B309": Explained(
        "object and manifest differ", "The object's maps are not laid out as the manifest says. Build the bundle again."
    ),
    "B310": Explained(
        "rows that are nowhere",
        "An ingress rule takes its outer sources from a table, and the bundle has no file with that table's rows.",
    ),
    "B311": Explained(
        "too many rows would be removed",
        "A feed that delivers an empty or a truncated file would take a site down. `apply` refuses to empty a table\n"
        "or a prefix set, and to remove more than 20 % and more than 10 of its entries. Where that is\n"
        "what you want:\n\n"
        "    encapctl apply build/NAME --allow-removals all\n\n"
        "A number in place of `all` allows as many in each table. The limits of a machine are in its host file:\n\n"
        "    limits: {removals: {percent: 50, rows: 1000}}",
    ),
    "B312": Explained(
        "the bundle requires a newer encapctl",
        "The manifest's `requires` names what a loader has to know to do what the spec says, and this encapctl does\n"
        "not know all of it. Without that it would run something else than what was reviewed. Nothing was changed.\n"
        "The message names the oldest release that can apply the bundle.",
    ),
    "H170": Explained(
        "GSO packets that would be dropped",
        "The spec has `segmentation: off` and an encapsulation with headers that the kernel cannot write in each\n"
        "segment of a GSO packet, as a second UDP header's length. A GSO packet that would take it is dropped and\n"
        "counted as `egress_gso`: TCP hardly gets on. Local connections build none for a device that takes one\n"
        "segment:\n\n"
        "    ip link set dev DEVICE gso_max_segs 1\n\n"
        "What is forwarded was merged where it came in: turn that off there with `ethtool -K DEVICE gro off`.",
    ),
}
