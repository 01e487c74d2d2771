"""Addresses that cannot be a tunnel endpoint or the receiver of a frame: only where they are used so."""

from __future__ import annotations

import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.common.rows.destinations import outer, receiver
from encap_compile.common.values import MAPPED
from encap_compile.compile.pipeline import check_spec

SPEC = """
apiVersion: encap/v1alpha1
name: s
host: {uplink: device, vtep: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink]}
encapsulations: {ENCAPSULATIONS}
endpoints:
  sites: {TABLE}
egress:
  default: pass
  rules: [{name: a, to: sites}]
"""
VXLAN = """
  vxlan:
    - HEADER: {source: host.vtep, destination: endpoint.address}
    - udp: {source_port: flow, checksum: zero}
    - vxlan: {vni: 7}
    - ethernet: {source: host.uplink.mac, destination: endpoint.mac}
"""
FIXED = """
  fixed:
    - ipv4: {source: host.vtep, destination: 192.0.2.9}
"""


def found(tmp_path: Path, encapsulations: str, table: str) -> list[tuple[str, int, int]]:
    path = tmp_path / "s.yaml"
    path.write_text(SPEC.replace("{ENCAPSULATIONS}", encapsulations).replace("{TABLE}", table))
    try:
        everything = check_spec(str(path))[3].all
    except DiagnosedError as error:
        everything = list(error.diagnostics)
    return [(d.code, d.place.line, d.place.column) for d in everything if d.code not in ("W315", "W313", "W312")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("126.255.255.255", ""),
        ("127.0.0.0", "E418"),
        ("127.255.255.255", "E418"),
        ("128.0.0.1", ""),
        ("169.253.0.1", ""),
        ("169.254.0.1", "W427"),
        ("169.255.0.1", ""),
        ("223.255.255.255", ""),
        ("224.0.0.0", "E420"),
        ("239.255.255.255", "E420"),
        ("240.0.0.1", ""),  # reserved, and used inside of large networks
        ("::1", "E418"),
        ("::2", ""),
        ("fe7f::1", ""),
        ("fe80::1", "W427"),
        ("febf:ffff::1", "W427"),
        ("fec0::1", ""),
        ("feff::1", ""),
        ("ff00::", "E420"),
        ("ff0e::1", "E420"),
        ("2001:db8::127:7f00", ""),
        ("2001:db8:0:0:0:0:e000:1", ""),
    ],
)
def test_outer(text: str, code: str) -> None:
    packed = ip_address(text).packed
    forms = [packed, MAPPED + packed] if len(packed) == 4 else [packed]
    for form in forms:
        problem = outer(form)
        assert (problem.code if problem else "") == code
        assert problem is None or text in problem.message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("02:00:00:00:00:01", ""),
        ("00:00:00:00:00:01", ""),
        ("fe:ff:ff:ff:ff:ff", ""),
        ("00:00:00:00:00:00", "E421"),
        ("01:00:00:00:00:00", "W426"),
        ("ff:ff:ff:ff:ff:ff", "W426"),
    ],
)
def test_receiver(text: str, code: str) -> None:
    problem = receiver(bytes.fromhex(text.replace(":", "")))
    assert (problem.code if problem else "") == code


@pytest.mark.parametrize("header", ["ip", "ipv4", "ipv6"])
def test_rows_in_the_spec_and_in_files(tmp_path: Path, header: str) -> None:
    bad = {"ip": "224.0.0.9", "ipv4": "224.0.0.9", "ipv6": "ff02::9"}[header]
    fields = f"fields: {{address: {header}, mac: mac}}, encapsulation: vxlan"
    inline = f'{{name: a, address: "{bad}", mac: "00:00:00:00:00:00"}}'
    stack = VXLAN.replace("HEADER", header)
    codes = [("E420", 14), ("E421", 14)]
    spec = found(tmp_path, stack, f"{{key: mark, {fields}, rows: [{inline.replace('name: a', 'mark: 1')}]}}")
    assert [(code, line) for code, line, _ in spec] == codes
    (tmp_path / "r.csv").write_text(f"mark,address,mac\n1,{bad},00:00:00:00:00:00\n")
    in_file = found(tmp_path, stack, f"{{key: mark, {fields}, file: r.csv, capacity: 9}}")
    assert in_file == [("E420", 2, 3), ("E421", 2, 4 + len(bad))]


