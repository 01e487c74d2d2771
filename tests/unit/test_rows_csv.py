"""The CSV dialect, places of cells, and rows of the spec as CSV."""

from __future__ import annotations

from pathlib import Path

import pytest

from encap_compile.common.diagnostics import Findings, Place
from encap_compile.common.rows import read_prefixes
from encap_compile.common.rows.csv_text import parse_sheet, read_text
from encap_compile.compile import spec
from encap_compile.compile.frontend.load import parse_spec
from encap_compile.compile.inline_rows import inline_sheet, rows_to_csv
from encap_compile.compile.resolved.keys import key_columns, needed_fields


def sheet(text: str):  # type: ignore[no-untyped-def]
    findings = Findings()
    found = parse_sheet("f.csv", text, findings)
    assert found is not None and not findings.all, findings.all
    return found


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\n1,2\n3,4",
        "# comment\n\na,b\n1,2\n   \n  # more\n3,4\n\n",
        " a , b \n1, 2\n3 ,4\n",
        '"a","b"\n"1",2\n3,"4"\n',
        'a,b\n "1" , 2\n3,4\n',
    ],
)
def test_dialect(text: str) -> None:
    found = sheet(text)
    assert found.columns == ("a", "b")
    assert [list(c) for c in found.cells] == [["1", "3"], ["2", "4"]]


def test_quotes() -> None:
    found = sheet('a,b\n"x, ""y""",""\n"#z", \n')
    assert [list(c) for c in found.cells] == [['x, "y"', "#z"], ["", ""]]


@pytest.mark.parametrize("line", ['"1,2', '1"x",2', '"1"x,2', '"1" "2",3', 'a"b,2'])
def test_quotes_that_do_not_pair(line: str) -> None:
    findings = Findings()
    assert parse_sheet("f.csv", f"a,b\n{line}\n", findings) is None
    assert [d.code for d in findings.all] == ["E602"] and findings.all[0].place.line == 2


def test_places() -> None:
    found = sheet('# c\na, b\n\n 10.0.0.0/8 ,"x,y"\n')
    assert found.lines == [4]
    assert found.place(0, 0) == Place("f.csv", 4, 2, 12)
    assert found.place(0, 1) == Place("f.csv", 4, 14, 19)
    assert found.place(-1, 1) == Place("f.csv", 2, 4, 5)
    assert found.place(0, -1) == Place("f.csv", 4, 1, 19)


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfa,b\r\n1,2\r\n", b"a,b\r1,2\r", b"a,b\n1,2\n"])
def test_byte_order_mark_and_line_ends(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(data)
    assert read_text(str(tmp_path / "f"), Findings()) == "a,b\n1,2\n"


@pytest.mark.parametrize("data", [b"a\n\xff", b"a\0b", None])
def test_unreadable(data: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.mkdir() if data is None else path.write_bytes(data)
    findings = Findings()
    assert read_text(str(path), findings) is None
    assert [d.code for d in findings.all] == ["E601"]


SPEC = """
apiVersion: encap/v1alpha1
name: s
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink]}
encapsulations:
  gre: [{ip: {source: host.address, destination: endpoint.address}}, {gre: {key: endpoint.key}}]
  ipip: [{ip: {source: host.address, destination: endpoint.address}}]
endpoints:
  exits:
    key: [source, mark, destination]
    fields: {address: ip, key: u32, note: u8}
    encapsulation: [gre, ipip]
    shape: {prefix_lengths: [32, 24]}
    rows:
      - {source: 10.0.0.1, mark: 7, destination: 10.0.0.0/24, address: 192.0.2.1, encapsulation: ipip}
      - {name: "a, b", destination: 10.0.1.0/24, source: 10.0.0.1, mark: 0x8, address: "2001:db8::1",
         encapsulation: gre, key: 3}
egress: {rules: [{name: all, to: exits}], default: pass}
"""


def exits() -> tuple[spec.Spec, spec.Table]:
    found = parse_spec(SPEC.encode(), "s.yaml")
    return found, found.endpoints["exits"]


def test_inline_rows_as_csv() -> None:
    _, table = exits()
    text = rows_to_csv(table)
    assert text == (
        "name,encapsulation,source,mark,destination,address,key,note\n"
        ",ipip,10.0.0.1,7,10.0.0.0/24,192.0.2.1,,\n"
        '"a, b",gre,10.0.0.1,8,10.0.1.0/24,2001:db8::1,3,\n'
    )
    again, inline = sheet(text), inline_sheet(table)
    assert again.columns == inline.columns
    assert [list(c) for c in again.cells] == [list(c) for c in inline.cells]


def test_key_columns_and_needs() -> None:
    found, table = exits()
    columns = key_columns(found, table)
    assert [(c.name, c.type, c.prefix_lengths) for c in columns] == [
        ("source", "address", ()),
        ("mark", "u32", ()),
        ("destination", "prefix", (24, 32)),
    ]
    assert needed_fields(found, table) == {"gre": ("address", "key"), "ipip": ("address",)}


def test_prefix_lists(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    path.write_text("# list\n 10.0.0.0/8 # ten\n\n2001:db8::1\n")
    findings = Findings()
    assert [str(p) for p in read_prefixes(str(path), findings)] == ["10.0.0.0/8", "2001:db8::1/128"]
    assert not findings.all
