"""`docs/kernels.md`: a table for each section, a row for each feature, a column for each kernel. No timings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .cells import Cell
from .matrix import Column

SECTIONS = {
    "examples": (
        "Examples",
        "Every bundle of the repository is applied, shown by `status` and removed. Nothing may be left behind.",
    ),
    "ours": (
        "Apply and remove in the lab",
        "The bundles for the traffic below are applied once for all peers, and removed at the end.",
    ),
    "traffic": (
        "Traffic",
        "Our program is on one side of a router, the kernel's own tunnel device on the other. A cell is yes if ping, "
        "UDP datagrams of 1 to 3000 bytes, a UDP_SEGMENT send and a megabyte of TCP, checked by its hash, arrive.\n\n"
        "Each is tested with GSO packets that are not split (`hardware`), with those that the kernel splits after our "
        "program (`split`; `software` with checksums in software too), and with segmentation off (`none`).\n\n"
        "The kernel's IPv6 tunnel devices are created with `encaplimit none`; those named `-limit` are not, and send "
        "a tunnel encapsulation limit (RFC 2473) behind the outer header.",
    ),
    "devices": (
        "Devices and next hops",
        "The program is on a VLAN device and on its parent: the second one passes what the first has encapsulated. "
        "With `next_hop: route`, where the inner routes lead to another neighbour, packets go to the tunnel "
        "endpoint's neighbour, on the link or behind the router. The traffic is the same as above.",
    ),
    "spec_tests": (
        "Tests of specs",
        "`encap-compile test --kernel`: the examples' own tests, run by their programs, which agree with the model.",
    ),
    "counter_entries": (
        "Many counters",
        "More counters than one value of a per-CPU map holds: what is counted in the first entry and in the last.",
    ),
    "too_big": (
        "What does not fit",
        "Packets that are too long with their headers are answered by ICMP. Segments arrive without their MSS lowered, "
        "from local sockets and from hosts behind ours, with offloads off.",
    ),
    "through_device": (
        "Through the route device",
        "An overlay whose inner prefixes are routed to a device of ours: traffic of local sockets and of hosts behind "
        "ours, by the routes of tunnel endpoints, without them, and where they lead back to the device. Its ingress "
        "lets in what the program answers, and nothing else.",
    ),
    "path_mtu": (
        "Paths",
        "A router behind the device takes less than the device, from the beginning or under load. Its ICMP errors "
        "about outer packets are learned from: segments and datagrams arrive, and lies lower nothing.",
    ),
    "segmentation": (
        "GSO packets",
        "Datagrams of `UDP_SEGMENT` and TCP, in every encapsulation, over devices with each offload on and off: each "
        "datagram arrives, or is counted by name.",
    ),
    "big_tcp": (
        "BIG TCP",
        "GSO packets of more than 64 KB: `plan` refuses them, or they are counted, or the kernel cuts them rightly.",
    ),
    "receive_gro": (
        "Receiving at full speed",
        "What is decapsulated comes in packets nearly as large as behind the kernel's own device, and nothing comes by "
        "the idle device that merges it, whatever is sent to its port.",
    ),
    "route_device": (
        "What the route device keeps closed",
        "What is routed to the device leaves encapsulated. With the device down or deleted it is unreachable, and "
        "nothing that the wire sends comes in by the device.",
    ),
    "doctor": (
        "What doctor and plan see",
        "`encapctl doctor` finds settings of the machine that cost a bundle packets, and `plan` shows the MTU budget.",
    ),
    "sockets": (
        "Sockets",
        "Applications choose one of two exits for their sockets, or their cgroup has one. The exits are the kernel's "
        "own vxlan devices with services behind them. The service that answers shows the path of a packet, and the "
        "wire is monitored for unencapsulated packets.",
    ),
    "socket_options": (
        "Socket options",
        "Which choices are allowed, which are refused and how; all other options and sockets are left alone.",
    ),
    "connect_rules": (
        "Connect rules",
        "A rule chooses for a socket each time it connects; the application's own choice takes precedence.",
    ),
    "unattached": (
        "Devices that are not attached",
        "A packet that a rule encapsulates is dropped if its route leaves by another device, and no other packet is.",
    ),
    "privileges": (
        "Privileges",
        "`encapctl` with the capabilities that the documentation names, and no others.",
    ),
    "releases": (
        "Earlier releases",
        "A bundle that an earlier release has applied with its own loader is upgraded to this release's, and "
        "downgraded again.",
    ),
    "verifier_work": (
        "The verifier's work",
        "The programs of the examples have no more instructions, and cost the verifier no more steps, than a table of "
        "the tests allows.",
    ),
    "stack_depth": (
        "Stack",
        "The longest chains of calls that specs make fit into 512 bytes, as the kernel counts them.",
    ),
    "containers": (
        "Network namespaces",
        "Two namespaces with the same inner addresses, each with programs, cgroup and exits of its own.",
    ),
    "reflection": (
        "Reflection",
        "A server is behind two balancers with the kernel's own tunnel devices. Each reply reaches its client through "
        "the balancer of the request, and none is on the wire unencapsulated. Kernels differ in which socket such a "
        "packet has when it leaves.",
    ),
    "unencapsulated": (
        "Nothing unencapsulated",
        "During all of that traffic, the router saw no packet with an inner address outside a tunnel.",
    ),
    "refused": (
        "Refused",
        "Tunnel packets that reach the receiving host, and no socket there: a VNI or key that the receiver does not "
        "have, an outer source that our spec does not list, and IPv6 destination options that are not a tunnel "
        "encapsulation limit as the kernel writes it.",
    ),
    "absent": (
        "Without our program",
        "Before `apply` and after `remove`, the same datagrams arrive in neither direction, so the traffic above used "
        "our programs.",
    ),
}
HEAD = """\
# Kernels

