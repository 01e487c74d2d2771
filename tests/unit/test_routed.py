"""The route device of a spec: which prefixes are routed to it, and what the loader and people are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from encap_compile.common.manifest import Route
from encap_compile.common.manifest_io import dump, loads
from encap_compile.compile.explain import explain_spec
from encap_compile.compile.pipeline import check_spec

SPEC = Path(__file__).parents[1] / "cases" / "ok" / "route-device.yaml"
LINK_LOCAL = ("169.254.0.0/16", "224.0.0.0/24", "255.255.255.255/32", "fe80::/10", "ff01::/16", "ff02::/16")


def _routes(folder: Path, *changes: tuple[str, str]) -> dict[str, Route]:
    text = SPEC.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "spec.yaml"
    path.write_text(text)
    device = check_spec(str(path))[1].manifest.route_device
    assert device is not None
    return {route.rule: route for route in device.routes}


def test_a_whole_prefix_where_packets_without_a_row_are_dropped(tmp_path: Path) -> None:
    prefixes = ("10.0.0.0/8", "fd00:10::/32")
    assert _routes(tmp_path)["sites"] == Route("sites", "", prefixes, ("10.9.0.0/16",))
    followed = _routes(tmp_path, ("to: sites}", "to: sites, on_miss: next}"))
    assert followed["sites"] == Route("sites", "sites", prefixes, ("10.9.0.0/16",))


def test_rows_where_no_destination_is_named(tmp_path: Path) -> None:
    everywhere = ("0.0.0.0/0", "::/0")
    found = _routes(tmp_path)
    assert found["rest"] == Route("rest", "sites", everywhere, ("10.9.0.0/16", *LINK_LOCAL))
    assert found["marked"].table == "sites"


def test_no_route_tells_a_mark(tmp_path: Path) -> None:
    """A row that the rule names, and nothing but a mark: all traffic of the machine would be routed."""
    named = ("to: sites, on_miss: next}", "to: exits/fra}")
    table = ("endpoints:\n", "endpoints:\n  exits: {fields: {address: ip, mac: mac}, encapsulation: vxlan, rows: "
             '[{name: fra, address: 192.0.2.9, mac: "02:00:00:00:00:09"}], capacity: 4}\n')  # fmt: skip
    assert _routes(tmp_path, named, table).keys() == {"sites", "rest"}


def test_only_what_passes_before_a_rule_is_left_out(tmp_path: Path) -> None:
    printers = "    - {name: printers, match: {destination: 10.9.0.0/16}, action: pass}\n"
    behind = _routes(tmp_path, (printers, ""), ("  default: pass\n", f"{printers}  default: pass\n"))
    assert behind["sites"].passed == ()
    wider = _routes(tmp_path, ("10.9.0.0/16", "10.0.0.0/7"))
    assert wider["sites"].passed == ("10.0.0.0/8",)


def test_the_manifest_says_it_and_requires_it(tmp_path: Path) -> None:
    described = check_spec(str(SPEC))[1].manifest
    device = described.route_device
    assert device is not None
    assert (device.name, device.egress, device.ingress) == (
        "encap0",
        "route_device__egress",
        "route_device__route_device_ingress",
    )
    assert device.overhead == 70  # the most of both families
    assert described.requires == ("next-hop", "route-device")
    named = replace(described, identity="0" * 64)
    assert loads(dump(named), "m").route_device == device


def test_it_is_explained() -> None:
    text = explain_spec(check_spec(str(SPEC))[1])
    assert "  - routed to it for rule sites: 10.0.0.0/8, fd00:10::/32, but not 10.9.0.0/16\n" in text
    assert "  - routed to it for rule rest: destinations of rows of sites within 0.0.0.0/0, ::/0, but not" in text
    assert all(len(line) <= 116 for line in text[text.index("Route device") :].partition("On receive")[0].splitlines())
