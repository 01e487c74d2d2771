"""Rows that are given on a machine are checked as the compiler checks its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.netns import loader_bundle

from encap_compile.common.diagnostics import DiagnosedError, Findings
from encap_compile.run.host_values import Machine
from encap_compile.run.loader.bundle import open_bundle
from encap_compile.run.loader.contents import wanted_contents


@pytest.mark.parametrize(
    ("end", "codes"), [("192.0.2.2", []), ("224.0.0.1", ["E420"]), ("127.0.0.1", ["E418"]), ("169.254.0.1", [])]
)
def test_ends_of_tunnels(tmp_path: Path, end: str, codes: list[str]) -> None:
    bundle = loader_bundle.write(tmp_path / "bundle", six=True)  # its rows' address decides the family
    given = tmp_path / "given.csv"
    given.write_bytes(loader_bundle.csv({"10.1.0.1": end}))
    findings = Findings()
    wanted_contents(open_bundle(bundle, {"sites": given}), Machine({}, ()), findings)
    assert [(d.code, d.place.file) for d in findings.all] == [(code, str(given)) for code in codes]


def test_a_hook_of_another_release(tmp_path: Path) -> None:
    bundle = loader_bundle.write(tmp_path / "bundle")
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"tc_ingress"', '"cgroup_bind4"'))
    with pytest.raises(DiagnosedError, match="knows no hook cgroup_bind4") as caught:
        open_bundle(bundle)
    assert caught.value.diagnostics[0].code == "B303"
