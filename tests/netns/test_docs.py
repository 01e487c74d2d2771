"""The commands of the README and of the walk through docs/adding-a-header.md work as they are written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.test_docs import FENCE, HEADER_PAGE, LISTING, ROOT, compiler_with_listings, listed

pytestmark = pytest.mark.kernel


def run(script: str, folder: Path, **environment: str) -> str:
    """As a shell runs it, with namespaces' names that nobody else sees. Fails with the first command that fails."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["unshare", "-m", "bash", "-ec", f"mount -t tmpfs tmpfs /run/netns\n{script}"],
        cwd=folder,
        env=os.environ | {"PATH": path, "ENCAP_STATE": str(folder / "state")} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def _folder_of_names() -> None:
    Path("/run/netns").mkdir(exist_ok=True)


def test_readme(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    (tmp_path / "first.yaml").write_text(dict(LISTING.findall(text))["first.yaml"])
    script = []
    for language, body in FENCE.findall(text.partition("## A first spec")[2]):
        if language == "sh":
            script.append(body)
        elif language == "console":
            # `plan` ends with 3: something would change.
            script.append(body.partition("\n")[0].removeprefix("# ") + (" || [ $? = 3 ]" if " plan " in body else ""))
    said = run("\n".join(script), tmp_path)
    assert "3 received" in said
    assert re.search(r"ingress_rule_peers +3 packets", said)


def test_adding_a_header(tmp_path: Path) -> None:
    text = HEADER_PAGE.read_text()
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    environment = compiler_with_listings(tmp_path)
    on_the_wire = [body for language, body in FENCE.findall(text) if language == "sh" and "ip netns" in body]
    said = run("\n".join(["encap-compile examples/nvgre-sites.yaml", *on_the_wire]), tmp_path, **environment)
    assert said.count("2 received") == 2
    test = next(name for name in listed() if name.startswith("tests/"))
    run(f"python -m pytest -q -p no:cacheprovider {test}", tmp_path, **environment)
