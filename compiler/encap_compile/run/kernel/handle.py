"""A file descriptor with an owner."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self


class Handle:
    """Owns a file descriptor; closes it at the end of a `with` block or with its last reference."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @property
    def fd(self) -> int:
        """The descriptor. Raises ValueError after `close`."""
        if self._fd < 0:
            raise ValueError("used after close")
        return self._fd

    def close(self) -> None:
        """Give the descriptor back. A second call does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