What works on which kernel. The kernels are the distribution's own, booted in a virtual machine; written by
`python -m tests.kernels --write-docs`.
"""


def markdown(columns: Sequence[Column]) -> str:
    parts = [HEAD]
    missing = [column for column in columns if column.missing]
    if missing:
        parts.append(
            "Not tested here:\n\n" + "\n".join(f"- {column.title}: {column.missing}" for column in missing) + "\n"
        )
    tested = [column for column in columns if not column.missing]
    notes: list[str] = []
    for section, (title, text) in SECTIONS.items():
        rows = list(dict.fromkeys(c.row for column in tested for c in column.results if c.section == section))
        if section == "examples":
            rows = sorted({*rows, *(name for column in tested for name in column.unclaimed)})
        if rows:
            parts.append(_table(section, title, text, rows, tested, notes))
    limits = sorted({limit for column in tested for limit in column.limits.values()})
    if limits:
        parts.append(
            '## Limits\n\nWhat "yes, but not" above means:\n\n' + "\n".join(f"- {limit}." for limit in limits) + "\n"
        )
    if notes:
        parts.append("## Failures\n\n" + "\n".join(f"{n}. {note}" for n, note in enumerate(notes, 1)) + "\n")
    return "\n".join(parts)


def _table(
    section: str, title: str, text: str, rows: Sequence[str], columns: Sequence[Column], notes: list[str]
) -> str:
    titles = " | ".join(column.title for column in columns)
    lines = [f"## {title}", "", text, "", f"| | {titles} |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        lines.append(f"| {row} | " + " | ".join(_entry(section, row, column, notes) for column in columns) + " |")
    return "\n".join(lines) + "\n"


def _entry(section: str, row: str, column: Column, notes: list[str]) -> str:
    """One cell of the document: yes, or which checks failed, with a note that says how."""
    checks = {cell: detail for cell, detail in column.results.items() if (cell.section, cell.row) == (section, row)}
    if not checks:
        return "needs a newer kernel" if row in column.unclaimed else "not run"
    failed = {cell: detail for cell, detail in checks.items() if detail is not None}
    limits = [cell for cell in failed if cell in column.limits]
    if len(limits) == len(failed):
        return f"yes, but not {'; '.join(cell.check for cell in limits)}" if limits else "yes"
    failed = {cell: detail for cell, detail in failed.items() if cell not in limits}
    notes.append(f"{column.title}, {row}: {_first_failure(failed)}")
    return f"**no** ({len(failed)} of {len(checks)} checks, note {len(notes)})"


def _first_failure(failed: dict[Cell, str]) -> str:
    cell, detail = next(iter(failed.items()))
    others = f" And {len(failed) - 1} more." if len(failed) > 1 else ""
    return (f"{cell.check}: " if cell.check else "") + " ".join(detail.split())[:400] + "." + others


def write(columns: Sequence[Column], file: Path) -> bool:
    """Write the document if its content changed; whether it did."""
    text = markdown(columns)
    if file.exists() and file.read_text() == text:
        return False
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return True
