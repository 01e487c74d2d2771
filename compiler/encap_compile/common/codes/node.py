"""Codes of `encapctl`: H the machine, K the kernel and libbpf, B the bundle."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "H100": Explained(
        "not in this release",
        "The command is planned and its name is reserved. `encapctl --help` lists what this release can do.",
    ),
    "H101": Explained(
        "a missing privilege",
        """Every verb needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (before Linux 5.8 CAP_SYS_ADMIN in place of the
first and the last), in the initial user namespace: capabilities of a rootless container do not count.
`sweep` also needs CAP_SYS_PTRACE, to see the namespaces of all processes. Run encapctl as root, or grant
the capabilities. A user other than root must also own a bpf filesystem and a folder for the state:

    mount -t bpf bpf /run/encap-pins && mkdir /run/encap && chown encap: /run/encap-pins /run/encap
    C=+bpf,+net_admin,+perfmon
    setpriv --reuid encap --regid encap --clear-groups --inh-caps $C --ambient-caps $C \\
        env ENCAP_BPFFS=/run/encap-pins encapctl apply build/NAME

The first release did not pin its programs: recognising them requires CAP_SYS_ADMIN once, and without it
`apply` replaces them.""",
    ),
    "H102": Explained(
        "no bpf filesystem",
        """Pins in a bpf filesystem, usually at /sys/fs/bpf, keep maps and links alive. encapctl mounts a missing one
there, but not in another place:

    mount -t bpf bpf /sys/fs/bpf

`ip netns exec` hides that mount, because it mounts a new /sys. Use `nsenter --net=/run/netns/NAME` instead.""",
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
        """The spec declares a value that differs per machine, but it was not set and has no default. A default such as
`uplink.address` is the only global primary address of the device; IPv6 addresses that are link-local,
tentative, deprecated or temporary do not count.""",
    ),
    "H105": Explained(
        "no such device",
        """The device does not exist in this network namespace. encapctl works in the namespace in which it runs:

    nsenter --net=/run/netns/NAME encapctl apply build/NAME""",
    ),
    "H106": Explained(
        "a host value is ambiguous",
        """The default could be any of several addresses of the device, and a guess could change over time. Set the
value with --set or in the host file.""",
    ),
    "H107": Explained(
        "not an Ethernet device",
        """The programs start reading at an Ethernet header. On devices without one (tun, ppp, ipip and others) they
would misread packets. Attach to the Ethernet device that the packets pass before or afterwards.""",
    ),
    "H108": Explained(
        "unknown attach kind",
        """ENCAP_ATTACH may be auto, tcx or clsact. auto uses TCX links if the kernel has them (6.6) and clsact filters
otherwise, and does not change an attach kind that is in use.""",
    ),
    "H109": Explained(
        "the host has no address of a family that rows or replies need",
        """A row's encapsulation has an outer family of which this host has no address. Give the host an address of
that family, or remove these rows from this host's file; without such rows the address is not needed.

Replies to a host value need that value and the outer source in the same family, either one.""",
    ),
    "H110": Explained(
        "nothing of that name is applied",
        """Nothing of that name is attached, pinned or recorded in this network namespace. Bundles belong to a network
namespace: run the command in the one in which the bundle was applied.""",
    ),
    "H114": Explained(
        "the machine refused an operation",
        """encapctl keeps pins in the bpf filesystem (/sys/fs/bpf) and its state in /run/encap, and could not read or
write something there; the message names the file and the system's reason. What ran before keeps running.
Fix the cause (a full or read-only filesystem, permissions, a limit on open files) and run the command
again: `apply` and `remove` continue where they stopped. `encapctl --debug` shows where it happened.""",
    ),
    "H116": Explained(
        "no usable cgroup hierarchy",
        """The spec uses cgroups, but no cgroup2 hierarchy is mounted, or this process is in a cgroup namespace. There,
