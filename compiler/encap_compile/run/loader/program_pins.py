"""Programs and their host values, found by pins.

The kernel hands out descriptors by id only for CAP_SYS_ADMIN; with a pin CAP_BPF does. So what is attached is pinned
too, programs in one folder and the maps of their `struct host` in another, each called after its id, which never
returns. A pin of a program that runs no more is dropped at the end of the next apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from ..kernel.errors import NotFoundError, NotPermittedError
from ..kernel.info import ProgramInfo
from ..kernel.maps import Map
from ..kernel.pins import open_map, open_program, pin, pins_in
from ..kernel.programs import Program, describe_program
from .layout_ids import HOST_SECTION
from .paths import Paths


def keep(paths: Paths, programs: Iterable[Program], hosts: Iterable[Map]) -> None:
    """Pin what is about to be attached. Raises KernelError, OSError."""
    for program in programs:
        pin(program.fd, paths.programs / str(program.info.id))
    for host in hosts:
        pin(host.fd, paths.hosts / str(host.info.id))


def drop_all_but(paths: Paths, programs: Iterable[int], maps: Iterable[int]) -> None:
    """Drop the pins of what has another id. Raises OSError."""
    for folder, ids in ((paths.programs, programs), (paths.hosts, maps)):
        kept = {str(number) for number in ids}
        for pinned in list(pins_in(folder)):
            if pinned.name not in kept:
                pinned.unlink(missing_ok=True)


def describe(number: int, places: Sequence[Paths]) -> ProgramInfo | None:
    """What runs under an id; None if it is gone. What may not be looked at has an id and nothing else."""
    for paths in places:
        with suppress(NotFoundError), open_program(paths.programs / str(number)) as program:
            if program.info.id == number:
                return program.info
    try:
        return describe_program(number)
    except NotPermittedError:
        return ProgramInfo(number, "", "", 0, ())


def host_values(program: ProgramInfo, places: Sequence[Paths]) -> bytes:
    """A program's `struct host`, empty if it has none, or if it may not be looked at."""
    for number in program.map_ids:
        for paths in places:
            with suppress(NotFoundError), open_map(paths.hosts / str(number)) as pinned:
                if pinned.info.id == number:
                    return pinned.lookup(bytes(4))
    for number in program.map_ids:  # of the first release
        with suppress(NotFoundError, NotPermittedError), Map.by_id(number) as candidate:
            if candidate.info.name == HOST_SECTION:
                return candidate.lookup(bytes(4))
    return b""
