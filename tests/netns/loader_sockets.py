"""A bundle made by hand whose sockets choose where their packets go, and processes in cgroups that do.

The egress program takes, in this order, what the packet's socket has chosen, and the row of a cgroup that its socket
belongs to; it drops what belongs to a named cgroup and has neither, and passes the rest. A socket chooses by the option
CHOOSE of level OURS, four bytes of an address, and asks by ASK what it has chosen and what the program is told.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from encap_compile.common import manifest_io
from encap_compile.common.manifest import (
    FORMAT_VERSION,
    Cgroup,
    Counter,
    Hooked,
    HostDeclaration,
    HostMember,
    Inputs,
    KeyColumn,
    Layout,
    Manifest,
    Member,
    RuleSummary,
    Stack,
    Table,
    Toolchain,
)
from encap_compile.run.kernel.system import kernel_version
from encap_compile.run.loader.desired import Request
from tests.netns.loader_bundle import compiled
from tests.netns.loader_net import Wire, wire
from tests.support.cgroups import Tree

OURS, CHOOSE, ASK = 0x654E, 1, 2
HAS_COOKIE = kernel_version() >= (5, 15)

SOURCE = r"""
typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32; typedef unsigned long long __u64;
#define SEC(NAME) __attribute__((section(NAME), used))
struct bpf_sock;
struct __sk_buff { __u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority,
	ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id, family, remote_ip4, local_ip4,
	remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta; __u64 flow_keys, tstamp; __u32 wire_len, gso_segs;
	struct bpf_sock *sk; };
struct bpf_sockopt { struct bpf_sock *sk; void *optval, *optval_end; int level, optname, optlen, retval; };
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*store_bytes)(struct __sk_buff *skb, __u32 at, const void *from, __u32 len, __u64 flags) = (void *)9;
static long (*adjust_room)(struct __sk_buff *skb, int len, __u32 mode, __u64 flags) = (void *)50;
static __u64 (*ancestor)(struct __sk_buff *skb, int level) = (void *)83;
static struct bpf_sock *(*fullsock)(struct bpf_sock *sk) = (void *)95;
static void *(*storage)(void *map, struct bpf_sock *sk, void *value, __u64 flags) = (void *)107;
static __u64 (*netns_cookie)(void *ctx) = (void *)122;

struct host { __u8 identity[32]; __u8 source[4]; __u32 mtu; __u64 cgroups, cookie; __u32 level, levels; };
const volatile struct host host SEC(".rodata.host") = {};

struct counter { __u64 packets, bytes; };
struct counters { struct counter chosen, by_row, none; };
struct row { __u8 address[4]; __u32 stack; };
struct choice { __u8 address[4]; };
struct answer { __u64 cgroups, cookie; __u32 level, levels, mtu, version; __u8 chosen[4]; };
struct { int (*type)[6]; __u32 *key; struct counters *value; int (*max_entries)[1]; } counters SEC(".maps");
struct { int (*type)[1]; __u64 *key; struct row *value; int (*max_entries)[@CAPACITY@]; } tenants SEC(".maps");
struct { int (*type)[1]; __u64 *key; __u64 *value; int (*max_entries)[@ROOM@]; } cgroups SEC(".maps");
struct { int (*type)[24]; int (*map_flags)[1]; int *key; struct choice *value; } choices SEC(".maps");

struct iphdr { __u8 version, tos; __u16 length, id, fragment; __u8 ttl, protocol; __u16 check;
	__u8 source[4], destination[4]; } __attribute__((packed));
#define COUNT(NAME, SKB) do { __u32 zero = 0; struct counters *all = lookup(&counters, &zero); \
	if (all) { all->NAME.packets += 1; all->NAME.bytes += (SKB)->len - 14; } } while (0)

