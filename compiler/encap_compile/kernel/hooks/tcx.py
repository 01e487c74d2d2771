"""TCX (Linux 6.6): the program is held by a link, the link by a pin; replaced by BPF_LINK_UPDATE."""

from __future__ import annotations

from pathlib import Path

from ..constants import BPF_TCX_EGRESS, BPF_TCX_INGRESS
from ..errors import KernelError
from ..links import Link, programs_on
from ..pins import open_link, pin, pins_in
from ..programs import describe_program
from .base import Direction, OnHook, Owner

_TYPES = {Direction.INGRESS: BPF_TCX_INGRESS, Direction.EGRESS: BPF_TCX_EGRESS}


class Tcx:
    """See `AttachKind`."""

    name = "tcx"

    def programs(self, owner: Owner, ifindex: int, direction: Direction) -> list[OnHook]:
        try:
            ids = programs_on(ifindex, _TYPES[direction])
        except KernelError as error:
            if error.errno == 22:  # EINVAL: before 6.6
                return []
            raise
        ours = self._program_id(owner, ifindex, direction)
        found = []
        for number in ids:
            program = describe_program(number)
            found.append(OnHook(self.name, number, program.name if program else "", number == ours))
        return found

    def attach(self, owner: Owner, ifindex: int, direction: Direction, program_fd: int) -> None:
        path = _path(owner, ifindex, direction)
        link = _live(path, ifindex)
        if link is not None:
            with link:
                link.update(program_fd)
            return
        # Killed before the pin, the link goes away with the process: nothing is left half done.
        with Link.create_tcx(program_fd, ifindex, _TYPES[direction]) as link:
            pin(link.fd, path)

    def detach(self, owner: Owner, ifindex: int, direction: Direction) -> None:
        path = _path(owner, ifindex, direction)
        link = open_link(path)
        if link is None:
            return
        with link:
            if link.info.ifindex:
                link.detach()
        path.unlink(missing_ok=True)

    def tidy(self, owner: Owner) -> None:
        return

    def attached(self, owner: Owner) -> list[tuple[int, Direction]]:
        found = []
        for path in pins_in(owner.links):
            word, _, number = path.name.partition("_")
            if number.isdigit():
                found.append((int(number), Direction(f"tc_{word}")))
        return found

    def _program_id(self, owner: Owner, ifindex: int, direction: Direction) -> int:
        link = _live(_path(owner, ifindex, direction), ifindex)
        if link is None:
            return 0
        with link:
            return link.info.program_id


def _path(owner: Owner, ifindex: int, direction: Direction) -> Path:
    # By number: bpffs refuses names with a dot in them, and devices are called bond0.120.
    return owner.links / f"{direction.word}_{ifindex}"


def _live(path: Path, ifindex: int) -> Link | None:
    """The pinned link if it still is on its device; its device may be gone, or the number be another's by now."""
    link = open_link(path)
    if link is not None and link.info.ifindex != ifindex:
        link.close()
        return None
    return link
