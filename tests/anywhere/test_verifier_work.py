"""How much of a kernel the examples take: instructions loaded, and instructions that the verifier walks.

The table has a row for each series of kernels, and in it one for each program: [loaded, processed]. A change that makes
a figure higher raises it in the same commit, with the reason in the message; a failure prints what was found.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.kernels.bundles import claims
from tests.support import cli
from tests.support.verifier_work import verifier_work

from .bundles import EXAMPLES, bundle

pytestmark = pytest.mark.kernel
TABLE = Path(__file__).with_name("verifier_work.json")
RELEASE = os.uname().release
SLACK = 1.02  # releases of a series differ a little
SERIES = ".".join(RELEASE.split("-")[0].split(".")[:2])


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.stem)
def test_no_more_than_before(spec: Path, tmp_path: Path) -> None:
    """Each program is no longer, and no more work for the verifier, than the table says"""
    made = bundle(spec, tmp_path)
    if not claims(made, RELEASE):
        return  # the spec asks for a newer kernel: there is nothing to load
    table = json.loads(TABLE.read_text())
    if SERIES not in table:
        pytest.skip(f"the table has no row for Linux {SERIES}")
    found = {name: [work.loaded, work.processed] for name, work in verifier_work(made).items()}
    allowed = table[SERIES].get(spec.stem, {})
    line = json.dumps(found)
    assert found.keys() == allowed.keys(), line
    for name, (loaded, processed) in found.items():
        assert loaded <= SLACK * allowed[name][0], f"{name} has more instructions than {allowed[name]}: {line}"
        assert processed <= SLACK * allowed[name][1], f"{name} is more work than {allowed[name]}: {line}"


def test_table_is_complete() -> None:
    """The table has every example on every kernel that it names"""
    for series, rows in json.loads(TABLE.read_text()).items():
        claimed = {spec.stem for spec in EXAMPLES if claims(cli.ROOT / "build" / spec.stem, series)}
        assert set(rows) == claimed, series
