"""Links in pins: what attach kinds share whose programs are held by a BPF link, and the link by a pin.

A pin is called `POINT_TARGET`, as egress_7: by number, since bpffs refuses names with a dot in them, and devices are
called bond0.120.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import NotPermittedError
from ..links import Link
from ..pins import open_link, pin, pins_in
from ..programs import describe_program
from .base import Hook, OnHook, Owner, Point


def live_link(owner: Owner, hook: Hook) -> Link | None:
    """The pinned link if it still is on its target, which may be gone, or its number be another's by now."""
    link = open_link(_path(owner, hook))
    if link is not None and link.info.target != hook.target:
        link.close()
        return None
    return link


def is_on(owner: Owner, hook: Hook) -> bool:
    """Whether the pinned link is on its target, so that this is not gone."""
    link = live_link(owner, hook)
    if link is None:
        return False
    link.close()
    return True


def keep(owner: Owner, hook: Hook, link: Link) -> None:
    """Pin a new link. Killed before, it goes away with the process: nothing is left half done."""
    pin(link.fd, _path(owner, hook))


def detach(owner: Owner, hook: Hook) -> None:
    """Detach the pinned link and remove the pin. Nothing happens if there is none."""
    path = _path(owner, hook)
    link = open_link(path)
    if link is None:
        return
    with link:
        if link.info.target:
            link.detach()
    path.unlink(missing_ok=True)


def pinned_hooks(owner: Owner, points: Iterable[Point]) -> list[Hook]:
    """The hooks of these points that a pin is named after."""
    by_word = {point.word: point for point in points}
    found = []
    for path in pins_in(owner.links):
        word, _, number = path.name.partition("_")
        if word in by_word and number.isdigit():
            found.append(Hook(int(number), by_word[word]))
    return found


def listed(kind: str, owner: Owner, hook: Hook, program_ids: Iterable[int]) -> list[OnHook]:
    """Programs by their ids, ours known by the pinned link."""
    link = live_link(owner, hook)
    ours = 0
    if link is not None:
        with link:
            ours = link.info.program_id
    found = []
    for number in program_ids:
        found.append(OnHook(kind, number, _name(number), number == ours))
    return found


def _name(number: int) -> str:
    """The name of anybody's program; empty if it is gone, or if we may not look at it (CAP_SYS_ADMIN is missing)."""
    try:
        program = describe_program(number)
    except NotPermittedError:
        return ""
    return program.name if program else ""


def _path(owner: Owner, hook: Hook) -> Path:
    return owner.links / f"{hook.point.word}_{hook.target}"
