"""Files that somebody named are read without waiting for ever, whatever they are."""

from __future__ import annotations

import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from encap_compile.common.regular_file import read_regular


def test_a_regular_file_and_a_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "a", 10) == read_regular(tmp_path / "b") == b"x" * 10
    assert read_regular(Path("/proc/self/status"))  # has no size before it is read


def test_what_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket has room for 107 bytes
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    (tmp_path / "large").write_bytes(b"x" * 11)
    (tmp_path / "loop").symlink_to("loop")
    names = ["/dev/zero", "/dev/full", "/dev/tty", *(tmp_path / n for n in ("fifo", "socket", "", "none", "loop"))]
    for name in names:
        with pytest.raises(OSError):
            read_regular(Path(name))
    with pytest.raises(OSError, match="larger than"):
        read_regular(tmp_path / "large", 10)
    for odd in ("a\0b", "\ud800"):
        with pytest.raises(OSError):
            read_regular(Path(odd))


def test_reading_takes_the_memory_of_the_file_and_not_of_the_limit(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x" * 3000)
    tracemalloc.start()
    try:
        assert len(read_regular(tmp_path / "small", most=1 << 30)) == 3000
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
