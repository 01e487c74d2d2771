"""Counters have names of their own, whatever rules are called, and keep what the first release counted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.metrics import Samples, samples

from encap_compile.common import manifest_io
from encap_compile.common.manifest import Counter, Manifest
from encap_compile.compile import ir
from encap_compile.compile.lower.counter_layout import LIBRARY
from encap_compile.compile.lower.counters import NO_ROW, counter_name
from encap_compile.compile.pipeline import check_spec
from encap_compile.compile.render.templates import TEMPLATES
from encap_compile.run.loader.counters import renamed, total
from encap_compile.run.status import Status
from encap_compile.run.views.prometheus import prometheus

BUILT = Path(__file__).resolve().parents[2] / "build"

SPEC = """
apiVersion: encap/v1alpha1
name: counting
kernel: "5.10"
host: {uplink: device, vtep: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink]}
encapsulations:
  gre: [{ip: {source: host.vtep, destination: endpoint.to}}, {gre: {key: 7}}]
  gre_gre: [{ip: {source: host.vtep, destination: endpoint.to}}, {gre: {key: 8}}]
endpoints:
  sites:
    key: destination
    fields: {to: ip}
    encapsulation: [gre, gre_gre]
    rows: [{destination: 10.0.0.0/8, to: 192.0.2.1, encapsulation: gre}]
egress:
  rules:
    - {name: NAMES, match: {destination: 10.0.0.0/16}, to: sites}
    - {name: sites, match: {destination: 10.0.0.0/8}, to: sites}
  default: pass
ingress:
  rules:
    - {name: peers, decapsulate: gre, from: any}
