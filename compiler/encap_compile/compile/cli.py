"""`encap-compile`: a spec in, a bundle out; and the verbs beside it. Results on stdout, diagnostics on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from ..common import command_line
from ..common.diagnostics import DiagnosedError, Diagnostic, Exit, Place
from .outcome import Outcome

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from .api.compiling import Built

FORMATS = ("text", "json", "github", "sarif")
LATER = {"diff": "comparing two specs"}


class Verbs(click.Group):
    """A first word that is no verb is a spec: `encap-compile overlay.yaml`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [a for a in args if not a.startswith("-")]
        if args and not (words and words[0] in self.commands) and args[0] not in ("--help", "-h", "--version"):
            args = ["compile", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [*super().shell_complete(ctx, incomplete), CompletionItem(incomplete, type="file")]


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@command_line.debug_option
@click.version_option(__version__, prog_name="encap-compile")
def cli() -> None:
    """Compile a declarative packet-encapsulation spec into specialised, reviewed eBPF C.

    \b
    encap-compile SPEC...            check, render, build into build/NAME/
    encap-compile --check SPEC...    write nothing; exit 3 with a diff if an artifact is stale
    """


def _format(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--format",
        "format_",
        type=click.Choice(FORMATS),
        default="text",
        show_default=True,
        help="Form of diagnostics.",
    )(function)


CLANG = click.option("--clang", default="", metavar="PATH", help="Another clang than the pinned one (or $ENCAP_CLANG).")
SPECS = click.argument("specs", nargs=-1, required=True, type=click.Path(), metavar="SPEC...")
OUT = click.option(
    "-o",
    "--out",
    default="build",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where bundles go: DIR/NAME/.",
)


@cli.command("compile")
@SPECS
@OUT
@click.option("--check", is_flag=True, help="Write nothing; exit 3 and say why if an artifact is stale.")
@CLANG
@_format
def compile_(specs: tuple[str, ...], out: Path, check: bool, clang: str, format_: str) -> None:
    """Check, render and build SPECs into DIR/NAME/ (the default verb)."""
    outcome = Outcome(format_)
    names: dict[str, str] = {}
    for path in specs:
        outcome.run(partial(_one, path, out, check, clang, outcome, names))
    outcome.finish()


def _one(path: str, out: Path, check: bool, clang: str, outcome: Outcome, names: dict[str, str]) -> None:
    from .api.compiling import build

    built = build(path, out, clang=clang, rebuild=check)
    outcome.diagnostics += built.warnings
    name = built.name
    if names.setdefault(name, path) != path:
        help = "give each spec a name of its own"
        raise DiagnosedError([Diagnostic("T109", f"{path} and {names[name]} are both named {name}", help=help)])
    if check:
        _check(built, outcome)
        return
    done = built.write()
    outcome.bundle(name=name, directory=str(done.directory), changed=[c.file for c in done.changes])
    outcome.say(done.text)


def _check(built: Built, outcome: Outcome) -> None:
    stale, directory = built.stale(), str(built.directory)
    outcome.bundle(name=built.name, directory=directory, stale=[{"file": s.path, "why": s.why} for s in stale])
    if not stale:
        outcome.say(f"{built.name}: {directory}/ is what the compiler writes")
        return
    outcome.exit = outcome.exit or Exit.DRIFT
    command = f"encap-compile -o {built.directory.parent} {built.spec}"
    for found in stale:
        outcome.say(f"stale {found.path}: {found.why}\n{found.diff}".rstrip())
        if outcome.format != "text":
            help = f"compile and commit: {command}"
            outcome.diagnostics.append(Diagnostic("T124", f"stale: {found.why}", Place(found.path), help))
    outcome.say(f"compile and commit: {command}")


@cli.command("check")
@SPECS
@_format
def check_(specs: tuple[str, ...], format_: str) -> None:
    """Check SPECs and the rows they name; build and write nothing."""
    from .api.compiling import check

    outcome = Outcome(format_)

    def one(path: str) -> None:
        checked = check(path)
        outcome.diagnostics += checked.warnings
        outcome.bundle(name=checked.name, spec=path)
        outcome.say(f"{path}: right")

    for path in specs:
        outcome.run(partial(one, path))
    outcome.finish()


@cli.command("render")
@click.argument("spec", type=click.Path())
@_format
def render_(spec: str, format_: str) -> None:
    """Print the C of one SPEC."""
    from .api.compiling import render

    outcome = Outcome(format_)

    def one() -> None:
        rendered = render(spec)
        outcome.diagnostics += rendered.warnings
        outcome.results |= {"name": rendered.name, "file": rendered.file, "text": rendered.text}
        outcome.show(rendered.text)

    outcome.run(one)
    outcome.finish()


@cli.command("explain")
@click.argument("what")
@click.option("--packet", default=None, metavar="WORDS", help="What becomes of this packet: words, or FILE.pcap:N.")
@click.option("--connects", default=None, metavar="WORDS", help="What is chosen for a socket that connects.")
@click.option("--arrives", is_flag=True, help="The packet comes in; without it, it leaves.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="Form of results.",
)
def explain_(what: str, packet: str | None, connects: str | None, arrives: bool, format_: str) -> None:
    """Say more about a diagnostic CODE, or what a SPEC does: asked and unasked, or with one packet or socket.

    \b
    encap-compile explain SPEC --packet 'source=10.0.0.5 destination=10.1.0.9 protocol=tcp destination_port=443'
    encap-compile explain SPEC --packet 'encapsulation=vxlan ip.source=192.0.2.10 vxlan.vni=42 source=...'
    encap-compile explain SPEC --packet trace.pcap:3 [--arrives]
    encap-compile explain SPEC --connects 'destination=198.51.100.25 destination_port=587 cgroup=team.slice'
    """
    import re

    if arrives and packet is None:
        raise click.UsageError("--arrives says which way --packet goes: give both")
    if packet is not None and connects is not None:
        raise click.UsageError("--packet and --connects exclude each other")
    if (packet or connects) is not None and re.fullmatch(r"[A-Za-z]\d{3}", what):
        raise click.UsageError(
            f"--{'packet' if connects is None else 'connects'} goes with a spec, and {what} is a code"
        )
    outcome = Outcome(format_)
    if re.fullmatch(r"[A-Za-z]\d{3}", what):
        from ..common.codes import all_codes, document, explain

        try:
            outcome.results |= document(what)
            outcome.show(explain(what))
        except KeyError:
            from ..common.suggest import did_you_mean

            hint = did_you_mean(what.upper(), all_codes(), "codes look like E301")
            raise click.UsageError(f"there is no code {what.upper()}: {hint}") from None
        outcome.finish()

    def one() -> None:
        if packet is not None or connects is not None:
            from .api.testing import explain_connect, explain_packet

            found = (
                explain_packet(what, packet, arrives) if packet is not None else explain_connect(what, connects or "")
            )
            outcome.results |= found.document
            outcome.show(found.text)
            return
        from .api.compiling import explain

        explained = explain(what)
        outcome.diagnostics += explained.warnings
        outcome.results |= explained.document
        outcome.show(explained.text)

    outcome.run(one)
    outcome.finish()


TO_FILE = click.option("-o", "--out", type=click.Path(path_type=Path), help="Write here, if it changed, not to stdout.")


@cli.command("schema")
@TO_FILE
def schema_(out: Path | None) -> None:
    """Print the JSON schema of the language, for editors."""
    from .frontend.schema_document import schema_text

    _to_file(schema_text(), out)


@cli.command("reference")
@click.argument("page", default="spec", type=click.Choice(("spec", "presets")))
@TO_FILE
def reference_(page: str, out: Path | None) -> None:
    """Print the reference of the language, or of its presets, as Markdown."""
    from .frontend.preset_reference import preset_reference
    from .frontend.reference import spec_reference

    _to_file(spec_reference() if page == "spec" else preset_reference(), out)


def _to_file(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        if not out.is_file() or out.read_bytes() != text.encode():
            out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{out} cannot be written: {error.strerror}") from None


@cli.command("init")
@click.argument("path", type=click.Path(path_type=Path), default="overlay.yaml")
def init_(path: Path) -> None:
    """Write a first spec to PATH, to be edited, and beside it the schema for editors."""
    from .frontend.schema_document import schema_text
    from .starter import SCHEMA, STARTER

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER.format(name=path.stem.lower().replace("_", "-").replace(".", "-")))
    except FileExistsError:
        raise click.UsageError(f"{path} is there already, and stays as it is") from None
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from None
    schema = path.with_name(SCHEMA)
    if not schema.exists():
        _to_file(schema_text(), schema)
    click.echo(f"wrote {path}: edit it, then: encap-compile {path}")


@cli.command("doctor")
@CLANG
@_format
def doctor_(clang: str, format_: str) -> None:
    """Say whether this machine can compile, and with what."""
    from .toolchain.clang import find_clang
    from .toolchain.start import clang_version

    outcome = Outcome(format_)

    def one() -> None:
        from .render.templates import TEMPLATES
        from .toolchain.clang_format import format_c

        found = find_clang(clang)
        checks = outcome.results["checks"] = []

        def right(what: str) -> None:
            checks.append(what)
            outcome.show(f"ok  {what}\n")

        right(f"encap-compile {__version__}, Python {sys.version.split()[0]}")
        right(f"clang {clang_version(found)} ({found.source}: {' '.join(found.command)})")
        format_c("int x;\n", TEMPLATES / "clang-format.yaml")
        right("clang-format (pinned)")

    outcome.run(one)
    outcome.finish()


def _later(name: str, what: str) -> None:
    @cli.command(name, hidden=True, context_settings={"ignore_unknown_options": True})
    @click.argument("rest", nargs=-1)
    def later(rest: tuple[str, ...]) -> None:
        raise click.UsageError(f"`{name}` ({what}) is not yet in this release")


for _name, _what in LATER.items():
    _later(_name, _what)


def main() -> None:
    """The entry point. No traceback reaches a user, unless `--debug` asks for it."""
    command_line.main("encap-compile", partial(command_line.run, cli, "encap-compile"))


if __name__ == "__main__":
    main()
