"""The same spec, compiler and clang give the same bytes: in any folder, by any user, in any locale, under any umask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(p.stem for p in (ROOT / "examples").glob("*.yaml"))
NOBODY = "65534"


def compiled(
    folder: Path, *prefix: str, cwd: Path | None = None, umask: int = -1, **environment: str
) -> dict[str, bytes]:
    """Every file of every example's bundle, compiled by another process out of `folder`."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "examples", folder / "examples")
    out = folder / "out"
    out.mkdir()
    if prefix:  # another user writes
        shutil.chown(out, int(NOBODY), int(NOBODY))
    specs = [str(folder / "examples" / f"{name}.yaml") for name in EXAMPLES]
    command = [*prefix, sys.executable, "-m", "encap_compile.cli", "-o", str(out), *specs]
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHONHASH", "ENCAP"))}
    done = subprocess.run(
        command,
        cwd=cwd or folder,
        env={**plain, **environment},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
    assert all(p.stat().st_mode & 0o777 == 0o644 for p in out.rglob("*") if p.is_file())
    assert len(found) > 4 * len(EXAMPLES)
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return compiled(tmp_path_factory.mktemp("plain") / "a", PYTHONHASHSEED="1")


def test_another_folder_locale_umask_and_hash_seed(tmp_path: Path, plain: dict[str, bytes]) -> None:
    other = tmp_path / "a folder with spaces" / "and more of them ü"
    found = compiled(
        other, cwd=Path("/"), umask=0o077, LANG="de_DE.UTF-8", LC_ALL="de_DE.UTF-8", PYTHONHASHSEED="4242",
        TZ="Asia/Tokyo",
        SOURCE_DATE_EPOCH="1", CPATH="/nowhere", C_INCLUDE_PATH="/nowhere", HOME=str(tmp_path), COLUMNS="20",
    )  # fmt: skip
    assert found == plain


def test_the_c_locale(tmp_path: Path, plain: dict[str, bytes]) -> None:
    assert compiled(tmp_path / "b", LC_ALL="C", PYTHONUTF8="0", PYTHONHASHSEED="0") == plain


def test_no_path_of_this_machine(plain: dict[str, bytes]) -> None:
    for name, data in plain.items():
        for word in (str(ROOT), "/tmp/", "site-packages", str(Path.home())):
            assert word.encode() not in data, (name, word)


@pytest.mark.kernel
def test_another_user(tmp_path_factory: pytest.TempPathFactory, plain: dict[str, bytes]) -> None:
    """With nothing to write to but the folder for bundles: no home, no cache."""
    import tempfile

    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        user = [setpriv, "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
        try:
            reads = subprocess.run(
                [*user, sys.executable, "-c", "import encap_compile"], check=False, capture_output=True
            )
            if reads.returncode:
                pytest.skip("another user may not read this checkout")
            assert compiled(Path(folder) / "c", *user, HOME="/nonexistent", PYTHONHASHSEED="7") == plain
        finally:
            shutil.rmtree(Path(folder) / "c", ignore_errors=True)
