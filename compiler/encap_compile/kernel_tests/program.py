"""The programs of a bundle in the kernel, with the host values and rows of the tests' machine. They are on no hook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import NamedTuple, Self

from ..common.diagnostics import DiagnosedError, Exit, Findings
from ..compile.model import Facts, Frame
from ..run.host_values import Machine
from ..run.kernel.errors import LoadRefusedError
from ..run.kernel.maps import Map, Packed
from ..run.kernel.objects import BpfObject
from ..run.kernel.programs import Program
from ..run.kernel.test_run import run
from ..run.loader import counters
from ..run.loader.bundle import Bundle
from ..run.loader.contents import ONE, Content, wanted_contents
from ..run.loader.instances import refused
from ..run.loader.layout_ids import COUNTERS, HOST_SECTION
from .host import host_bytes


class Ran(NamedTuple):
    """What became of a frame. `counted` holds the counters that moved: name -> (packets, bytes)."""

    verdict: str
    data: bytes
    mark: int
    counted: Mapping[str, tuple[int, int]]


class Programs:
    """Loads the programs of a bundle as often as it is asked to, each time with nothing learned and nothing counted.

    What holds rows and sets is filled once. Use it as a context manager.
    """

    def __init__(self, bundle: Bundle, facts: Facts, findings: Findings) -> None:
        self.bundle = bundle
        self.hooks = frozenset(hooked.hook for hooked in bundle.manifest.programs)
        self.host = host_bytes(bundle.manifest, facts.host)
        self.contents = list(_contents(bundle, facts, findings))
        self.filled: dict[str, Map] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @contextmanager
    def loaded(self, hooks: Iterable[str]) -> Iterator[Loaded]:
        """The programs of these hooks. Raises DiagnosedError (K205, K206), KernelError, OSError."""
        manifest, wanted = self.bundle.manifest, set(hooks)
        with BpfObject(self.bundle.object, manifest.name) as opened, ExitStack() as stack:
            opened.set_initial_value(HOST_SECTION, self.host)
            for name, map_ in self.filled.items():
                opened.reuse_map(name, map_.fd)
            for hooked in manifest.programs:
                if hooked.hook not in wanted:
                    opened.leave_out(hooked.program)
            try:
                opened.load()
            except LoadRefusedError as error:
                raise DiagnosedError([refused(self.bundle, error)], Exit.KERNEL) from None
            if not self.filled:
                self._fill(opened)
            found = [h for h in manifest.programs if h.hook in wanted]
            programs = {h.hook: stack.enter_context(opened.program(h.program)) for h in found}
            counted = stack.enter_context(opened.map(COUNTERS))
            yield Loaded(programs, counted, {c.name: c.offset for c in manifest.counters})

    def _fill(self, opened: BpfObject) -> None:
        for content in self.contents:
            map_ = self._stack.enter_context(opened.map(content.map))
            map_.update(content.entries)
            self.filled[content.map] = map_


def _contents(bundle: Bundle, facts: Facts, findings: Findings) -> Iterator[Content]:
    """What maps should hold. Rows found by cgroups are left out: the machine has none of them."""
    wanted = wanted_contents(bundle, Machine({}, ()), findings)
    findings.stop_on_errors()
    for content in wanted.contents:
        if content.kind == "addresses":
            own = sorted(facts.own)
            yield replace(content, entries=Packed(len(own), b"".join(own), ONE * len(own)))
        elif content.kind != "rows" or not wanted.rows[content.table].cgroups:
            yield content


class Loaded:
    """Loaded programs by their hooks, and what they count."""

    def __init__(self, programs: Mapping[str, Program], counted: Map, offsets: Mapping[str, int]) -> None:
        self.programs, self._counted, self._offsets = programs, counted, offsets
        self._before = counters.read(counted, offsets)

    def run(self, hook: str, frame: Frame) -> Ran:
        """Give a frame to the program of a hook; where there is none it passes as it is. Raises KernelError."""
        if hook not in self.programs:
            return Ran("pass", frame.data, frame.mark, {})
        ran = run(self.programs[hook], frame.data, frame.mark)
        after = counters.read(self._counted, self._offsets)
        moved = {name: (now[0] - self._before[name][0], now[1] - self._before[name][1]) for name, now in after.items()}
        self._before = after
        return Ran(ran.verdict, ran.frame, ran.mark, {name: count for name, count in moved.items() if any(count)})
