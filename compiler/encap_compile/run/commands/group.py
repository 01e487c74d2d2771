"""The group that the verbs of `encapctl` belong to, and the names of those that are still to come."""

from __future__ import annotations

from copy import copy

import click

from ... import __version__
from ...common.command_line import debug_option
from ...common.diagnostics import DiagnosedError, Diagnostic, Exit
from .apply import apply_command
from .doctor import doctor_command
from .explain import explain_command
from .plan import plan_command
from .remove import remove_command
from .run import run_command
from .stats import stats_command
from .status import status_command
from .sweep import sweep_command
from .unit import unit_command

LATER = ("rollback", "why", "drops", "trace", "endpoints")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@debug_option
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Put bundles that encap-compile built into this machine's hooks, and keep them there.

    A bundle is a directory, build/NAME. Everything is done in the network namespace that encapctl runs in.

    Environment: ENCAP_ATTACH (auto, tcx, clsact), ENCAP_BPFFS (/sys/fs/bpf), ENCAP_STATE (/run/encap),
    ENCAP_KEPT (/var/lib/encap), ENCAP_JOURNAL (/var/lib/encap/journal), ENCAP_LIBBPF (libbpf.so.1).

    Exit codes: 0 done, 1 the bundle is wrong, 2 usage, 3 drift or pending change, 5 the kernel refused,
    6 this machine is not ready, 70 a bug of ours.
    """


for _verb in (
    plan_command,
    apply_command,
    doctor_command,
    run_command,
    unit_command,
    status_command,
    stats_command,
    remove_command,
    sweep_command,
    explain_command,
):
    cli.add_command(_verb)

_former = copy(run_command)  # systemd units of earlier releases call it so
_former.hidden = True
cli.add_command(_former, "watch")


def _later(name: str) -> None:
    @cli.command(name, hidden=True, context_settings={"ignore_unknown_options": True})
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    def refuse(words: tuple[str, ...]) -> None:
        words_ = f"`encapctl {name}` is not in this release"
        raise DiagnosedError([Diagnostic("H100", words_, help="`encapctl --help` lists what is")], Exit.USAGE)


for _name in LATER:
    _later(_name)