as in most containers, paths begin at the container's own cgroup, while programs count levels from the
machine's root. Mount the hierarchy, or leave the namespace:

    mount -t cgroup2 none /sys/fs/cgroup
    nsenter --cgroup=/proc/1/ns/cgroup encapctl apply build/NAME""",
    ),
    "H117": Explained(
        "the attached cgroup does not exist",
        """All cgroups of the spec are below one, which must exist when the bundle is applied. Those below it may be
created later. Its path begins at the root of the cgroup2 hierarchy:

    attach: {devices: [host.uplink], cgroup: /}
    attach: {devices: [host.uplink], cgroup: host.tenants}""",
    ),
    "H118": Explained(
        "processes that are not visible",
        """`encapctl sweep` removes what is left of deleted network namespaces, and must see all processes to find
them. In a container it sees only some. Run it on the machine itself.""",
    ),
    "H150": Explained(
        "network namespaces that cannot be distinguished",
        """Packets that a rule encapsulates must not leave by a device that is not attached. A program on the cgroup
drops them there, but must pass packets of other network namespaces, whose sockets may be in the same
cgroup. Before Linux 5.14 programs can only distinguish the machine's initial namespace, so all other
sockets in the cgroup count as this namespace's. Give each namespace its own cgroup:

    attach: {devices: [host.uplink], cgroup: host.container}""",
    ),
    "H151": Explained(
        "too many attached devices",
        """Programs on cgroups have a list of at most 64 devices whose packets pass our programs: the attached ones,
and the VLANs, bonds and bridges above them. Attach to fewer devices, or allow packets to leave by others:

    egress: {unattached: pass}""",
    ),
    "H152": Explained(
        "the state is from another release",
        """The state below /run/encap has a format version. It was written by a release with another major version, or
by a later one whose bundle requires features that this encapctl does not have, so this encapctl could
misinterpret what runs. Nothing was changed, and the programs keep running. Use the named release, or a
newer one. To downgrade, remove the bundle with that release first.""",
    ),
    "H153": Explained(
        "the state cannot be read",
        """The state below /run/encap exists but cannot be read: it was edited, is incomplete, or the permissions are
