"""Presets stand for specs: for those in their files, with the parameters in place and what is beside them added."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from encap_compile.common.diagnostics import DiagnosedError, Findings
from encap_compile.common.documents.reader import read_yaml
from encap_compile.compile.explain import explain_spec, spec_document
from encap_compile.compile.frontend.load import parse_spec
from encap_compile.compile.frontend.preset_reference import preset_reference
from encap_compile.compile.frontend.preset_words import PRESETS
from encap_compile.compile.frontend.presets import FOLDER, expand, preset_path
from encap_compile.compile.pipeline import check_spec, render_code
from encap_compile.compile.spec import Spec

ROOT = Path(__file__).parents[2]
NAMES = sorted(PRESETS)
PARAMETERS = [(name, key) for name in NAMES for key in PRESETS[name].parameters]
# For each parameter another value than the one in the files.
OTHER = {
    "balancers": ["198.18.0.0/24"],
    "vips": ["198.19.0.0/24", "2001:db8:7::/48"],
    "port": 7777,
    "capacity": 77,
    "idle": "77m",
    "enis": [{"received.geneve.eni": 7, "mark": 0x6007}],
    "marks": "0x6000-0x600f",
    "for": "both",
}


def own(name: str) -> dict[str, Any]:
    """A preset's file as data."""
    document: dict[str, Any] = yaml.safe_load(preset_path(name).read_text())
    return document


def places(document: Any, at: str) -> tuple[Any, Any]:
    """What holds the value at a place, and its key there."""
    *way, last = (int(step) if step.isdigit() else step for step in at.split("."))
    for step in way:
        document = document[step]
    return document, last


def value(name: str, key: str) -> Any:
    """What stands in the preset's file for a parameter."""
    parent, last = places(own(name), PRESETS[name].parameters[key].at[0])
    return parent[last]["rows"] if key == "enis" else parent[last]


def required(name: str) -> dict[str, Any]:
    return {key: value(name, key) for key, p in PRESETS[name].parameters.items() if p.required}


def spec_of(document: dict[str, Any], path: str = "made.yaml") -> Spec:
    return parse_spec(yaml.safe_dump(document).encode(), path)


def with_preset(name: str, given: dict[str, Any], **beside: Any) -> Spec:
    head = {"apiVersion": "encap/v1alpha1", "name": name}
    return spec_of({**head, "preset": {name: given}, **beside})


def same(one: Spec, other: Spec) -> bool:
    return replace(one, sha256="", path="") == replace(other, sha256="", path="")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_a_right_spec(name: str) -> None:
    assert check_spec(str(preset_path(name)))[3].all == []
    text = preset_path(name).read_text()
    assert text.startswith("# ") and own(name)["name"] == name


def test_every_file_is_a_preset() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == NAMES
    wanted = {"gue-dsr", "gue-return", "gue-edge", "aws-gwlb", "vxlan-return"}
    assert wanted == set(NAMES)


@pytest.mark.parametrize(("name", "key"), PARAMETERS)
def test_defaults_are_what_the_file_has(name: str, key: str) -> None:
    parameter = PRESETS[name].parameters[key]
    found = []
    for at in parameter.at:
        parent, last = places(own(name), at)
        found.append(parent[last])
    if not parameter.required:
        assert found == [parameter.schema["default"]] * len(found)
    assert parameter.text.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_it_stands_for_its_file(name: str) -> None:
    assert same(with_preset(name, required(name)), spec_of(own(name)))


@pytest.mark.parametrize(("name", "key"), PARAMETERS)
def test_a_parameter_changes_its_places_and_nothing_else(name: str, key: str) -> None:
    document = own(name)
    for at in PRESETS[name].parameters[key].at:
        parent, last = places(document, at)
        parent[last] = {**parent[last], "rows": OTHER[key]} if key == "enis" else OTHER[key]
    spec = with_preset(name, {**required(name), key: OTHER[key]})
    assert same(spec, spec_of(document))
    assert not same(spec, spec_of(own(name)))


def test_rows_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "enis.csv").write_text("received.geneve.eni,mark\n1,0x6001\n")
    given = {**required("aws-gwlb"), "enis": {"file": "enis.csv", "capacity": 12}}
    path = tmp_path / "made.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "encap/v1alpha1", "name": "made", "preset": {"aws-gwlb": given}}))
    table = check_spec(str(path))[0].endpoints["enis"]
    assert (table.file, table.capacity, table.rows, table.key) == ("enis.csv", 12, (), ("received.geneve.eni",))


BESIDE: dict[str, Any] = {
    "kernel": "6.6",
    "host": {"uplink": "devices", "site": "u32"},
    "sets": {"lab": ["10.9.0.0/16"]},
    "encapsulations": {"ipip": [{"ip": {"source": "host.address", "destination": "endpoint.to"}}]},
    "endpoints": {
        "sites": {
            "key": "destination",
            "fields": {"to": "ip"},
            "encapsulation": "ipip",
            "rows": [{"destination": "10.1.0.0/16", "to": "192.0.2.200"}],
        }
    },
    "egress": {
        "rules": [{"name": "lab", "match": {"source": ["lab", "vips"]}, "to": "sites"}],
        "default": "drop",
        "next_hop": "route",
    },
    "ingress": {"rules": [{"name": "peers", "decapsulate": "ipip", "from": "sites.to"}], "refuse": "pass"},
}


