"""The same for specs drawn over the whole language, and for those of the corpus: what the examples do not use.

ENCAP_MODEL_SPECS is how many are drawn; a number beside it, as in 200:7, is where the random numbers begin.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.compile.frontend.load import load_spec
from encap_compile.compile.pipeline import check_spec

from ..property.spec_generator import generate, settings_for
from ..property.test_every_spec_loads import text_of
from .pair import load_pair
from .test_differential import differences

COUNT, _, FIRST = os.environ.get("ENCAP_MODEL_SPECS", "6").partition(":")
FRAMES = int(os.environ.get("ENCAP_MODEL_FRAMES", "1000"))  # for each
CASES = sorted((Path(__file__).resolve().parents[1] / "cases" / "ok").glob("*.yaml"))
SEED = 3
VALUES = {
    "ip": "192.0.2.77,2001:db8::77",
    "ipv4": "192.0.2.77",
    "ipv6": "2001:db8::77",
    "mac": "02:00:00:00:00:99",
    "cgroup": "/",
}


@pytest.mark.parametrize("number", range(int(COUNT)))
def test_a_drawn_spec(tmp_path: Path, number: int) -> None:
    path = tmp_path / "spec.yaml"
    for attempt in range(200):
        document = generate(random.Random(f"{FIRST or 'model'} {number} {attempt}"))
        path.write_text(text_of(document))
        try:
            check_spec(str(path))
            break
        except DiagnosedError:
            continue
    pair = load_pair(path, tmp_path / "build", tuple(settings_for(document)))
    with pair.datapath:
        found = differences(pair, SEED, FRAMES)
    assert not found, "\n".join([*found, path.read_text()])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case(tmp_path: Path, path: Path) -> None:
    spec = load_spec(str(path))
    devices = {reference.path[0] for reference in spec.attach}
    given = (
        f"{h.name}={VALUES.get(h.type, '5')}" for h in spec.host.values() if not h.default and h.name not in devices
    )
    pair = load_pair(path, tmp_path, tuple(given))
    with pair.datapath:
        found = differences(pair, SEED, FRAMES)
    assert not found, "\n".join(found)
