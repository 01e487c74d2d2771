"""`encapctl unit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...common.diagnostics import Exit
from .arguments import given, requesting
from .context import Context


@click.command("unit")
@requesting()
@click.option("--watch", "stays", is_flag=True, help="Let the service stay and follow devices, addresses and cgroups.")
@click.option(
    "--into",
    default="/etc/systemd/system",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder that the unit is written to.",
)
@click.option(
    "--managers",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Below DIR, as /etc, tell systemd-networkd and NetworkManager to leave the route device and its routes alone.",
)
@click.option("--print", "shows", is_flag=True, help="Print the unit, and write nothing.")
@click.pass_obj
def unit_command(
    context: Context, /, stays: bool, into: Path, managers: Path | None, shows: bool, **options: Any
) -> int:
    """Write a systemd unit that applies the bundle at boot, and the copy on disk that it applies.

    The copy (in /var/lib/encap, or ENCAP_KEPT) holds the bundle, the host file, rows and settings; each later apply
    writes it again. Options are those of apply.
    """
    from ..api.options import request
    from ..unit import make_unit

    made = make_unit(request(*given(**options)), stays, into, not shows, managers)
    if made.file is None:
        click.echo(made.text, nl=False)
        return Exit.DONE
    click.echo(f"{made.name}: wrote {made.file}, and what it applies to {made.copy}")
    for place in made.settings:
        click.echo(f"  {place}")
    click.echo(f"Next: systemctl daemon-reload && systemctl enable --now {made.file.name}")
    return Exit.DONE
