"""Taking the pins and the state of a bundle away."""

from __future__ import annotations

from ..kernel.pins import pins_in, remove_empty
from .paths import Paths
from .state_files import forget


def erase(paths: Paths) -> int:
    """Remove every pin, the folders that are then empty, and the state; the number of maps unpinned. Raises OSError."""
    maps = list(pins_in(paths.maps))
    folders = (paths.maps, paths.links, paths.programs, paths.hosts)
    for pinned in [pinned for folder in folders for pinned in pins_in(folder)]:
        pinned.unlink(missing_ok=True)
    for folder in folders:
        remove_empty(folder, paths.bpffs)
    forget(paths.state)
    return len(maps)
