"""libbpf is found, typed and checked; a library that is missing or too old is a diagnostic."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.pinned_compiler import compile_c

from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.run.kernel import libbpf
from encap_compile.run.kernel.errors import FullError, KernelError, LoadRefusedError, NotFoundError, kernel_error
from encap_compile.run.kernel.objects import BpfObject
from encap_compile.run.kernel.system import version_of


def test_version() -> None:
    assert libbpf.version() >= libbpf.MINIMUM_VERSION


def test_missing() -> None:
    with pytest.raises(DiagnosedError) as caught:
        libbpf._open("libnothing.so.7")
    assert (caught.value.diagnostics[0].code, caught.value.exit_code) == ("K201", 6)


@pytest.mark.parametrize(
    "source", ["", "int libbpf_major_version(void) { return 0; } int libbpf_minor_version(void) { return 8; }"]
)
def test_too_old(tmp_path: Path, source: str) -> None:
    library = tmp_path / "libold.so"
    (tmp_path / "old.c").write_text(source + "\nint nothing;\n")
    compile_c(["-shared", "-nostdlib", "-o", library, tmp_path / "old.c"])
    with pytest.raises(DiagnosedError) as caught:
        libbpf._open(str(library))
    assert caught.value.diagnostics[0].code == "K202"


def test_an_object_that_is_none_says_why() -> None:
    with pytest.raises(LoadRefusedError) as caught:
        BpfObject(b"\x7fELF and no more", "nothing")
    assert "libbpf" in caught.value.log


def test_errors_are_types() -> None:
    assert type(kernel_error(2, "x")) is NotFoundError
    assert type(kernel_error(28, "x")) is FullError
    assert type(kernel_error(22, "x")) is KernelError
    assert "ENOTSUPP" in str(kernel_error(524, "bpf_map_update_batch"))


def test_versions_of_releases() -> None:
    assert version_of("5.10.0-30-amd64") == (5, 10)
    assert version_of("6.18.44-fc-v445") == (6, 18)
    assert version_of("nothing") == (0, 0)
