"""Whose sockets rules see: what is said where a kernel cannot tell network namespaces apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.netns import loader_sockets
from tests.netns.loader_sockets import named

from encap_compile.common.diagnostics import Findings
from encap_compile.common.manifest import Manifest
from encap_compile.common.manifest_io import load
from encap_compile.run.kernel.cgroups import Cgroup as Found
from encap_compile.run.kernel.cgroups import Hierarchy
from encap_compile.run.loader import scope
from encap_compile.run.loader.cgroups import Cgroups
from encap_compile.run.loader.compose import SOCKET_NETNS

NOWHERE = Cgroups(Hierarchy(Path("/nowhere"), ""), Found("/t", 5, 1), {"a": 7})


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    bundle = loader_sockets.write(tmp_path_factory.mktemp("bundle"), named("a"))
    return load(bundle / "manifest.json")


def marking(manifest: Manifest) -> Manifest:
    """The same, of programs that mark sockets."""
    members = manifest.host_members
    return replace(manifest, host_members=(*members[:-1], replace(members[-1], source=SOCKET_NETNS)))


@pytest.mark.parametrize(
    ("kernel", "cookie", "first", "warned", "marked"),
    [
        ((6, 13), 7, False, False, False),
        ((6, 12), 7, False, False, True),
        ((5, 10), 0, True, False, True),
        ((5, 10), 0, False, True, True),
    ],
)
def test_what_kernels_can_tell(
    manifest: Manifest,
    monkeypatch: pytest.MonkeyPatch,
    kernel: tuple[int, int],
    cookie: int,
    first: bool,
    warned: bool,
    marked: bool,
) -> None:
    monkeypatch.setattr(scope, "kernel_version", lambda: kernel)
    monkeypatch.setattr(scope, "namespace_cookie", lambda: cookie)
    monkeypatch.setattr(scope, "in_first_network_namespace", lambda: first)
    for one, expected in ((marking(manifest), (warned, marked)), (manifest, (False, False))):
        findings = Findings()
        found = scope.find_scope(one, NOWHERE, findings)
        assert ([d.code for d in findings.all], found.marked) == (["H150"] * expected[0], expected[1])
        assert (found.count, found.elsewhere) == (0, ())
