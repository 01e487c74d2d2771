"""Applying a bundle, and again whenever what it stands on changes.

That is a cgroup that it names, which comes, goes, or is followed by another one; a device of its host values with its
number, MAC, MTU and addresses; its route device, the routes to it and the subnets that are left out of these; and the
files that host values and rows are read from. The kernel tells of cgroups by inotify, of devices and routes by
rtnetlink; now and then everything is looked at without being told, since a message can be missing. What fails is said,
and tried again. What is only late, a device or its address, is waited for.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from socket import socketpair
from types import FrameType, TracebackType
from typing import Self

from ..common.diagnostics import DiagnosedError, Diagnostic
from ..common.record import Record
from .apply import Applied, apply
from .kernel.changes import Changes
from .kernel.errors import KernelError
from .kernel.inotify import Watcher
from .lateness import close_until_applied, is_late
from .loader.desired import Request
from .watching import Watching

POLL = 10.0  # seconds after which cgroups are looked at without being told
RETRY_FIRST, RETRY_MOST = 1.0, 30.0  # seconds from a failure to the next try; each time twice as long


class Round(Record):
    """One apply: what was done, or why it could not be and in how many seconds it is tried again.

    `waits` says that something is only late, and `closed` how many prefixes have no route until it comes. `why` are the
    devices and files whose change led to it.
    """

    applied: Applied | None
    failure: Sequence[Diagnostic] = ()
    retry: float = 0.0
    waits: bool = False
    closed: int = 0
    why: tuple[str, ...] = ()


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


def watch(asked: Callable[[], Request], say: Callable[[Round], None], once: bool = False) -> None:
    """Until SIGTERM or SIGINT, or with `once` until the bundle is applied; everything stays in force.

    `asked` is called before each apply: a copy that is kept may be another one by then. Raises what the first apply
    raises, unless that only came too early.
    """
    with Stop() as stop, Changes() as changes:
        request = asked()
        watching, pause, ready = Watching(request), 0.0, False
        closed, unclosed = _close(request)
        while not stop.told:
            changes.drain()  # what changes from here on shows when this is done
            before, watching = watching, watching.now()
            try:
                request = asked() if ready else request
                applied = apply(request)
            except (DiagnosedError, KernelError, OSError) as error:
                late = is_late(error)
                if not ready and not late:
                    raise
                pause = min(max(2 * pause, RETRY_FIRST), RETRY_MOST)
                if late and ready:
                    closed, unclosed = _close(request)
                say(Round(None, [*_diagnostics(error), *unclosed], pause, late, closed))
                watching = watching.after_failure()
            else:
                pause, closed, unclosed = 0.0, 0, []
                if applied.plan.changed or not ready or not watching.applied:
                    say(Round(applied, why=watching.since(before, applied) if ready else ()))
                watching = watching.after(applied)
                if watching.routed is not None:
                    changes.follow_routes()
                if once:
                    return
            ready = True
            _until_worth_a_try(watching, changes, stop, pause)


def _close(request: Request) -> tuple[int, Sequence[Diagnostic]]:
    """How many prefixes were closed, and what was in the way. What is wrong with the bundle is for apply to say."""
    try:
        return close_until_applied(request), []
    except DiagnosedError:
        return 0, []
    except (KernelError, OSError) as error:
        words = f"the prefixes of `boot: closed` could not be closed: {error}"
        return 0, [Diagnostic("H149", words, help="packets to them leave unencapsulated until the bundle is applied")]


def _until_worth_a_try(watching: Watching, changes: Changes, stop: Stop, pause: float) -> None:
    """Wait until something is not as it was seen, the pause after a failure is over, or this process is told to end."""
    end = time.monotonic() + pause
    while not stop.told:
        with Watcher(watching.folders()) as watcher:
            # With the watches there: what comes from now on wakes up, and what came before shows.
            if watching.differs():
                changes.settle()
                return  # at once: until it is applied, programs do not know it
            left = end - time.monotonic() if pause else POLL
            if left <= 0:
                return
            watcher.wait(min(left, POLL), stop.fd, changes.fd)
            changes.settle()


def _diagnostics(error: DiagnosedError | KernelError | OSError) -> Sequence[Diagnostic]:
    if isinstance(error, DiagnosedError):
        return error.diagnostics
    return [Diagnostic("K209" if isinstance(error, KernelError) else "H114", str(error))]
