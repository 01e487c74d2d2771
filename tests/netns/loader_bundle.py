"""A small bundle made by hand, so that the loader is tested apart from the compiler: IPIP in the same few lines of C
that a generated bundle has, with every kind of map that a manifest can name."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from encap_compile.common import manifest_io
from encap_compile.common.manifest import (
    FORMAT_VERSION,
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
    SourceSet,
    Stack,
    Table,
    Toolchain,
)
from tests.support.pinned_compiler import BPF, compile_c

SOURCE = r"""
typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32; typedef unsigned long long __u64;
#define SEC(NAME) __attribute__((section(NAME), used))
struct __sk_buff { __u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority,
	ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end; };
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*store_bytes)(struct __sk_buff *skb, __u32 at, const void *from, __u32 len, __u64 flags) = (void *)9;
static long (*adjust_room)(struct __sk_buff *skb, int len, __u32 mode, __u64 flags) = (void *)50;

struct host { __u8 identity[32]; __u8 source[4]; __u8 mac[6]; __u8 pad[2]; __u32 mtu; __u32 ifindex;
	__u8 source6[16]; };
const volatile struct host host SEC(".rodata.host") = {};

struct counter { __u64 packets, bytes; };
struct counters { @COUNTERS@ };
struct row { __u8 address[4]; @ROW@ };
struct { int (*type)[6]; __u32 *key; struct counters *value; int (*max_entries)[1]; } counters SEC(".maps");
struct { int (*type)[1]; __u8 (*key)[4]; struct row *value; int (*max_entries)[@CAPACITY@]; } sites SEC(".maps");
struct { int (*type)[1]; __u8 (*key)[16]; __u32 *value; int (*max_entries)[@CAPACITY@]; } sources SEC(".maps");
struct { int (*type)[1]; __u8 (*key)[16]; __u32 *value; int (*max_entries)[16]; } own_addresses SEC(".maps");

struct iphdr { __u8 version, tos; __u16 length, id, fragment; __u8 ttl, protocol; __u16 check;
	__u8 source[4], destination[4]; } __attribute__((packed));
#define BYTES(SKB) ((__u64)(SKB)->len - 14)
#define COUNT(NAME, SKB) do { __u32 zero = 0; struct counters *all = lookup(&counters, &zero); \
	if (all) { all->NAME.packets += 1; all->NAME.bytes += BYTES(SKB); } } while (0)

