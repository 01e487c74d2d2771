"""What checks say that the corpus cannot show: rows of files, many rules, and the places of findings."""

from __future__ import annotations

import time
from pathlib import Path

from encap_compile.common.diagnostics import Findings
from encap_compile.common.rows import EncodedRows
from encap_compile.common.rows.csv_text import parse_sheet
from encap_compile.common.rows.typed import TypedRows
from encap_compile.compile import checks
from encap_compile.compile.checks.rule_count import INLINE_PREFIXES
from encap_compile.compile.frontend.load import parse_spec
from encap_compile.compile.lower import conditions
from encap_compile.compile.resolved import resolve

BASE = """
apiVersion: encap/v1alpha1
name: s
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink]}
encapsulations:
  ipip: [{ip: {source: host.address, destination: endpoint.address}}]
endpoints:
  sites: {key: destination, fields: {address: ip}, encapsulation: ipip, ROWS}
egress:
  default: pass
  rules:
""".replace("ROWS", "rows: [{destination: 10.0.0.0/8, address: 192.0.2.1}]")


def rows(names: list[str]) -> EncodedRows:
    sheet = parse_sheet("rows.csv", "name\n" + "\n".join(names) + "\n", Findings())
    assert sheet is not None
    return EncodedRows("t", "rows.csv", len(names), b"", b"", 0, 0, names, [""] * len(names), [], TypedRows(sheet))


def test_rows_of_files(tmp_path: Path) -> None:
    (tmp_path / "exits.csv").write_text("name,address\nfra,192.0.2.1\n")
    text = BASE.replace("key: destination, ", "").replace(
        "rows: [{destination: 10.0.0.0/8, address: 192.0.2.1}]", "file: exits.csv, capacity: 5"
    )
    spec = parse_spec((text + "    - {name: a, to: sites/far}\n").encode(), str(tmp_path / "s.yaml"))
    assert not checks.run(spec).all
    findings = Findings()
    checks.run_with_rows(resolve(spec), {"sites": rows(["fra", "ams"])}, findings)
    (found,) = findings.all
    assert (found.code, found.help, found.place.line) == ("E304", "did you mean `fra`?", 13)
    findings = Findings()
    checks.run_with_rows(resolve(spec), {"sites": rows(["far"])}, findings)
    assert not findings.all


def found(rules: str) -> list[tuple[str, int]]:
    spec = parse_spec((BASE + rules).encode(), "s.yaml")
    return [(d.code, d.place.line - 12) for d in checks.run(spec).all]


def test_handing_over_is_no_shadow() -> None:
    assert (
        found(
            "    - {name: a, match: {destination: 10.0.0.0/8}, to: sites, on_miss: next}\n"
            "    - {name: b, match: {destination: 10.0.0.0/8}, action: drop}\n"
        )
        == []
    )


def test_shadows() -> None:
    assert found(
        "    - {name: a, match: {destination: [10.0.0.0/8, '2001:db8::/32'], protocol: [tcp, udp]}, to: sites}\n"
        "    - {name: b, match: {destination: 10.1.0.0/16, protocol: udp}, action: drop}\n"  # within a
        "    - {name: c, match: {destination: 10.1.0.0/16}, action: drop}\n"  # more protocols
        "    - {name: d, match: {destination: [10.2.0.0/16, 11.0.0.0/8], protocol: udp}, action: drop}\n"  # more places
        "    - {name: e, match: {destination: 10.1.0.0/16, dscp: ef}, action: drop}\n"  # within c
        "    - {name: f, match: {protocol: tcp, destination_port: 1-100}, action: drop}\n"
        "    - {name: g, match: {protocol: tcp, destination_port: [80, 90-95], source: 10.9.0.0/16}, action: drop}\n"
        "    - {name: h, match: {protocol: tcp, destination_port: 90-101}, action: drop}\n"
    ) == [("W502", 2), ("W502", 5), ("W502", 7)]


def many(count: int) -> str:
    return "".join(
        f"    - {{name: r{i}, match: {{destination: 10.{i >> 8}.{i & 255}.0/24}}, to: sites}}\n" for i in range(count)
    )


def test_hundreds_of_rules_stay_quick() -> None:
    spec = parse_spec((BASE + many(250)).encode(), "s.yaml")
    start = time.process_time()
    assert not checks.run(spec).all
    assert time.process_time() - start < 0.5


def test_thousands_of_rules_are_refused_quickly() -> None:
    senders = "".join(
        f"    - {{name: p{i}, decapsulate: ipip, from: sites.address, match: {{source: 10.{i >> 8}.{i & 255}.0/24}}}}\n"
        for i in range(3000)
    )
    spec = parse_spec((BASE + many(3000) + "ingress:\n  rules:\n" + senders).encode(), "s.yaml")
    start = time.process_time()
    found = checks.run(spec).all
    assert [(d.code, d.message) for d in found] == [
        ("E520", "3000 egress rules, and 500 is the most"),
        ("E520", "3000 ingress rules, and 500 is the most"),
    ]
    assert time.process_time() - start < 10


def test_near_the_limit_it_says_so() -> None:
    spec = parse_spec((BASE + many(251)).encode(), "s.yaml")
    assert [(d.code, d.message) for d in checks.run(spec).all] == [("W521", "251 egress rules; 500 is the most")]


def test_values_in_rules_count_and_long_lists_are_one() -> None:
    def listed(count: int) -> str:
        rules = ""
        for i in range(480):
            prefixes = ", ".join(f"10.{i >> 4}.{(i & 15) * 16 + n}.0/24" for n in range(count))
            rules += f"    - {{name: r{i}, match: {{destination: [{prefixes}], protocol: tcp}}, to: sites}}\n"
        return rules

    def codes(rules: str) -> list[str]:
        return [d.code for d in checks.run(parse_spec((BASE + rules).encode(), "s.yaml")).all]

    assert codes(listed(8)) == ["E520"]
    assert codes(listed(7)) == ["W521"]
    assert codes(listed(9)) == ["W521"]
    assert INLINE_PREFIXES == conditions.INLINE_PREFIXES


def test_a_pass_over_one_error_reports_the_others() -> None:
    text = BASE.replace("destination: endpoint.address", "destination: endpoint.adress").replace(
        "[host.uplink]", "[host.up]"
    )
    spec = parse_spec(
        (text + "    - {name: a, to: nowhere}\n    - {name: a, match: {dscp: ef}, action: drop}\n").encode(), "s"
    )
    assert sorted(d.code for d in checks.run(spec).errors) == ["E301", "E303", "E307", "E308"]
