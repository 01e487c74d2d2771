"""Headers that only a test describes, and what is new in them: model and program say the same of random frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ..packets import test_new_checksum, test_new_variable_part

RUN = """
import sys
from pathlib import Path
from encap_compile.compile.headers import protocols
folder = Path(sys.argv[1])
protocols.__path__.append(str(folder / "protocols"))
from tests.model.pair import load_pair
from tests.model.test_differential import differences
pair = load_pair(folder / "made.yaml", folder / "build", ())
with pair.datapath:
    found = differences(pair, 5, 8000)
sys.exit("\\n".join(found) or 0)
"""


MADE = {
    "variable-length parts": (test_new_variable_part.HEADERS, test_new_variable_part.SPEC),
    "a checksum": ({"sealed": test_new_checksum.SEALED}, test_new_checksum.SPEC),
}


@pytest.mark.parametrize("name", MADE)
def test_new_headers(tmp_path: Path, name: str) -> None:
    described, spec = MADE[name]
    (tmp_path / "protocols").mkdir()
    for header, text in described.items():
        (tmp_path / "protocols" / f"{header}.py").write_text(text)
    (tmp_path / "made.yaml").write_text(spec)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