missing. encapctl does not treat this as if nothing were applied. The programs keep running, and `apply`
continues from them: it finds hooks and maps in the kernel, and keeps maps whose layout is the same. `plan`
names what is lost: maps that start empty, and counters whose layout is no longer known. `remove` cannot
list which packets then leave unencapsulated, unless it is given the bundle's folder.""",
    ),
    "H154": Explained(
        "counters start at 0",
        """After the apply, counters were read again and are lower than before. Totals of a map with another layout are
carried over by name, by its recorded layout. If that record is lost, or another process unpinned the map
meanwhile, its totals are lost too. No packets are lost; the programs count on from 0.""",
    ),
    "H155": Explained(
        "the journal of what was set cannot be read",
        """Before encapctl makes a device or sets a sysctl or routes, it writes down what it is about to set, and what a
sysctl was before, in /var/lib/encap/journal (or where ENCAP_JOURNAL says). The file there is damaged, or a
later release wrote it. Nothing is changed on a guess: use that release, or remove the file. Then the next
apply recognises its own devices and routes again, but sysctls keep their values when the bundle is removed.""",
    ),
    "H160": Explained(
        "a key of the host file resembles a host value",
        """A host file can serve several bundles, so an unknown key is not an error. But a key that differs from a host
value of the spec by a letter or two is most likely that value, and it is ignored. The same holds for words
like `rows` and `limits`, and for these if they are not mappings.""",
    ),
    "H161": Explained(
        "a key below `rows` in the host file resembles one of this bundle",
        """`rows` names the files of tables, as TABLE or BUNDLE/TABLE. A host file can serve several bundles, so an
unknown table is not an error. But one that differs from a table of this bundle by a letter or two is
ignored, and probably meant to be that table. The same holds for a bundle's name like this one's that does
not exist on the machine.""",
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
        """The spec's `kernel` is the oldest kernel that the bundle supports, and this machine's is older. Compile the
spec with a lower `kernel`; if a feature prevents that, the compiler names it.""",
    ),
    "K204": Explained(
        "the object cannot be opened",
        """libbpf cannot read NAME.bpf.o: it is not a BPF object, or it has another byte order.""",
    ),
    "K205": Explained(
        "the verifier refused a program",
        """The kernel could not verify that the program is safe. Nothing has changed: what ran before keeps running.
The place is a line of the generated C, with the part of the spec it comes from. The compiler should not
generate such code: please report it, with the spec.

If the message says `16-bit range`, the program is too long: use fewer rules and shorter lists, as
`encap-compile explain E520` shows. If it says `number of maps`: a program can use 64, and a table needs one
or two.""",
    ),
    "K206": Explained(
        "loading failed",
        """The kernel refused the object for a reason other than the verifier: memory, an unsupported map type, a
limit. The message contains libbpf's error. Nothing has changed.""",
    ),
    "K207": Explained(
        "no TCX on this kernel", "TCX came with Linux 6.6. Leave --attach out, or write --attach clsact."
    ),
    "K208": Explained(
        "a hook could not be changed",
        """All programs are loaded and all rows written, but the kernel did not attach one, for example because another
agent occupies the hook, or the device has an `ingress` qdisc where clsact is needed. Every mix of old and
new programs works; fix the cause and run apply again.""",
    ),
    "K209": Explained(
        "the kernel refused a call", "A map, program or hook could not be read or written; the message names the call."
    ),
    "B301": Explained(
        "no bundle in the directory",
        """A bundle is a directory with a manifest.json, as `encap-compile SPEC` writes it to build/NAME. The manifest
is written last: if only other files exist, the compiler or a copy was interrupted, and the files may be of
two versions. Run `encap-compile` again, or copy the directory again.""",
    ),
    "B302": Explained(
        "the manifest is malformed",
        """manifest.json does not have the form that encap-compile writes. Do not edit it; build it again.""",
    ),
    "B303": Explained(
        "a manifest in another format",
        """The bundle was built by a release whose manifest has another major version, so its members may have other
meanings. Use the named release, or build the bundle again with the release of this encapctl.""",
    ),
    "B304": Explained(
        "a file of the bundle is missing",
        """The manifest names a file that cannot be read. Copy the bundle whole.""",
    ),
    "B305": Explained(
        "a file of the bundle was changed",
        """The file's SHA-256 differs from the manifest: what would be loaded is not what was reviewed. The file was
edited, or the compiler or a copy was interrupted. Change the spec or the rows and build again; to try other
rows on one machine, use --rows TABLE=FILE.""",
    ),
    "B306": Explained(
        "a file without a hash", "The manifest must list the object and all row files with their hashes."
    ),
    "B307": Explained(
        "no such table", "--rows names a table that the bundle does not have, or whose rows are compiled in."
    ),
    "B308": Explained(
        "too many entries",
        """The size of the map is `capacity` in the spec. Raise it and compile again; apply then switches to a larger
map without losing a packet.""",
    ),
    "B309": Explained(
        "object and manifest differ", "The object's maps are not laid out as the manifest says. Build the bundle again."
    ),
    "B310": Explained(
        "rows that are in no file",
        """An ingress rule takes its outer sources from a table, but the bundle has no file with that table's rows.""",
    ),
    "B311": Explained(
        "too many rows would be removed",
        """An empty or truncated file from a feed would take a site down. So `apply` refuses to empty a table or a
prefix set, and to remove more than 20 % and more than 10 of its entries. If that is what you want:

    encapctl apply build/NAME --allow-removals all

A number in place of `all` allows as many in each table. The limits of a machine are in its host file:

    limits: {removals: {percent: 50, rows: 1000}}""",
    ),
    "B312": Explained(
        "the bundle requires a newer encapctl",
        """The manifest's `requires` names the features that a loader must support, and this encapctl does not have all
of them. Without them, it would run something other than what was reviewed. Nothing was changed. The message
names the oldest release that can apply the bundle.""",
    ),
}
