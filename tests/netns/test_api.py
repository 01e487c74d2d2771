"""docs/api.md as a whole, in a namespace with the device that it names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel
ROOT = Path(__file__).resolve().parents[2]


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(ROOT / "compiler"))))
    with Namespace("api") as net:
        net.ip(
            "link add bond0 type veth peer name far0",
            "link set far0 up",
            "addr add 192.0.2.17/24 dev bond0",
            "addr add 2001:db8::17/64 dev bond0",
            "link set bond0 up",
        )
        page = ROOT / "docs" / "api.md"
        done = net.run([sys.executable, "-m", "tests.support.examples_of_docs", str(page)], check=False)
    assert done.returncode == 0, done.stdout + done.stderr
