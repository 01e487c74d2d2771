"""Taking over what another bundle runs: its links, its maps and its state become this one's.

A pin is renamed, which changes nothing for packets: the old program runs on, and is from then on this bundle's to
replace in one step. A clsact filter has no pin; it is replaced in its place, see `kernel.hooks.clsact`. What is left of
the other bundle goes last. Killed anywhere, the state says what is being replaced, and the next apply goes on.
"""

from __future__ import annotations

from dataclasses import replace

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit, Findings
from ...common.folders import PRIVATE, make_folders
from ..kernel.hooks.base import AttachKind, Hook
from ..kernel.hooks.choose import KINDS
from ..kernel.pins import pins_in
from .bundle import NAME
from .erase import erase
from .kept_folder import concerns_this_namespace, is_kept
from .observe import Observed, state_of
from .paths import Paths
from .state import State
from .state_files import load, save


def with_former(paths: Paths, wanted: str) -> Paths:
    """The paths of a bundle that replaces `wanted`, or goes on to replace what an interrupted apply had begun with.

    Raises DiagnosedError (H140) for a name that cannot be replaced.
    """
    if not wanted:
        state = load(paths.state)
        return replace(paths, former=state.replaces) if state is not None else paths
    if wanted == paths.bundle or not NAME.fullmatch(wanted):
        words = f"--replace {wanted}: the name of another bundle is expected"
        raise DiagnosedError([Diagnostic("H140", words, help="`encapctl status` lists what runs here")], Exit.USAGE)
    return replace(paths, former=wanted)


def judge(paths: Paths, asked: str, observed: Observed, findings: Findings) -> None:
    """Say what becomes of sockets (H141); H140 if there is nothing to replace, an error if that looks like a slip."""
    if observed.former_left:
        old = load(paths.named(paths.former).state)
        if old is not None and old.manifest is not None and old.manifest.contract:
            words = (
                f"sockets that chose under {paths.former} keep their choice, but applications that ask by its socket "
                "option level get ENOPROTOOPT from now on"
            )
            findings.note("H141", words, help=f"build them with {paths.bundle}.h, or load its Python module")
        if is_kept(paths.former) and concerns_this_namespace():
            words = f"this machine still boots with {paths.former}, from the copy that its unit applies"
            fix = (
                f"write a unit for {paths.bundle} with `encapctl unit`, enable it, then `systemctl disable "
                f"encap-{paths.former}` and `encapctl remove {paths.former}`"
            )
            findings.warning("H148", words, help=fix)
    elif asked:
        words = f"nothing of {asked} is on this machine, in this network namespace"
        if observed.state is not None and observed.state.manifest is not None:
            findings.note("H140", f"{words}: {paths.bundle} has replaced it, or it never ran")
        else:
            findings.error("H140", words, help="`encapctl status` lists what runs here")


def adopt(paths: Paths) -> State | None:
    """Make the former bundle's pins and state this one's, under the lock; the state. Raises OSError."""
    old = paths.named(paths.former)
    state = state_of(paths)
    if state is not None:
        state = replace(state, replaces=paths.former)
        save(paths.state, state)
    folders = (
        (old.maps, paths.maps),
        (old.links, paths.links),
        (old.programs, paths.programs),
        (old.hosts, paths.hosts),
    )
    for source, target in folders:
        for pinned in list(pins_in(source)):
            make_folders(target, PRIVATE)
            if not (target / pinned.name).exists():  # both have a link on that hook: the former one's is detached last
                pinned.rename(target / pinned.name)
    return state


def drop_former(paths: Paths) -> None:
    """Detach what is left of the former bundle, and forget it. Raises KernelError, OSError."""
    old = paths.named(paths.former)
    for hook, kind in sorted(attached(old), key=lambda found: -found[0].point.rank):
        kind.detach(old.owner, hook)
    erase(old)


def attached(paths: Paths) -> list[tuple[Hook, AttachKind]]:
    """Every hook that has a program of the bundle on it, or a leftover of one, with its attach kind."""
    return [(hook, kind) for kind in KINDS.values() for hook in kind.attached(paths.owner)]
