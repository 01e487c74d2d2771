"""Applying a bundle, and again whenever a cgroup that it names comes, goes, or is followed by another one.

The kernel tells of directories that are made and removed where those cgroups are; now and then they are looked at
without being told, since a watch can be missing. What fails is said, and tried again.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from socket import socketpair
from types import FrameType, TracebackType
from typing import Self

from .apply import Applied, apply
from .diagnostics import DiagnosedError, Diagnostic
from .kernel.errors import KernelError
from .kernel.inotify import Watcher
from .loader.cgroups import Cgroups
from .loader.desired import Request

POLL = 10.0  # seconds after which cgroups are looked at without being told
SETTLE = 0.05  # seconds in which what comes together, as a unit's directories, is taken together
RETRY_FIRST, RETRY_MOST = 1.0, 30.0  # seconds from a failure to the next try; each time twice as long


@dataclass(frozen=True)
class Round:
    """One apply: what was done, or why it could not be and in how many seconds it is tried again."""

    applied: Applied | None
    failure: Sequence[Diagnostic] = ()
    retry: float = 0.0


class Stop:
    """Whether this process was told to end, by SIGTERM or SIGINT; what is being applied is done first."""

    def __init__(self) -> None:
        self.told = False
        self._read, self._write = socketpair()
        self._write.setblocking(False)  # as signal.set_wakeup_fd wants it

    @property
    def fd(self) -> int:
        """It can be read when the process was told."""
        return self._read.fileno()

    def __enter__(self) -> Self:
        def tell(number: int, frame: FrameType | None) -> None:
            self.told = True

        self._before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
        self._wakeup = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._read.close()
        self._write.close()


def watch(request: Request, say: Callable[[Round], None]) -> None:
    """Until SIGTERM or SIGINT, when everything stays in force. Raises what the first apply raises."""
    with Stop() as stop:
        applied = apply(request)
        say(Round(applied))
        cgroups = applied.plan.desired.cgroups
        seen = dict(cgroups.numbers) if cgroups else {}
        pause = 0.0
        while _worth_a_try(cgroups, seen, stop, pause):
            seen = cgroups.now() if cgroups else {}  # what changes from here on shows when this is done
            try:
                applied = apply(request)
            except (DiagnosedError, KernelError, OSError) as error:
                pause = min(max(2 * pause, RETRY_FIRST), RETRY_MOST)
                say(Round(None, _diagnostics(error), pause))
                continue
            pause = 0.0
            cgroups = applied.plan.desired.cgroups
            seen = dict(cgroups.numbers) if cgroups else {}
            if applied.plan.changed:
                say(Round(applied))


def _worth_a_try(cgroups: Cgroups | None, seen: Mapping[str, int], stop: Stop, pause: float) -> bool:
    """Wait until cgroups are not as they were seen, or the pause after a failure is over; False to end."""
    end = time.monotonic() + pause
    while not stop.told:
        with Watcher() as watcher:
            watcher.watch(cgroups.folders() if cgroups else ())
            # With the watches there: what comes from now on wakes up, and what came before shows.
            if cgroups is not None and cgroups.now() != seen:
                time.sleep(SETTLE)
                return not stop.told
            left = end - time.monotonic() if pause else POLL
            if left <= 0:
                return True
            watcher.wait(min(left, POLL), stop.fd)
    return False


def _diagnostics(error: DiagnosedError | KernelError | OSError) -> Sequence[Diagnostic]:
    if isinstance(error, DiagnosedError):
        return error.diagnostics
    return [Diagnostic("K209" if isinstance(error, KernelError) else "H114", str(error))]