@pytest.mark.parametrize("kind", ["ip", "own"])
@pytest.mark.parametrize("bad", ["127.0.0.1", "224.0.0.1", "239.0.0.1", "169.254.9.9", "::1", "ff02::1", "fe80::1"])
def test_one_among_good_ones(tmp_path: Path, bad: str, kind: str) -> None:
    header = kind if kind == "ip" else "ipv6" if ":" in bad else "ipv4"
    good = {"ip": ["192.0.2.1", "2001:db8::1"], "ipv4": ["192.0.2.1"], "ipv6": ["2001:db8::1"]}[header] * 50
    good.insert(70 if header == "ip" else 20, bad)
    lines = [f"{i},{address},02:00:00:00:00:01\n" for i, address in enumerate(good)]
    (tmp_path / "r.csv").write_text("mark,address,mac\n" + "".join(lines))
    table = f"{{key: mark, fields: {{address: {header}, mac: mac}}, encapsulation: vxlan, file: r.csv, capacity: 200}}"
    ((code, line, _),) = found(tmp_path, VXLAN.replace("HEADER", header), table)
    problem = outer(ip_address(bad).packed)
    assert problem is not None
    assert (code, line) == (problem.code, good.index(bad) + 2)


@pytest.mark.parametrize("bad", ["00:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff"])
def test_one_receiver_among_good_ones(tmp_path: Path, bad: str) -> None:
    good = [f"00:00:00:00:00:{i:02x}" for i in range(1, 50)] + [bad]
    (tmp_path / "r.csv").write_text(
        "mark,address,mac\n" + "".join(f"{i},192.0.2.1,{mac}\n" for i, mac in enumerate(good))
    )
    table = "{key: mark, fields: {address: ip, mac: mac}, encapsulation: vxlan, file: r.csv, capacity: 200}"
    ((_, line, _),) = found(tmp_path, VXLAN.replace("HEADER", "ip"), table)
    assert line == 51


def test_a_field_that_no_header_takes_is_free(tmp_path: Path) -> None:
    row = '{mark: 1, address: 192.0.2.1, group: 239.1.1.1, mac: "02:00:00:00:00:01", cast: "ff:ff:ff:ff:ff:ff"}'
    fields = "fields: {address: ip, group: ip, mac: mac, cast: mac}"
    table = f"{{key: mark, {fields}, encapsulation: vxlan, rows: [{row}]}}"
    assert found(tmp_path, VXLAN.replace("HEADER", "ip"), table) == []


def test_a_row_of_an_encapsulation_that_does_not_take_it_is_free(tmp_path: Path) -> None:
    rows = (
        '[{mark: 1, encapsulation: fixed, address: 239.1.1.1, mac: "00:00:00:00:00:00"}, '
        '{mark: 2, encapsulation: fixed}, {mark: 3, encapsulation: vxlan, address: 192.0.2.1, mac: "02:00:00:00:00:01"}'
    )
    start = "{key: mark, fields: {address: ip, mac: mac}, encapsulation: [vxlan, fixed], rows: "
    stacks = VXLAN.replace("HEADER", "ip") + FIXED
    assert found(tmp_path, stacks, f"{start}{rows}]}}") == []
    wrong = ', {mark: 4, encapsulation: vxlan, address: 239.1.1.1, mac: "02:00:00:00:00:01"}'
    assert [code for code, _, _ in found(tmp_path, stacks, f"{start}{rows}{wrong}]}}")] == ["E420"]


def test_many_rows(tmp_path: Path) -> None:
    lines = [f"{i},192.0.{i >> 8 & 255}.{i & 255},02:00:00:00:{i >> 8 & 255:02x}:{i & 255:02x}" for i in range(60_000)]
    table = "{key: mark, fields: {address: ip, mac: mac}, encapsulation: vxlan, file: r.csv, capacity: 60000}"
    stack = VXLAN.replace("HEADER", "ip")

    def validated(rows: list[str]) -> tuple[list[tuple[str, int, int]], float]:
        (tmp_path / "r.csv").write_text("mark,address,mac\n" + "\n".join(rows) + "\n")
        start = time.process_time()
        return found(tmp_path, stack, table), time.process_time() - start

    none, usual = validated(lines)
    assert none == []
    groups, slow = validated([line.replace(",192.", ",225.").replace(",02:", ",03:") for line in lines])
    assert sorted(code for code, _, _ in groups) == ["E420"] * 50 + ["E650", "W426"]
    assert slow < usual + 5