/* egress.rules */
SEC("tc") int encap_egress(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr inner, outer = {};

	if (data + 34 > end || data[12] != 8 || data[13] != 0)
		return -1;
	__builtin_memcpy(&inner, data + 14, 20);
	if (inner.protocol != 17)
		return -1;
	__u8 key[4] = {inner.destination[0], inner.destination[1], inner.destination[2], inner.destination[3]};
	struct row *row = lookup(&sites, key); /* egress.rules.web */
	if (!row)
		return -1;
	outer.version = 0x45;
	outer.ttl = 64;
	outer.protocol = 4;
	outer.length = __builtin_bswap16((__u16)(skb->len - 14 + 20));
	for (int i = 0; i < 4; i++) {
		outer.source[i] = host.source[i];
		outer.destination[i] = row->address[i];
	}
	__u32 sum = 0;
	__u16 words[10];
	__builtin_memcpy(words, &outer, 20);
	for (int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	outer.check = (__u16)~(sum + (sum >> 16));
	COUNT(web, skb);
	/* FIXED_GSO, ENCAP_L3_IPV4, mode MAC */
	if (adjust_room(skb, 20, 1, 1 | 2) || store_bytes(skb, 14, &outer, 20, 0))
		return 2;
	return -1;
}

SEC("tc") int encap_ingress(struct __sk_buff *skb)
{
	@INGRESS@
	COUNT(seen, skb);
	return -1;
}
const char LICENSE[] SEC("license") = "GPL";
"""
REFUSED = """/* ingress.rules.seen */
	__u8 *data = (void *)(long)skb->data;
	if (data[100] == 7) /* nobody checked data_end */
		return 2;"""


@cache
def compiled(source: str) -> bytes:
    """The object for C text, by the pinned clang."""
    with TemporaryDirectory() as folder:
        c_file = Path(folder, "test.bpf.c")
        c_file.write_text(source)
        compile_c(["-mcpu=v3", "-O2", "-g", "-c", c_file.name, "-o", "test.bpf.o"], command=BPF, folder=Path(folder))
        return Path(folder, "test.bpf.o").read_bytes()


def source_text(
    counters: tuple[str, ...] = ("web", "seen"), wide: bool = False, refused: bool = False, capacity: int = 1024
) -> str:
    """The C. `wide` rows have another layout; `refused` is code that the verifier does not accept."""
    members = " ".join(f"struct counter {c};" for c in counters)
    row = "__u32 stack, more;" if wide else "__u32 stack;"
    text = SOURCE.replace("@COUNTERS@", members).replace("@ROW@", row).replace("@CAPACITY@", str(capacity))
    return text.replace("@INGRESS@", REFUSED if refused else "").lstrip()


def write(
    directory: Path,
    rows: dict[str, str] | None = None,
    counters: tuple[str, ...] = ("web", "seen"),
    wide: bool = False,
    refused: bool = False,
    capacity: int = 1024,
    salt: str = "",
    kernel: str = "5.10",
    name: str = "hand",
    devices: bool = False,
    six: bool = False,
) -> Path:
    """Write a bundle; `salt` makes it another one with the same meaning; `six` declares a stack over IPv6 too."""
    directory.mkdir(parents=True, exist_ok=True)
    c_text = source_text(counters, wide, refused, capacity) + (f"/* {salt} */\n" if salt else "")
    files = {
        f"{name}.bpf.o": compiled(c_text),
        f"{name}.bpf.c": c_text.encode(),
        "sites.csv": csv(rows if rows is not None else {"10.1.0.1": "192.0.2.2"}),
    }
    for file, content in files.items():
        (directory / file).write_bytes(content)
    manifest = _manifest(name, counters, wide, capacity, kernel, devices, six)
    identity = manifest_io.identity(manifest, {f"{name}.bpf.c": c_text.encode()})
    hashes = {f: hashlib.sha256(c).hexdigest() for f, c in files.items()}
    manifest = replace(manifest, identity=identity, files=hashes)
    (directory / "manifest.json").write_text(manifest_io.dump(manifest))
    return directory


def csv(rows: dict[str, str]) -> bytes:
    return ("destination,address\n" + "".join(f"{k},{v}\n" for k, v in rows.items())).encode()


def _manifest(
    name: str,
    counters: tuple[str, ...],
    wide: bool,
    capacity: int,
    kernel: str,
    devices: bool,
    six: bool,
) -> Manifest:
    four = Stack(1, "ipip_ipv4", "ipip", "ipv4", 20)
    value = (Member("address", "ipv4", 0, 4), Member("stack", "stack", 4, 4))
    host = Layout(
        68,
        (
            Member("identity", "bytes", 0, 32),
            Member("source", "ipv4", 32, 4),
            Member("mac", "mac", 36, 6),
            Member("pad", "pad", 42, 2),
            Member("mtu", "u32", 44, 4),
            Member("ifindex", "u32", 48, 4),
            Member("source6", "ipv6", 52, 16),
        ),
    )
    at = {m.name: m for m in host.members}
    return Manifest(
        format_version=FORMAT_VERSION,
        name=name,
        summary="ipip over ipv4",
        identity="",
        kernel=kernel,
        features={"ipip": "5.2"},
        next_hop="keep",
        host=(
            HostDeclaration("uplink", "devices" if devices else "device", ""),
            HostDeclaration("vtep", "ip", "uplink.address"),
        ),
        attach=("uplink",),
        host_layout=host,
        host_members=(
            HostMember(at["identity"], "identity"),
            HostMember(at["source"], "vtep", "ipv4", ("stack:ipip_ipv4",)),
            HostMember(at["mac"], "uplink.mac"),
            HostMember(at["mtu"], "uplink.mtu"),
            HostMember(at["ifindex"], "uplink.ifindex"),
            HostMember(at["source6"], "vtep", "ipv6", ("stack:ipip_ipv6",)),
        ),
        tables=(
            Table(
                name="sites",
                map="sites",
                kind="hash",
                capacity=capacity,
                columns=(KeyColumn("destination", "address", ("ipv4",)),),
                fields={"address": "ipv4"},
                encapsulations=("ipip",),
                family_field="address" if six else "",
                stacks=(four, Stack(2, "ipip_ipv6", "ipip", "ipv6", 40)) if six else (four,),
                key=Layout(4, (Member("destination", "ipv4", 0, 4),)),
                value=Layout(12, (*value, Member("more", "pad", 8, 4))) if wide else Layout(8, value),
                file="sites.csv",
            ),
        ),
        source_sets=(
            SourceSet("sources", "sites", "address", Layout(16, (Member("address", "ip", 0, 16),)), capacity),
        ),
        prefix_sets=(),
        own_addresses="own_addresses",
        counters_size=16 * len(counters),
        counters=tuple(
            Counter(c, i * 16, "chosen" if c == "web" else "passed", f"rule {c}", "egress.rules.web")
            for i, c in enumerate(counters)
        ),
        stacks=(four,),
        rules=(
            RuleSummary(
                "web", "egress", "10.1.0.0/16 -> sites", "egress.rules.web", ("10.1.0.0/16",), "sites", "", "d1"
            ),
        ),
        programs=(Hooked("encap_egress", "tc_egress", "tc"), Hooked("encap_ingress", "tc_ingress", "tc")),
        max_overhead=20,
        toolchain=Toolchain("clang", "22", "pinned", ()),
        inputs=Inputs("spec.yaml", "0", "0" * 64),
    )
