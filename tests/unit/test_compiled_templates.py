"""Compiled templates are code: they come from the package's own folder, or from nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from encap_compile.compile.render import compiled_templates
from encap_compile.compile.render.compiled_templates import beside_the_code


def test_only_a_folder_that_nobody_else_can_write(tmp_path: Path) -> None:
    folder = tmp_path / "__pycache__"
    old = os.umask(0)
    try:
        assert beside_the_code(folder) is not None
    finally:
        os.umask(old)
    assert folder.stat().st_mode & 0o777 == 0o755
    for mode in (0o777, 0o775, 0o757):
        folder.chmod(mode)
        assert beside_the_code(folder) is None
    folder.rmdir()
    (tmp_path / "prepared").mkdir()
    folder.symlink_to("prepared")
    assert beside_the_code(folder) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_the_folder_and_the_code_have_one_owner(tmp_path: Path) -> None:
    folder = tmp_path / "__pycache__"
    folder.mkdir(mode=0o755)
    os.chown(folder, 1000, 1000)
    assert beside_the_code(folder) is None
    os.chown(tmp_path, 1000, 1000)
    cache = beside_the_code(folder)
    assert cache is not None and not cache.writable  # type: ignore[attr-defined]


def test_the_users_folders_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever lies in the cache of a user, no folder outside the package is read."""
    for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    cache = beside_the_code()
    assert cache is None or Path(cache.directory) == Path(compiled_templates.__file__).parent / "__pycache__"
    assert list(tmp_path.iterdir()) == []