SEC("tc") int encap_egress(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, to[4] = {};
	struct iphdr outer = {};
	__u64 named = 0;
	int found = 0;

	if (data + 34 > end || data[12] != 8 || data[13] != 0 || data[23] != 17)
		return -1;
	for (int n = 0; n < 4; n++) {
		__u64 number = ancestor(skb, host.level + n), *set = lookup(&cgroups, &number);
		struct row *row = host.levels >> n & 1 ? lookup(&tenants, &number) : 0;
		if (set)
			named |= *set;
		if (row) {
			__builtin_memcpy(to, row->address, 4);
			found = 1;
		}
	}
	struct bpf_sock *sk = skb->sk;
	sk = sk ? fullsock(sk) : 0;
	struct choice *choice = sk && named ? storage(&choices, sk, 0, 0) : 0;
	if (choice) {
		__builtin_memcpy(to, choice->address, 4);
		COUNT(chosen, skb);
	} else if (found) {
		COUNT(by_row, skb);
	} else {
		COUNT(none, skb);
		return named ? 2 : -1;
	}
	outer.version = 0x45;
	outer.ttl = 64;
	outer.protocol = 4;
	outer.length = __builtin_bswap16((__u16)(skb->len - 14 + 20));
	for (int i = 0; i < 4; i++) {
		outer.source[i] = host.source[i];
		outer.destination[i] = to[i];
	}
	__u32 sum = 0;
	__u16 words[10];
	__builtin_memcpy(words, &outer, 20);
	for (int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	outer.check = (__u16)~(sum + (sum >> 16));
	if (adjust_room(skb, 20, 1, 1 | 2) || store_bytes(skb, 14, &outer, 20, 0))
		return 2;
	return -1;
}

SEC("tc") int encap_ingress(struct __sk_buff *skb)
{
	return -1;
}
@SOCKETS@
const char LICENSE[] SEC("license") = "GPL";
"""

SOCKETS = r"""
SEC("cgroup/setsockopt") int choose(struct bpf_sockopt *ctx)
{
	__u8 *value = ctx->optval;

	if (ctx->optlen == -1 || ctx->level != 0x654e || netns_cookie(ctx) != host.cookie)
		return 1;
	if (ctx->optname != 1 || ctx->optlen != 4 || value + 4 > (__u8 *)ctx->optval_end || !host.cgroups)
		return 0;
	struct choice *choice = storage(&choices, ctx->sk, 0, 1);
	if (!choice)
		return 0;
	__builtin_memcpy(choice->address, value, 4);
	ctx->optlen = -1;
	return 1;
}

SEC("cgroup/getsockopt") int ask(struct bpf_sockopt *ctx)
{
	struct answer *answer = ctx->optval;

	if (!ctx->retval || ctx->level != 0x654e || netns_cookie(ctx) != host.cookie)
		return 1;
	if ((void *)(answer + 1) > ctx->optval_end)
		return 0;
	struct choice *choice = storage(&choices, ctx->sk, 0, 0);
	answer->cgroups = host.cgroups;
	answer->cookie = host.cookie;
	answer->level = host.level;
	answer->levels = host.levels;
	answer->mtu = host.mtu;
	answer->version = @VERSION@;
	for (int i = 0; i < 4; i++)
		answer->chosen[i] = choice ? choice->address[i] : 0;
	ctx->retval = 0;
	*(volatile int *)&ctx->optlen = sizeof(*answer);
	return 1;
}
"""

PROCESS = """
import json, socket, sys
socks, fmt, level = [], None, int(sys.argv[1])
for line in sys.stdin:
    words = json.loads(line)
    try:
        if words[0] == "socket":
            socks.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)); answer = len(socks) - 1
        elif words[0] == "choose":
            socks[words[1]].setsockopt(level, 1, socket.inet_aton(words[2])); answer = 0
        elif words[0] == "ask":
            answer = socks[words[1]].getsockopt(level, 2, 64).hex()
        elif words[0] == "send":
            for _ in range(words[2]): socks[words[1]].sendto(b"x" * 22, ("10.1.0.1", 7))
            answer = words[2]
    except OSError as error:
        answer = {"errno": error.errno}
    print(json.dumps(answer), flush=True)
