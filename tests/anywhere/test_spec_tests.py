"""The tests of the examples, by the model and by the program in this kernel: both do the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.kernel_tests.both import run_built
from tests.kernels.bundles import claims

from .bundles import EXAMPLES, bundle

pytestmark = pytest.mark.kernel
RELEASE = os.uname().release
OF_SOCKETS = ("teams", "tenants-by-cgroup")  # what BPF_PROG_TEST_RUN cannot show


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.stem)
def test_what_the_spec_expects(spec: Path, tmp_path: Path) -> None:
    """`encap-compile test --kernel`: every test of an example passes, by the program as by the model"""
    made = bundle(spec, tmp_path)
    if not claims(made, RELEASE):
        with pytest.raises(DiagnosedError, match="K203"):  # the spec asks for a newer kernel, which is said
            run_built(str(spec), made)
        return
    report = run_built(str(spec), made)
    failed = {result.test.name: result for result in report.failed}
    assert not failed
    assert bool(report.skipped) is (spec.stem in OF_SOCKETS)
    assert report.kernel == RELEASE
