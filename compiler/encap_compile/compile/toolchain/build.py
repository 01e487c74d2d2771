"""Building the object, in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from ...common.diagnostics import DiagnosedError
from .clang import FLAGS, Clang, clang_error
from .process import Process
from .start import ask_version, start_clang, told_version


class Building(NamedTuple):
    """A clang at work on `source` in `folder`, and at the same time asked for its version."""

    clang: Clang
    source: str
    folder: str
    compiling: Process
    asked: Process

    def version(self) -> str:
        """The clang's version. Raises DiagnosedError T103 or T104."""
        return told_version(self.clang, self.asked.done())

    def built(self) -> bytes:
        """The object, when it is there. Raises DiagnosedError T105 with clang's words."""
        done = self.compiling.done()
        if done.returncode:
            raise clang_error(
                "T105",
                f"{self.clang.name} refuses {self.source}: {_first_error(done.stderr.decode(errors='replace'))}",
                "this is a bug of encap-compile if the clang is the pinned one; with another, try the pinned one",
            )
        try:
            return (Path(self.folder) / "out.o").read_bytes()
        except OSError as error:
            raise _no_room(error) from None


@contextmanager
def building(clang: Clang, name: str, files: dict[str, bytes]) -> Iterator[Building]:
    """Compile NAME.bpf.c with `files` beside it, until the `with` is left. Raises DiagnosedError T102 or T107."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(TemporaryDirectory(prefix="encap-", ignore_cleanup_errors=True))
            for file, data in files.items():
                (Path(folder) / file).write_bytes(data)
        except OSError as error:
            raise _no_room(error) from None
        source = f"{name}.bpf.c"
        words = [*FLAGS, f"-ffile-prefix-map={folder}=.", "-c", source, "-o", "out.o"]
        compiling = stack.enter_context(start_clang(clang, words, folder))
        asked = stack.enter_context(ask_version(clang))
        yield Building(clang, source, folder, compiling, asked)


def _no_room(error: OSError) -> DiagnosedError:
    help = "make room, or name another temporary folder with TMPDIR"
    return clang_error("T107", f"a temporary file cannot be written: {error.strerror}", help)


def _first_error(text: str) -> str:
    """The first line that says what is wrong, or all there is in one line."""
    return next((line for line in text.splitlines() if "error:" in line), " ".join(text.split())[:400])
