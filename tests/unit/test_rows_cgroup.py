"""Rows that are found by a cgroup: the path is checked where it is written, and the number is left to the loader."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tests.unit.test_rows_codec import encode, table

from encap_compile.common.codes import CODES
from encap_compile.common.diagnostics import Findings
from encap_compile.common.manifest import KeyColumn, Member
from encap_compile.common.rows import EncodedRows, read_rows
from encap_compile.common.values import DEEPEST_CGROUP, ValueProblem, cgroup

CGROUP = KeyColumn("cgroup", "cgroup")
BY_CGROUP = table(columns=(CGROUP,), fields={"a": "ipv4"}, key=(Member("cgroup", "cgroup", 0, 8),))


def read(text: str, tmp_path: Path) -> tuple[EncodedRows, list[tuple[str, int, int]]]:
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    findings = Findings()
    rows = read_rows(BY_CGROUP, str(path), findings)
    return rows, [(d.code, d.place.line, d.place.column) for d in findings.all]


def test_each_distinct_path_has_a_number_of_its_own(tmp_path: Path) -> None:
    keyed = table(
        columns=(CGROUP, KeyColumn("mark", "u32")),
        key=(Member("cgroup", "cgroup", 0, 8), Member("mark", "u32", 8, 4), Member("pad", "pad", 12, 4)),
    )
    rows = encode(keyed, "mark,cgroup\n7,b.slice\n7,a.slice/x\n8,b.slice\n", tmp_path)
    assert rows.cgroups == ["b.slice", "a.slice/x", "b.slice"]
    assert rows.keys == struct.pack("=QIxxxx", 0, 7) + struct.pack("=QIxxxx", 1, 7) + struct.pack("=QIxxxx", 0, 8)
    assert rows.describe(1) == "cgroup=a.slice/x mark=7"


def test_a_table_without_cgroups_has_none(tmp_path: Path) -> None:
    by_mark = table(columns=(KeyColumn("mark", "u32"),), key=(Member("mark", "u32", 0, 4),))
    assert encode(by_mark, "mark\n7\n", tmp_path).cgroups == []


@pytest.mark.parametrize(
    "path", ["a", "a.slice", "system.slice/nginx.service", "user@1000.service", "größe", "a/" * 7 + "a"]
)
def test_paths(path: str, tmp_path: Path) -> None:
    rows, found = read(f"cgroup,a\n{path},192.0.2.1\n", tmp_path)
    assert (rows.cgroups, found) == ([path], [])


@pytest.mark.parametrize(
    "path", ["/a", "a/", "a//b", "..", "a/../b", "./a", "a/./b", "a" * 256, "a/" * 8 + "a", "a\tb/c"]
)
def test_what_is_no_path(path: str, tmp_path: Path) -> None:
    rows, found = read(f"a,cgroup\n192.0.2.1,ok\n192.0.2.1,{path}\n", tmp_path)
    assert (rows.count, found) == (0, [("E630", 3, 11)])
    assert "E630" in CODES


def test_as_deep_as_programs_look() -> None:
    header = (Path(__file__).parents[2] / "templates/bpf/include/encap_cgroups.h").read_text()
    assert f"#define CGROUP_DEPTH {DEEPEST_CGROUP} " in header


def test_an_empty_cell_is_not_the_attached_cgroup(tmp_path: Path) -> None:
    assert read('cgroup,a\n"",192.0.2.1\n', tmp_path)[1][0][0] == "E614"


def test_a_second_row_for_one_path(tmp_path: Path) -> None:
    assert read("cgroup,a\nx,192.0.2.1\ny,192.0.2.1\nx,192.0.2.2\n", tmp_path)[1] == [("E607", 4, 1)]


def test_the_words() -> None:
    with pytest.raises(ValueProblem, match="`/a` is not below the attached cgroup") as caught:
        cgroup("/a")
    assert "leave out the first `/`" in caught.value.help