"""


class Tenant:
    """A process in a cgroup and in our namespace, with sockets that it made there."""

    def __init__(self, net: Wire, tree: Tree, cgroup: str) -> None:
        with net.ours.entered():
            self.process = subprocess.Popen(
                ["sh", "-c", 'read go; exec "$0" -c "$1" "$2"', sys.executable, PROCESS, str(OURS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        tree.join(cgroup, self.process.pid)
        self._write("go\n")

    def socket(self) -> int:
        return int(self._do("socket"))

    def choose(self, sock: int, address: str) -> int:
        """0, or the errno."""
        return _errno(self._do("choose", sock, address))

    def ask(self, sock: int) -> dict[str, Any]:
        """What the program says; `errno` alone if it says nothing."""
        found = self._do("ask", sock)
        if isinstance(found, dict):
            return found
        names = ("cgroups", "cookie", "level", "levels", "mtu", "version", "chosen")
        answer = dict(zip(names, struct.unpack("=QQIIII4s", bytes.fromhex(found)[:36]), strict=True))
        return {**answer, "chosen": socket.inet_ntoa(answer["chosen"])}

    def send(self, sock: int, count: int = 5) -> int:
        """The number sent, or minus the errno."""
        found = self._do("send", sock, count)
        return -_errno(found) if isinstance(found, dict) else int(found)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _write(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def _do(self, *words: Any) -> Any:
        assert self.process.stdout
        self._write(json.dumps(words) + "\n")
        return json.loads(self.process.stdout.readline())


def _errno(answer: Any) -> int:
    return int(answer["errno"]) if isinstance(answer, dict) else 0


@contextmanager
def tenant(net: Wire, tree: Tree, cgroup: str) -> Iterator[Tenant]:
    made = Tenant(net, tree, cgroup)
    try:
        yield made
    finally:
        made.close()


HOOKS = ("cgroup_setsockopt", "cgroup_getsockopt")


def named(*paths: str, managed: Sequence[str] | None = None) -> tuple[Cgroup, ...]:
    """Named cgroups, each with the bit of its place; managed are all, or those that are said to be."""
    return tuple(
        Cgroup(p, i, HOOKS if managed is None or p in managed else (), f"spec.yaml:{i + 1}")
        for i, p in enumerate(paths)
    )


def write(
    directory: Path,
    cgroups: tuple[Cgroup, ...] = (),
    rows: dict[str, str] | None = None,
    version: int = 1,
    cgroup: str = "host.tenants",
    sockets: bool = True,
    capacity: int = 16,
    room: int = 64,
    name: str = "hand",
    refused: bool = False,
) -> Path:
    """Write a bundle; `version` is what the program says to a socket that asks; without `sockets` none may choose.

    `refused` is a program for cgroups that the verifier does not accept.
    """
    directory.mkdir(parents=True, exist_ok=True)
    program = SOCKETS.replace("value + 4 > (__u8 *)ctx->optval_end || ", "") if refused else SOCKETS
    if not HAS_COOKIE:
        program = program.replace(" || netns_cookie(ctx) != host.cookie", "")
    program = program.replace("@VERSION@", str(version)) if sockets else f"/* {version} */"
    c_text = SOURCE.replace("@SOCKETS@", program).replace("@CAPACITY@", str(capacity)).replace("@ROOM@", str(room))
    c_text = c_text.lstrip()
    files = {
        f"{name}.bpf.o": compiled(c_text),
        f"{name}.bpf.c": c_text.encode(),
        "tenants.csv": csv(rows or {}),
    }
    for file, content in files.items():
        (directory / file).write_bytes(content)
    manifest = _manifest(name, cgroups, cgroup, sockets, capacity)
    identity = manifest_io.identity(manifest, {f"{name}.bpf.c": c_text.encode()})
    hashes = {f: hashlib.sha256(c).hexdigest() for f, c in files.items()}
    (directory / "manifest.json").write_text(manifest_io.dump(replace(manifest, identity=identity, files=hashes)))
    return directory


def csv(rows: dict[str, str]) -> bytes:
    return ("cgroup,address\n" + "".join(f"{k},{v}\n" for k, v in rows.items())).encode()


def _manifest(name: str, cgroups: tuple[Cgroup, ...], cgroup: str, sockets: bool, capacity: int) -> Manifest:
    stack = Stack(1, "ipip_ipv4", "ipip", "ipv4", 20)
    host = Layout(
        64,
        (
            Member("identity", "bytes", 0, 32),
            Member("source", "ipv4", 32, 4),
            Member("mtu", "u32", 36, 4),
            Member("cgroups", "u64", 40, 8),
            Member("cookie", "u64", 48, 8),
            Member("level", "u32", 56, 4),
            Member("levels", "u32", 60, 4),
        ),
    )
    sources = ("identity", "vtep", "uplink.mtu", "cgroups", "netns_cookie", "cgroup_level", "cgroup_levels")
    pairs = zip(host.members, sources, strict=True)
    chosen = (
        Hooked("choose", "cgroup_setsockopt", "cgroup/setsockopt"),
        Hooked("ask", "cgroup_getsockopt", "cgroup/getsockopt"),
    )
    return Manifest(
        format_version=FORMAT_VERSION,
        name=name,
        summary="ipip over ipv4",
        identity="",
        kernel="5.10",
        features={"ipip": "5.2"},
        next_hop="keep",
        host=(
            HostDeclaration("uplink", "devices", ""),
            HostDeclaration("vtep", "ip", ""),
            *((HostDeclaration("tenants", "cgroup", ""),) if cgroup.startswith("host.") else ()),
        ),
        attach=("uplink",),
        host_layout=host,
        host_members=tuple(HostMember(m, s, "ipv4" if s == "vtep" else "") for m, s in pairs),
        tables=(
            Table(
                name="tenants",
                map="tenants",
                kind="hash",
                capacity=capacity,
                columns=(KeyColumn("cgroup", "cgroup"),),
                fields={"address": "ipv4"},
                encapsulations=("ipip",),
                family_field="",
                stacks=(stack,),
                key=Layout(8, (Member("cgroup", "cgroup", 0, 8),)),
                value=Layout(8, (Member("address", "ipv4", 0, 4), Member("stack", "stack", 4, 4))),
                file="tenants.csv",
            ),
        ),
        source_sets=(),
        prefix_sets=(),
        own_addresses="",
        counters_size=48,
        counters=tuple(
            Counter(c, i * 16, "chosen", f"rule {c}", "spec.yaml:9") for i, c in enumerate(("chosen", "by_row", "none"))
        ),
        stacks=(stack,),
        rules=(RuleSummary("tenants", "egress", "all -> tenants", "spec.yaml:9", (), "tenants", "", "d1"),),
        programs=(
            *(chosen if sockets else ()),
            Hooked("encap_egress", "tc_egress", "tc"),
            Hooked("encap_ingress", "tc_ingress", "tc"),
        ),
        max_overhead=20,
        toolchain=Toolchain("clang", "22", "pinned", ()),
        inputs=Inputs("spec.yaml", "0", "0" * 64),
        cgroup=cgroup,
        cgroups=cgroups,
        cgroup_map="cgroups",
        sockets="choices",
    )


class Sockets:
    """A wire and a tree of cgroups, and the bundle's host values for both."""

    def __init__(self, net: Wire, tree: Tree) -> None:
        self.net, self.tree = net, tree
        self.values = ("--set", "uplink=eth0", "--set", "vtep=192.0.2.1", "--set", f"tenants={tree.path}")

    def apply(self, bundle: Path, *words: str | Path, check: int | None = 0) -> Any:
        return self.net.ctl("apply", bundle, *self.values, *words, check=check)

    def plan(self, bundle: Path, check: int | None = None) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.net.ctl("plan", bundle, *self.values, "--format", "json", check=check).stdout
        )
        return found

    def status(self, check: int | None = None) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.net.ctl("status", "hand", "--format", "json", check=check).stdout)
        return found

    def arrived(self, tenant_: Tenant, sock: int, count: int = 5) -> tuple[int, int]:
        """Send from a socket; how many arrived encapsulated, and how many unencapsulated."""
        before = self.net.arrived()
        tenant_.send(sock, count)
        after = self.net.arrived()
        return after[0] - before[0], after[1] - before[1]

    def request(self, bundle: Path, **more: Any) -> Request:
        return Request(bundle, settings=self.values[1::2], **more)


@contextmanager
def sockets() -> Iterator[Sockets]:
    with wire() as net, Tree() as tree:
        yield Sockets(net, tree)
