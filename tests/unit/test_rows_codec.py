"""Rows to the bytes of maps, by the layouts of the manifest."""

from __future__ import annotations

import struct
import time
from ipaddress import ip_address
from pathlib import Path

from encap_compile.common import manifest
from encap_compile.common.diagnostics import Findings
from encap_compile.common.fnv import fnv1a
from encap_compile.common.manifest import KeyColumn, Layout, Member
from encap_compile.common.rows import read_rows
from encap_compile.common.values import MAPPED

BOTH = ("ipv4", "ipv6")
STACKS = (manifest.Stack(3, "vxlan_ipv4", "vxlan", "ipv4", 50), manifest.Stack(4, "vxlan_ipv6", "vxlan", "ipv6", 70))


def table(
    columns: tuple[KeyColumn, ...] = (),
    fields: dict[str, str] | None = None,
    key: tuple[Member, ...] = (),
    value: tuple[Member, ...] = (),
    **more: object,
) -> manifest.Table:
    def layout(members: tuple[Member, ...]) -> Layout:
        return Layout(max((m.offset + m.size for m in members), default=0), members)

    given: dict[str, object] = {
        "name": "sites",
        "map": "sites",
        "kind": "hash",
        "capacity": 1000,
        "columns": columns,
        "fields": fields or {},
        "encapsulations": ("vxlan",),
        "family_field": "",
        "stacks": (),
        "key": layout(key),
        "value": layout(value),
        "file": "sites.csv",
    }
    return manifest.Table(**{**given, **more})  # type: ignore[arg-type]


def encode(table: manifest.Table, text: str, tmp_path: Path):  # type: ignore[no-untyped-def]
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    findings = Findings()
    rows = read_rows(table, str(path), findings)
    assert not findings.all, findings.all
    return rows


def test_every_type(tmp_path: Path) -> None:
    fields = {
        "i": "ip",
        "f": "ipv4",
        "s": "ipv6",
        "m": "mac",
        "b": "u8",
        "h": "u16",
        "t": "u24",
        "w": "u32",
        "p": "port",
        "q": "port",
        "d": "dscp",
    }
    value = (
        Member("i", "ip", 0, 16),
        Member("f", "ipv4", 16, 4),
        Member("s", "ipv6", 20, 16),
        Member("m", "mac", 36, 6),
        Member("b", "u8", 42, 1),
        Member("d", "u8", 43, 1),
        Member("h", "u16", 44, 2),
        Member("p", "be16", 46, 2),
        Member("t", "u32", 48, 4),
        Member("w", "u32", 52, 4),
        Member("q", "u16", 56, 2),
        Member("end", "pad", 58, 6),
    )
    rows = encode(
        table(fields=fields, key=(Member("row", "rowid", 0, 4),), value=value),
        "name,i,f,s,m,b,h,t,w,p,q,d\nx,192.0.2.1,192.0.2.2,2001:db8::3,02:00:00:00:00:04,5,6,0x7,8,9,10,ef\n",
        tmp_path,
    )
    expected = (
        MAPPED
        + ip_address("192.0.2.1").packed
        + ip_address("192.0.2.2").packed
        + ip_address("2001:db8::3").packed
        + bytes.fromhex("020000000004")
        + struct.pack("=BBH", 5, 46, 6)
        + struct.pack(">H", 9)
        + struct.pack("=IIH", 7, 8, 10)
        + bytes(6)
    )
    assert rows.values == expected
    assert rows.keys == struct.pack("=I", fnv1a("x"))
    assert rows.field("i") == [MAPPED + ip_address("192.0.2.1").packed]
    assert rows.field("b") == [b"\5"] and rows.field("t") == [struct.pack("=I", 7)]


def test_fnv_1a() -> None:
    """The vectors of draft-eastlake-fnv, section 6."""
    assert fnv1a("") == 0x811C9DC5 and fnv1a("a") == 0xE40C292C and fnv1a("foobar") == 0xBF9CF968


def test_longest_prefix_keys(tmp_path: Path) -> None:
    columns = (KeyColumn("destination", "prefix", BOTH), KeyColumn("mark", "u32"))
    key = (
        Member("prefixlen", "prefixlen", 0, 4),
        Member("mark", "u32", 4, 4),
        Member("destination", "ip", 8, 16),
    )
    rows = encode(
        table(columns, {"b": "u8"}, key, (Member("b", "u8", 0, 1),), kind="lpm"),
        "mark,destination,b\n7,10.1.0.0/16,1\n8,2001:db8::/32,2\n9,10.1.2.3,3\n10,0.0.0.0/0,4\n",
        tmp_path,
    )
    size = rows.key_size
    assert [struct.unpack_from("=II", rows.keys, i * size) for i in range(4)] == [
        (32 + 96 + 16, 7),
        (32 + 32, 8),
        (32 + 128, 9),
        (32 + 96, 10),
    ]
    assert rows.keys[8:24] == MAPPED + ip_address("10.1.0.0").packed
    assert rows.describe(1) == "destination=2001:db8::/32 mark=8"


