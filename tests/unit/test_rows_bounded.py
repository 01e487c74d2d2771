"""Rows that are wrong, or too many, cost little: a file is read and explained only as far as that helps."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from encap_compile.common.diagnostics import DiagnosedError, Diagnostic
from encap_compile.common.rows.csv_text import BEYOND
from encap_compile.compile.pipeline import check_spec

SPEC = """
apiVersion: encap/v1alpha1
name: big
kernel: "5.10"
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink]}
encapsulations: {e: [{ip: {source: host.address, destination: endpoint.address}}]}
endpoints: {sites: {key: destination, fields: {address: ip}, encapsulation: e, file: sites.csv, capacity: CAPACITY}}
egress: {rules: [{name: sites, match: {destination: 10.0.0.0/8}, to: sites}], default: pass}
"""


def judged(folder: Path, rows: str, capacity: int) -> list[Diagnostic]:
    (folder / "big.yaml").write_text(SPEC.replace("CAPACITY", str(capacity)))
    (folder / "sites.csv").write_text("destination,address\n" + rows)
    try:
        return check_spec(str(folder / "big.yaml"))[3].all
    except DiagnosedError as error:
        return list(error.diagnostics)


def prefix(i: int) -> str:
    return f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}/32,192.0.2.1\n"


def test_a_few_rows_too_many_are_counted(tmp_path: Path) -> None:
    (found,) = judged(tmp_path, "".join(map(prefix, range(1005))), 1000)
    assert (found.code, found.message) == ("E610", "table sites has 1005 rows, and 1000 is the most")


def test_a_file_is_read_no_further_than_its_table_can_hold(tmp_path: Path) -> None:
    (found,) = judged(tmp_path, "".join(map(prefix, range(1_000_000))), 1000)
    assert found.code == "E610" and "has more than" in found.message
    read = int(found.message.partition("more than ")[2].partition(" ")[0])
    assert BEYOND < read < 300_000


def test_comments_and_empty_lines_are_no_rows(tmp_path: Path) -> None:
    assert judged(tmp_path, "# nothing\n\n" * (BEYOND + 10) + prefix(1), 1000) == []


@pytest.mark.parametrize("row", ["10.0.0.1/32,192.0.2.1\n", "10.0.0.1/32,192.0.2.x\n", "10.0.0.1/32,\n"])
def test_mistakes_in_every_row_take_no_longer_than_reading(tmp_path: Path, row: str) -> None:
    count = 200_000
    began = time.process_time()
    assert judged(tmp_path, "".join(map(prefix, range(count))), count) == []
    right = time.process_time() - began
    began = time.process_time()
    found = judged(tmp_path, row * count, count)
    assert found[-1].message.endswith("more errors in these rows") and len(found) == 51
    assert time.process_time() - began < 3 * right


def test_a_line_without_an_end(tmp_path: Path) -> None:
    (found,) = judged(tmp_path, "10.0.0.1/32," + "1" * (9 << 20), 1000)
    assert (found.code, found.message) == ("E601", "a line is longer than 4 MiB")
