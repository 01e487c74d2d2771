"""All bundles of this network namespace, each looked at as `status` does, and the names of what runs in others."""

from __future__ import annotations

from ..common.diagnostics import DiagnosedError
from ..common.record import Record
from .loader.closing import is_closed
from .loader.desired import require_privilege
from .loader.inventory import Elsewhere, bundles_elsewhere, bundles_here
from .loader.kept_folder import kept_bundles
from .loader.paths import Paths
from .loader.pins_elsewhere import require_pins
from .status import Status, status


class Missing(Record):
    """A bundle that this machine boots with and that is not applied; `closed` says that its prefixes have no route."""

    name: str
    closed: bool


class Overview(Record):
    """`bundles` by name, and those of other namespaces. `missing` have a copy to boot from, and are not applied."""

    bundles: tuple[Status, ...]
    elsewhere: tuple[Elsewhere, ...]
    missing: tuple[Missing, ...] = ()

    @property
    def drift(self) -> bool:
        return any(found.drift for found in self.bundles) or bool(self.missing)


def overview(bpffs: str = "", deep: bool = False) -> Overview:
    """Look at every bundle; change nothing. Raises DiagnosedError (H101, H102, H130, H131), KernelError."""
    require_privilege()
    paths = Paths.of("", bpffs)
    require_pins(paths)
    found = []
    for name in bundles_here(paths):
        try:
            found.append(status(name, None, bpffs, deep))
        except DiagnosedError as error:
            if not all(d.code == "H110" for d in error.diagnostics):
                raise
            # It was removed just now, or an empty folder is left of it.
    applied = {each.name for each in found}
    missing = tuple(Missing(name, is_closed(name)) for name in kept_bundles() if name not in applied)
    return Overview(tuple(found), tuple(bundles_elsewhere(paths)), missing)
