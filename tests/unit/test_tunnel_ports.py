"""The UDP ports on which the kernel's GRO can merge what a bundle decapsulates, as the manifest has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import cli

from encap_compile.common.manifest import Manifest, TunnelPort
from encap_compile.compile.pipeline import check_spec

ROOT = cli.ROOT
GENEVE, VXLAN = (TunnelPort(kind, port, ("ipv4", "ipv6")) for kind, port in (("geneve", 6081), ("vxlan", 4789)))


def described(path: Path, folder: Path, edit: tuple[str, str] = ("", "")) -> Manifest:
    spec = folder / path.name
    spec.write_text(path.read_text().replace(*edit) if edit[0] else path.read_text())
    for rows in path.parent.glob(f"{path.stem}*.csv"):
        (folder / rows.name).write_bytes(rows.read_bytes())
    manifest: Manifest = check_spec(str(spec))[1].manifest
    return manifest


def test_each_port_once_and_a_requirement(tmp_path: Path) -> None:
    manifest = described(ROOT / "tests/cases/ok/receive-gro-device.yaml", tmp_path)
    assert manifest.tunnel_ports == (GENEVE, VXLAN)
    assert (manifest.gro, "gro-device" in manifest.requires) == ("device", True)


@pytest.mark.parametrize("edit", [("gro: device", "gro: off"), ("receive: {gro: device}", "")])
def test_off_requires_nothing(tmp_path: Path, edit: tuple[str, str]) -> None:
    """The ports are told all the same, for what plan advises."""
    manifest = described(ROOT / "tests/cases/ok/receive-gro-device.yaml", tmp_path, edit)
    assert manifest.tunnel_ports == (GENEVE, VXLAN)
    assert (manifest.gro, "gro-device" in manifest.requires) == ("", False)


@pytest.mark.parametrize("name", ["gue-edge", "gre-tenants", "ipip-sites"])
def test_none_for_other_headers(tmp_path: Path, name: str) -> None:
    assert described(ROOT / "examples" / f"{name}.yaml", tmp_path).tunnel_ports == ()