"""


def counters(tmp_path: Path, rule: str) -> dict[str, Counter]:
    path = tmp_path / "counting.yaml"
    path.write_text(SPEC.replace("NAMES", rule))
    found = check_spec(str(path))[1].manifest.counters
    assert len({c.name for c in found}) == len(found)
    return {c.name: c for c in found}


@pytest.mark.parametrize("rule", ["too_big", "too-big", "default", "sites_no_row", "miss_sites", "rule_x", "other"])
def test_a_rule_shares_its_counter_with_nothing(tmp_path: Path, rule: str) -> None:
    usual, found = counters(tmp_path, "usual"), counters(tmp_path, rule)
    assert len(found) == len(usual)
    name = rule.replace("-", "_")
    assert found[f"egress_rule_{name}"].text == f"rule {rule}: encapsulated"
    assert found[f"egress_miss_{name}"].text.startswith(f"rule {rule}: no row in sites")
    assert {n: c.text for n, c in found.items() if c.name in usual} == {
        n: c.text for n, c in usual.items() if not n.endswith("_usual")
    }


@pytest.mark.parametrize("struct", LIBRARY)
def test_structs_of_the_library_are_as_the_header_has_them(struct: str) -> None:
    """The loader finds a counter by its offset, which lowering works out from the order of the members."""
    header = (TEMPLATES / "include" / "encap_counters.h").read_text(encoding="utf-8")
    found = re.search(rf"^struct {struct} {{(.*?)^}};", header, re.MULTILINE | re.DOTALL)
    assert found
    assert tuple(re.findall(r"^\tstruct counter (\w+);", found[1], re.MULTILINE)) == LIBRARY[struct]


def test_the_names_of_the_first_release(tmp_path: Path) -> None:
    """The table: what it called a counter, and what that is called now."""
    formerly = {c.formerly: c.name for c in counters(tmp_path, "far-sites").values() if c.formerly}
    assert formerly == {
        "egress_far_sites": "egress_rule_far_sites",
        "egress_far_sites_no_row": "egress_miss_far_sites",
        "egress_sites": "egress_rule_sites",
        "egress_sites_no_row": "egress_miss_sites",
        "egress_no_room": "egress_no_headroom",
        "ingress_peers": "ingress_rule_peers",
        "refused_gre_truncated": "refused_gre__truncated",
        "refused_gre_options": "refused_gre__options",
        "refused_gre_fragment": "refused_gre__fragment",
        "refused_gre_flags": "refused_gre__gre_flags",
        "refused_gre_key": "refused_gre__gre_key",
        "refused_gre_header_checksum": "refused_gre__header_checksum",
        "refused_gre_length": "refused_gre__length",
        "refused_gre_payload": "refused_gre__payload",
        "refused_gre_ecn": "refused_gre__ecn",
        "refused_gre_gso": "refused_gre__gso",
        "refused_gre_room": "refused_gre__pull_failed",
        "refused_gre_version": "refused_gre__version",
    }


def test_the_names_of_the_release_before(tmp_path: Path) -> None:
    """Its last builds have other names than its first one."""
    found = counters(tmp_path, "far-sites")
    assert {c.was: c.name for c in found.values() if c.was} == {("refused_gre__room",): "refused_gre__pull_failed"}
    totals = {"refused_gre__room": (5, 500), "refused_gre_room": (2, 200), "refused_gre__pull_failed": (1, 100)}
    assert total(totals, found["refused_gre__pull_failed"]) == (8, 800)
    assert total({"egress_no_room": (3, 300)}, found["egress_no_headroom"]) == (3, 300)


def test_what_was_counted_by_the_old_name_is_counted_still(tmp_path: Path) -> None:
    found = counters(tmp_path, "far-sites")
    totals = {"egress_sites": (5, 500), "egress_rule_sites": (2, 200), "egress_too_big": (1, 100)}
    assert total(totals, found["egress_rule_sites"]) == (7, 700)
    assert total(totals, found["egress_too_big"]) == (1, 100)
    assert total(totals, found["egress_miss_sites"]) == (0, 0)


def test_a_name_that_two_had_is_the_firsts(tmp_path: Path) -> None:
    """In the first release they counted together, and nothing says what was whose."""
    found = counters(tmp_path, "sites_no_row")
    assert found["egress_rule_sites_no_row"].formerly == "egress_sites_no_row"
    assert found["egress_miss_sites"].formerly == ""
    found = counters(tmp_path, "too_big")
    assert (found["egress_rule_too_big"].formerly, found["egress_too_big"].formerly) == ("", "")


def test_a_counter_says_its_parts(tmp_path: Path) -> None:
    found = counters(tmp_path, "far-sites")

    def parts(name: str) -> tuple[str, ...]:
        c = found[name]
        return c.direction, c.rule, c.table, c.encapsulation, c.outcome, c.reason

    assert parts("egress_rule_far_sites") == ("egress", "far-sites", "sites", "", "encapsulated", "")
    assert parts("egress_miss_far_sites") == ("egress", "far-sites", "sites", "", "dropped", "no_row")
    assert parts("egress_default") == ("egress", "", "", "", "passed", "default")
    assert parts("egress_too_big") == ("egress", "", "", "", "dropped", "too_big")
    assert parts("egress_mss_kept") == ("egress", "", "", "", "noted", "mss_kept")
    assert parts("ingress_rule_peers") == ("ingress", "peers", "", "gre", "decapsulated", "")
    assert parts("refused_gre__gre_key") == ("ingress", "", "", "gre", "dropped", "gre_key")


RULES = st.from_regex(r"\A[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
REASONS = st.sampled_from(["", NO_ROW, "default", "too_big", "gre_key", "gre_options_missing", "mss_kept", "source"])
PARTS = st.builds(
    ir.Counted,
    direction=st.sampled_from(ir.Direction),
    outcome=st.just(ir.Outcome.DROPPED),
    rule=RULES,
    table=st.just(""),  # a rule says it, as its encapsulation
    encapsulation=st.just(""),
    reason=st.sampled_from(["", NO_ROW]),
)
OTHERS = st.builds(
    ir.Counted,
    direction=st.sampled_from([ir.Direction.EGRESS, ir.Direction.INGRESS]),
    outcome=st.just(ir.Outcome.DROPPED),
    rule=st.just(""),
    table=st.just(""),
    encapsulation=st.one_of(st.just(""), RULES),
    reason=REASONS,
)


def of_a_program(counts: ir.Counted) -> bool:
    """What lowering makes: rules miss as packets leave, encapsulations are refused as they come in."""
    if counts.rule:
        return counts.direction == ir.Direction.EGRESS or (counts.direction != ir.Direction.FLOWS and not counts.reason)
    return bool(counts.reason) and bool(counts.encapsulation) <= (counts.direction == ir.Direction.INGRESS)


@settings(suppress_health_check=[HealthCheck.too_slow])  # on a busy machine drawing takes its time
@given(st.sets(st.one_of(PARTS, OTHERS).filter(of_a_program), min_size=2, max_size=12))
def test_other_parts_are_another_name(found: set[ir.Counted]) -> None:
    assert len({counter_name(counts) for counts in found}) == len(found)


def exposed(manifest: Manifest) -> Samples:
    totals = {c.name: (n + 1, 10 * (n + 1)) for n, c in enumerate(manifest.counters)}
    return samples(prometheus(Status(manifest.name, manifest, None, (), {}, (), totals)))


@pytest.mark.parametrize("name", sorted(p.name for p in BUILT.iterdir()))
def test_each_counter_is_one_series_of_packets_and_one_of_bytes(name: str) -> None:
    """As Prometheus reads it: two samples of one name and labels would be refused (`samples` does)."""
    manifest = manifest_io.load(BUILT / name / "manifest.json")
    found = exposed(manifest)
    assert all(c.direction and c.outcome for c in manifest.counters)
    for n, counter in enumerate(manifest.counters):
        labels = {k: getattr(counter, k) for k in ("direction", "rule", "encapsulation", "outcome", "reason")}
        for metric, value in (("encap_packets_total", n + 1), ("encap_bytes_total", 10 * (n + 1))):
            assert [v for (m, ls), v in found.items() if m == metric and dict(ls).items() >= labels.items()] == [value]


def test_a_renamed_rule_has_the_totals_of_its_former_name(tmp_path: Path) -> None:
    """This release's and the first's, of each of its counters; and then under the new name alone."""
    found = counters(tmp_path, "offices, was: far-sites")
    assert found["egress_rule_offices"].was == ("egress_rule_far_sites", "egress_far_sites")
    assert found["egress_miss_offices"].was == ("egress_miss_far_sites", "egress_far_sites_no_row")
    assert not any(c.was for c in found.values() if c.rule and c.rule != "offices")
    totals = {
        "egress_rule_far_sites": (5, 500),
        "egress_far_sites": (2, 200),
        "egress_rule_offices": (1, 100),
        "egress_miss_far_sites": (3, 300),
        "egress_default": (4, 400),
    }
    assert total(totals, found["egress_rule_offices"]) == (8, 800)
    now = renamed(totals, found.values())
    assert now == {"egress_rule_offices": (8, 800), "egress_miss_offices": (3, 300), "egress_default": (4, 400)}
    assert total(now, found["egress_rule_offices"]) == (8, 800)
    assert renamed(now, counters(tmp_path, "offices").values()) == now, "`was` may be left out again"


def test_a_former_name_that_another_counter_has_is_not_claimed(tmp_path: Path) -> None:
    """What the first release counted of a rule called `too-big` was the same counter as of packets that are too big."""
    found = counters(tmp_path, "large, was: too-big")
    assert found["egress_rule_large"].was == ("egress_rule_too_big",)
    assert found["egress_miss_large"].was == ("egress_miss_too_big", "egress_too_big_no_row")


def test_a_bundle_of_an_earlier_release_keeps_its_labels() -> None:
    manifest = manifest_io.load(BUILT / "ipip-sites" / "manifest.json")
    silent = (
        replace(c, direction="", rule="", table="", encapsulation="", outcome="", reason="") for c in manifest.counters
    )
    earlier = replace(manifest, counters=tuple(silent))
    found = [dict(labels) for metric, labels in exposed(earlier) if metric == "encap_packets_total"]
    assert [(ls["counter"], ls["kind"]) for ls in found] == [(c.name, c.kind) for c in manifest.counters]
    assert all(ls.keys() == {"bundle", "netns", "counter", "kind"} for ls in found)