def test_what_is_beside_it_is_added_and_goes_first() -> None:
    spec = with_preset("gue-return", required("gue-return"), **BESIDE)
    assert spec.kernel == (6, 6)
    assert {name: h.type for name, h in spec.host.items()} == {"uplink": "devices", "address": "ip", "site": "u32"}
    assert set(spec.sets) == {"balancers", "vips", "lab"}
    assert set(spec.encapsulations) == {"gue", "ipip"} and set(spec.endpoints) == {"sites"}
    assert [r.name for r in spec.egress.rules] == ["lab", "replies", "vip-unlearned"]
    assert [r.name for r in spec.ingress.rules] == ["peers", "from-lb"]
    assert (spec.egress.default, spec.egress.next_hop, spec.ingress.refuse) == ("drop", "route", "pass")
    match = spec.egress.rules[0].match.source
    assert match is not None and set(match.sets) == {"lab", "vips"}


def test_without_rules_beside_it_they_are_the_preset_s() -> None:
    spec = with_preset("gue-return", required("gue-return"), egress={"default": "drop"})
    assert [r.name for r in spec.egress.rules] == ["replies", "vip-unlearned"] and spec.egress.default == "drop"
    direct = with_preset("gue-dsr", required("gue-dsr"), egress={"rules": [], "default": "pass"})
    assert direct.egress.rules == () and [r.name for r in direct.ingress.rules] == ["from-lb"]


def test_what_a_preset_knows_nothing_of_stays() -> None:
    head = "name: made\npreset: {gue-dsr: {balancers: [192.0.2.0/28], vips: [203.0.113.0/24]}}\n"
    findings = Findings()
    root = read_yaml(f"{head}connect: {{rules: [1]}}\n".encode(), "made.yaml", findings)
    assert root is not None
    found = expand(root, findings).plain()
    assert (found["connect"], found["name"], "preset" in found, findings.all) == ({"rules": [1]}, "made", False, [])


def test_attach_of_one_s_own() -> None:
    host = {"bond": "device", "uplink": "device"}
    spec = with_preset("gue-dsr", required("gue-dsr"), attach={"devices": ["host.bond"]}, host=host)
    assert [r.path for r in spec.attach] == [("bond",)]


def test_places_are_in_the_document() -> None:
    text = """\
apiVersion: encap/v1alpha1
name: made
preset:
  gue-return:
    balancers: [192.0.2.0/28]
    vips:
      - 203.0.113.0/24
    idle: never
egress:
  rules: [{name: own, action: drop}]
  default: pass
"""
    right = parse_spec(text.replace("never", "5m").encode(), "made.yaml")
    assert [(r.name, r.place.line) for r in right.egress.rules] == [("own", 10), ("replies", 4), ("vip-unlearned", 4)]
    assert {(e.place.file, e.place.line, e.place.column) for e in right.encapsulations.values()} == {
        ("made.yaml", 4, 3)
    }
    with pytest.raises(DiagnosedError) as caught:
        parse_spec(text.encode(), "made.yaml")
    assert [(d.code, d.place.line) for d in caught.value.diagnostics] == [("E428", 8)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("beside", [{}, BESIDE], ids=["alone", "beside"])
def test_the_expansion_is_a_spec_that_means_the_same(name: str, beside: dict[str, Any]) -> None:
    if name == "aws-gwlb":  # without VIPs, and with an address of one family
        beside = {k: v for k, v in beside.items() if k in ("kernel", "host", "sets")}
    spec = with_preset(name, required(name), **beside)
    assert spec.preset is not None and (spec.preset.name, spec.preset.place.file) == (name, "made.yaml")
    assert "preset" not in yaml.safe_load(spec.preset.expansion)
    again = parse_spec(spec.preset.expansion.encode(), "made.yaml")
    assert same(again, spec) and again.preset is None
    assert max(map(len, spec.preset.expansion.splitlines())) <= 120
    findings = Findings()
    assert read_yaml(spec.preset.expansion.encode(), "made.yaml", findings) and not findings.all


def test_explain_shows_it() -> None:
    path = ROOT / "examples" / "gue-dsr.yaml"
    spec, lowered, _, _ = check_spec(str(path))
    assert spec.preset is not None
    text = explain_spec(lowered)
    assert "With the preset gue-dsr (gue-dsr.yaml:9) written out, this spec is:\n" in text
    shown = re.search(r"this spec is:\n((?:  .*\n)+)\n", text)
    assert shown is not None
    assert "".join(line[2:] + "\n" for line in shown[1].splitlines()) == spec.preset.expansion
    document = spec_document(lowered)
    assert (document["preset"], document["expansion"]) == ("gue-dsr", spec.preset.expansion)
    _, lowered_out, _, _ = check_spec(str(ROOT / "examples" / "gue-edge.yaml"))
    document = spec_document(lowered_out)
    assert (document["preset"], document["expansion"]) == (None, None)
    assert "preset" not in explain_spec(lowered_out)


@pytest.mark.parametrize("name", ["gue-edge", "vxlan-return"])
def test_the_example_of_the_same_role_is_the_same_program(name: str, tmp_path: Path) -> None:
    example = ROOT / "examples" / f"{name}.yaml"
    sets = yaml.safe_load(example.read_text())["sets"]
    head = {"apiVersion": "encap/v1alpha1", "name": name, "kernel": "5.10"}
    path = tmp_path / example.name
    path.write_text(yaml.safe_dump({**head, "preset": {name: sets}}))
    codes = [render_code(check_spec(str(p))[1])[f"{name}.bpf.c"].decode() for p in (example, path)]
    assert codes[0] == codes[1]


def test_the_page_is_what_is_committed() -> None:
    page = preset_reference()
    assert (ROOT / "docs" / "presets.md").read_text(encoding="utf-8") == page, "./dev regen"
    for name, preset in PRESETS.items():
        section = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
        for key in preset.parameters:
            assert f"| `{key}` |" in section
        shown = re.search(r"```yaml\n(.*?)\n```", section, re.DOTALL)
        assert shown is not None and yaml.safe_load(shown[1]) == own(name)
