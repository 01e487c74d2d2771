"""Objects of the oldest clang that is allowed, and of another, load and work like the pinned one's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from encap_compile.compile.pipeline import compile_spec
from encap_compile.compile.toolchain.clang import OLDEST

from .arriving import OVERLAY, arriving, decapsulated_counter
from .datapath import Datapath
from .inner import frame, packet
from .ways import MORE_ROWS, SETTINGS, WAYS, by_catalogue

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("clang", [f"clang-{OLDEST}", "clang-19"])
@pytest.mark.parametrize("example", ["vxlan-overlay", "two-by-row"])
def test_another_clang(tmp_path: Path, example: str, clang: str) -> None:
    if shutil.which(clang) is None:
        pytest.skip(f"{clang} is not installed")
    compile_spec(str(ROOT / "examples" / f"{example}.yaml"), tmp_path, clang)
    with Datapath(tmp_path / example, settings=SETTINGS.get(example, ()), more=MORE_ROWS.get(example)) as datapath:
        assert datapath.manifest.toolchain.source == "chosen"
        for way in (w for w in WAYS if w.example == example):
            inner = way.packet("tcp", 1)
            out = datapath.egress(frame(inner), mark=way.mark).frame[14:]
            at = {4: 20, 6: 40}[way.outer]
            port = int.from_bytes(out[at : at + 2], "big")
            assert out == by_catalogue(way, inner, port)
            if (way.kind, way.inner, example) != ("gre", 6, "two-by-row"):
                inner = packet("tcp", *OVERLAY[way.inner])
                arrived = datapath.ingress(arriving(way, inner))
                assert (list(arrived.counted), arrived.frame[14:]) == ([decapsulated_counter(way)], inner)
