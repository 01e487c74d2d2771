"""Looking for pins where they are: in the bpf filesystem that the bundle was applied with."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit
from ..kernel.bpffs import is_bpffs, require_bpffs
from ..kernel.mounts import bpffs_still_mounted, instance_of, shares_the_machines_mounts
from .paths import Paths
from .state import from_another_namespace
from .state_files import load


def require_pins(paths: Paths) -> None:
    """What is pinned can be seen from here, as it could when it was applied; for verbs that pin nothing.

    On a machine without a bpf filesystem nothing is pinned. Raises DiagnosedError (H102, H130, H131).
    """
    if is_bpffs(paths.bpffs) or not shares_the_machines_mounts():
        require_bpffs(paths.bpffs)
    require_same_bpffs(paths)


def require_same_bpffs(paths: Paths) -> None:
    """Raises DiagnosedError (H131) if the bundle is pinned in another bpf filesystem that is still mounted."""
    state = load(paths.state)
    if state is None or not state.bpffs_instance or from_another_namespace(state):
        return
    if _instance(paths.bpffs) == state.bpffs_instance or not bpffs_still_mounted(
        state.bpffs_instance, Path(state.bpffs)
    ):
        return
    words = f"{paths.bundle} is pinned in another bpf filesystem than the one at {paths.bpffs}: that at {state.bpffs}"
    fix = f"say --bpffs {quote(state.bpffs)}"
    if _instance(Path(state.bpffs)) != state.bpffs_instance:
        words += ", which another mount hides"
        fix = f"unmount what is mounted over it: `umount {quote(state.bpffs)}`"
    raise DiagnosedError([Diagnostic("H131", words, help=fix)], Exit.MACHINE)


def _instance(path: Path) -> str:
    try:
        return instance_of(path)
    except OSError:
        return ""