def test_prefix_of_one_family_is_not_mapped(tmp_path: Path) -> None:
    columns = (KeyColumn("destination", "prefix", ("ipv4",)),)
    key = (Member("prefixlen", "prefixlen", 0, 4), Member("destination", "ipv4", 4, 4))
    rows = encode(
        table(columns, {"b": "u8"}, key, (Member("b", "u8", 0, 1),), kind="lpm"),
        "destination,b\n10.1.0.0/16,1\n",
        tmp_path,
    )
    assert rows.keys == struct.pack("=I", 16) + bytes([10, 1, 0, 0])


def test_stack_by_family_and_encapsulation(tmp_path: Path) -> None:
    fields, value = {"address": "ip"}, (Member("stack", "stack", 0, 4), Member("address", "ip", 4, 16))
    one = table(fields=fields, key=(Member("row", "rowid", 0, 4),), value=value, family_field="address", stacks=STACKS)
    rows = encode(one, "name,address\na,192.0.2.1\nb,2001:db8::1\n", tmp_path)
    assert [rows.values[i * 20] for i in range(2)] == [3, 4]
    more = (*STACKS, manifest.Stack(9, "gre_ipv6", "gre", "ipv6", 44))
    two = table(
        fields=fields,
        key=(Member("row", "rowid", 0, 4),),
        value=value,
        family_field="address",
        stacks=more,
        encapsulations=("vxlan", "gre"),
    )
    rows = encode(
        two, "name,encapsulation,address\na,gre,2001:db8::1\nb,vxlan,2001:db8::1\nc,gre,192.0.2.1\n", tmp_path
    )
    assert [rows.values[i * 20] for i in range(3)] == [9, 4, 9]  # of gre there is one form
    assert list(rows.encapsulations) == ["gre", "vxlan", "gre"]


def test_fields_that_a_row_does_not_need(tmp_path: Path) -> None:
    t = table(
        fields={"address": "ipv4", "key": "u32"},
        key=(Member("row", "rowid", 0, 4),),
        value=(Member("address", "ipv4", 0, 4), Member("key", "u32", 4, 4)),
        encapsulations=("gre", "ipip"),
        needs={"gre": ("address", "key"), "ipip": ("address",)},
    )
    rows = encode(t, "name,encapsulation,address,key\na,ipip,192.0.2.1,\nb,gre,192.0.2.2,7\n", tmp_path)
    assert rows.values[4:8] == bytes(4) and rows.values[12:] == struct.pack("=I", 7)
    assert rows.field("key") == [struct.pack("=I", 7)]
    rows = encode(t, "name,encapsulation,address\na,ipip,192.0.2.1\n", tmp_path)
    assert rows.values == bytes([192, 0, 2, 1, 0, 0, 0, 0])


def test_received_key_and_no_rows(tmp_path: Path) -> None:
    t = table(
        (KeyColumn("received.vxlan.vni", "u24"),),
        {"mark": "u32"},
        (Member("vni", "u32", 0, 4),),
        (Member("mark", "u32", 0, 4),),
        encapsulations=(),
    )
    rows = encode(t, "received.vxlan.vni,mark\n42,0x7\n", tmp_path)
    assert (rows.keys, rows.values) == (struct.pack("=I", 42), struct.pack("=I", 7))
    rows = encode(t, "mark,received.vxlan.vni\n", tmp_path)
    assert (rows.count, rows.keys, rows.values, rows.names) == (0, b"", b"", [])


def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    columns = (KeyColumn("destination", "prefix", BOTH),)
    t = table(
        columns,
        {"address": "ip", "mac": "mac", "vni": "u24"},
        (Member("prefixlen", "prefixlen", 0, 4), Member("destination", "ip", 4, 16)),
        (
            Member("address", "ip", 0, 16),
            Member("mac", "mac", 16, 6),
            Member("p", "pad", 22, 2),
            Member("vni", "u32", 24, 4),
            Member("stack", "stack", 28, 4),
        ),
        kind="lpm",
        capacity=100000,
        family_field="address",
        stacks=STACKS,
    )
    lines = ["name,destination,address,mac,vni"]
    for i in range(100000):
        a, b, c = i >> 16, i >> 8 & 255, i & 255
        outer = f"2001:db8::{a + 1:x}:{i & 0xFFFF:x}" if i % 7 == 0 else f"198.{a}.{b}.{c}"
        lines.append(f"site-{i},10.{a}.{b}.{c}/32,{outer},02:00:00:{a:02x}:{b:02x}:{c:02x},{i}")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    findings = Findings()
    start = time.process_time()
    rows = read_rows(t, str(tmp_path / "rows.csv"), findings)
    took = time.process_time() - start
    assert not findings.all and rows.count == 100000 and len(rows.keys) == 100000 * 20
    assert took < 2, took  # about 0.3 s on a current machine; this catches a return to work per cell
