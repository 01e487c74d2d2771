"""The tests of a spec, by the model and if asked by the program in this machine's kernel."""

from __future__ import annotations

from os import PathLike, fspath

from ..compile.api.testing import Tested, test_by_model, tested


def test(spec: str | PathLike[str], *, kernel: bool = False, clang: str = "") -> Tested:
    """Run the tests that a spec has.

    `kernel` has them run by its program too, which needs root. Raises DiagnosedError: E2 to E6, T131 and T132; with
    `kernel` also what building (T), loading (K201 to K206) and missing privilege (H101) have.
    """
    if not kernel:
        return test_by_model(spec)
    from .both import run_both

    return tested(run_both(fspath(spec), clang))
