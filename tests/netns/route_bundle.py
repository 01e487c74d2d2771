"""The hand-made bundle of `loader_bundle` with a route device, and two ways out of the sender's namespace: the uplink,
and a device that nobody is attached to, which the main routing table leads to."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from encap_compile.common import manifest_io
from encap_compile.common.manifest import HostMember, Layout, Member, Route, RouteDevice, RuleSummary
from encap_compile.run.kernel.netlink import add_clsact, replace_filter
from encap_compile.run.kernel.uapi import TC_CLSACT_INGRESS
from tests.netns.loader_bundle import _manifest, compiled, csv, source_text
from tests.netns.loader_net import INSIDE, Wire
from tests.support.netns import Namespace

DEVICE = "encap0"
PREFIX = "10.1.0.0/16"
FORWARDING = "net/ipv4/conf/lo/forwarding"
GUARD = "hand__route_device_ingress"
_MEMBER = "__u32 route_device, lookup_ifindex; "
_SENDS = """	if (host.route_device) {
		__u8 unicast[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
		store_bytes(skb, 0, unicast, 12, 0);
		return redirect_neigh(host.ifindex, 0, 0, 0);
	}
	return -1;
}

SEC("tc") int hand__route_device_ingress(struct __sk_buff *skb)
{
	return 2;
}

SEC("tc") int encap_ingress"""


def source(salt: str = "", counters: tuple[str, ...] = ("web", "seen")) -> str:
    """The C: what comes to the route device goes on by the uplink. It asks for what a look-up of routes would need."""
    text = source_text(counters).replace("__u8 source6[16]; };", "__u8 source6[16]; " + _MEMBER + "};")
    declared = "static long (*redirect_neigh)(__u32 ifindex, void *params, int size, __u64 flags) = (void *)152;\n"
    text = text.replace("struct host {", declared + "\nstruct host {")
    end = '	return -1;\n}\n\nSEC("tc") int encap_ingress'
    assert end in text
    text = text.replace(end, _SENDS)
    # Without a row a packet cannot go on from the route device.
    text = text.replace(
        "	if (!row)\n		return -1;", "	if (!row)\n		return host.route_device ? 2 : -1;"
    )
    return text + (f"/* {salt} */\n" if salt else "")


def write(
    directory: Path,
    prefixes: Sequence[str] = (PREFIX,),
    rows: dict[str, str] | None = None,
    salt: str = "",
    name: str = "hand",
    device: str = DEVICE,
    table: bool = False,
    passed: Sequence[str] = (),
    boot: str = "",
    counters: tuple[str, ...] = ("web", "seen"),
) -> Path:
    """Write the bundle. With `table`, its rows are routed; without a `device`, it has no route device."""
    directory.mkdir(parents=True, exist_ok=True)
    c_text = source(salt, counters)
    content = csv(rows if rows is not None else {INSIDE: "192.0.2.2"})
    files = {f"{name}.bpf.o": compiled(c_text), f"{name}.bpf.c": c_text.encode(), "sites.csv": content}
    for file, data in files.items():
        (directory / file).write_bytes(data)
    made = _manifest(name, counters, False, 1024, "5.10", False, False)
    member, asks = Member("route_device", "u32", 68, 4), Member("lookup_ifindex", "u32", 72, 4)
    host = Layout(76, (*made.host_layout.members, member, asks))
    routes = (Route("web", "sites" if table else "", tuple(prefixes), tuple(passed)),)
    rule = RuleSummary(
        "web", "egress", f"{', '.join(prefixes)} -> sites", "egress.rules.web", tuple(prefixes), "sites", "", "d1",
        action="encapsulate",
    )  # fmt: skip
    made = replace(
        made,
        host_layout=host,
        host_members=(*made.host_members, HostMember(member, "route_device"), HostMember(asks, "lookup_ifindex")),
        route_device=RouteDevice(device, "encap_egress", GUARD, 20, routes) if device else None,
        rules=(rule,),
        boot=boot,
    )
    identity = manifest_io.identity(made, {f"{name}.bpf.c": c_text.encode()})
    hashes = {f: hashlib.sha256(c).hexdigest() for f, c in files.items()}
    made = replace(made, identity=identity, files=hashes)
    (directory / "manifest.json").write_text(manifest_io.dump(made))
    return directory


class RouteWire(Wire):
    """Packets for the inside that are not led to the route device leave by `out`, and are counted unencapsulated."""

    def __init__(self, ours: Namespace, peer: Namespace) -> None:
        super().__init__(ours, peer)
        ours.ip("link add out type veth peer name in0", f"link set in0 netns {peer.name}")
        ours.ip("addr add 198.51.100.1/24 dev out", "link set out up", "route del 10.1.0.0/16")
        peer.ip("link set in0 up")
        ours.ip("route add default via 198.51.100.2", "neigh add 198.51.100.2 lladdr 02:00:00:00:00:09 dev out")
        with peer.entered(), self._object.program("count") as program:
            index = socket.if_nametoindex("in0")
            add_clsact(index)
            replace_filter(index, TC_CLSACT_INGRESS, 1, 1, program.fd, "counting")
        # The kernel notices a carrier a moment after the other end is up, and until then a device drops what it sends.
        deadline = time.monotonic() + 5
        while self.try_to_send(1) != (0, 0, 1):
            assert time.monotonic() < deadline

    def try_to_send(self, count: int = 20) -> tuple[int, int, int]:
        """As `send`, where the kernel may refuse; how many it refused, and what arrived."""
        before, refused = self.arrived(), 0
        with self.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(count):
                try:
                    sender.sendto(b"x" * 22, (INSIDE, 7))
                except OSError:
                    refused += 1
        after = self.arrived()
        return refused, after[0] - before[0], after[1] - before[1]

    def routes(self) -> str:
        """Rules of ours, and the routes of their tables."""
        rules = self.ours.run(["ip", "rule"]).stdout + self.ours.run(["ip", "-6", "rule"]).stdout
        ours = [line for line in rules.splitlines() if line.startswith("90:")]
        return "\n".join([*ours, self.ours.run(["ip", "route", "show", "table", "all", "proto", "236"]).stdout])

    def left(self) -> list[str]:
        """Also the device, rules and routes, and the sysctl."""
        links = self.ours.run(["ip", "-o", "link", "show", "type", "vxlan"]).stdout.split("\n")
        here = [*super().left(), *filter(None, links), *filter(None, self.routes().splitlines())]
        return here + [name for name in [FORWARDING] if self.ours.run(["cat", f"/proc/sys/{name}"]).stdout != "0\n"]


@contextmanager
def route_wire() -> Iterator[RouteWire]:
    with Namespace("ours") as ours, Namespace("peer") as peer:
        made = RouteWire(ours, peer)
        try:
            yield made
        finally:
            made.close()
