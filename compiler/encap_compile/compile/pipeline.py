"""From a spec's path to a bundle: the phases in order, each stopping on its errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import __version__
from ..common import manifest, manifest_io
from ..common.diagnostics import DiagnosedError, Diagnostic, Exit, Findings, Place
from ..common.regular_file import MOST_BYTES_OF_ROWS, read_regular
from . import artifacts, last_build
from .in_order import in_order
from .positions import positions
from .stack_depth import check_stack_depth

if TYPE_CHECKING:
    from .description import Described
    from .spec import Spec
    from .toolchain.process import Process


class Compiled(NamedTuple):
    """A bundle in memory, with the warnings met on the way, and from what it was built."""

    manifest: manifest.Manifest
    files: dict[str, bytes]
    warnings: tuple[Diagnostic, ...] = ()
    unchanged: bool = False
    changes: tuple[artifacts.Change, ...] = ()
    built: last_build.LastBuild = last_build.NOTHING


def check_spec(path: str) -> tuple[Spec, Described, dict[str, bytes], Findings]:
    """Read, check and lower a spec: (spec, described, its data files by bundle name, findings without errors).

    Raises DiagnosedError with everything that the first bad phase found.
    """
    from . import checks
    from .description import describe
    from .frontend.load import load_spec
    from .lower import lower
    from .resolved import resolve

    spec = load_spec(path)
    findings = checks.run(spec)
    findings.stop_on_errors()
    spec = in_order(spec)
    resolved = resolve(spec)
    described = describe(resolved, lower(resolved, __version__))
    program = described.program
    of_counters = program.counters_size * program.counter_entries
    checks.run_lowered(spec, len(program.counters), of_counters, findings)
    findings.stop_on_errors()
    data = {name: text.encode() for name, text in described.prefix_files.items()}
    data |= _rows(spec, described, findings)
    findings.stop_on_errors()
    return spec, described, data, findings


def _rows(spec: Spec, described: Described, findings: Findings) -> dict[str, bytes]:
    """Every table's rows, checked, as they go into the bundle."""
    from ..common.rows import read_rows
    from . import checks
    from .inline_rows import check_inline_rows, rows_to_csv

    found = {}
    encoded = {}
    for table in described.manifest.tables:
        written = spec.endpoints[table.name]
        if written.file is not None:
            path = rows_path(spec.path, written.file)
            encoded[table.name] = read_rows(table, str(path), findings)
            found[table.file] = path.read_bytes() if path.is_file() and not findings.errors else b""
        else:
            encoded[table.name] = check_inline_rows(written, table, findings)
            if table.file:
                found[table.file] = rows_to_csv(written).encode()
    checks.run_with_rows(described.resolved, encoded, findings)
    return found


def rows_path(spec_path: str, file: str) -> Path:
    """A file that a spec names is relative to the spec."""
    return Path(spec_path).parent / file


def render_code(described: Described) -> dict[str, bytes]:
    """The C and the headers it includes, and what applications are told, by name."""
    from .toolchain.clang_format import formatted

    with _start_rendering(described) as rendering:
        return {**_code(described, formatted(rendering.done())), **_contract(described)}


def _start_rendering(described: Described) -> Process:
    from .render.templates import TEMPLATES, render
    from .toolchain.clang_format import start_format

    return start_format(render(described.program), TEMPLATES / "clang-format.yaml")


def _code(described: Described, text: str) -> dict[str, bytes]:
    from .render.templates import included

    files = {f"{described.program.name}.bpf.c": text, **included(text)}
    return {name: content.encode() for name, content in files.items()}


def _contract(described: Described) -> dict[str, bytes]:
    """The files for applications whose sockets may choose, by name."""
    if described.contract is None:
        return {}
    from .render.templates import TEMPLATES, render_contract
    from .toolchain.clang_format import format_c

    files = render_contract(described.contract)
    style = TEMPLATES / "clang-format.yaml"
    return {n: (format_c(text, style) if n.endswith(".h") else text).encode() for n, text in files.items()}


def compile_spec(path: str, out: Path, clang: str = "", write: bool = True, rebuild: bool = False) -> Compiled:
    """Compile one spec into OUT/NAME. Raises DiagnosedError.

    A bundle that is up to date by its hashes is built again only with `rebuild`: whoever can edit a file can edit its
    hash.
    """
    up_to_date = None if rebuild else _up_to_date(path, out, clang)
    if up_to_date is not None:
        return up_to_date
    with _inputs_stay():
        spec, described, data, findings = check_spec(path)
        named = _named_files(spec)
    complete, files = _build(spec, described, data, clang)
    built = last_build.LastBuild(spec.sha256, named, _hashes(files), positions(spec))
    made = Compiled(complete, files, tuple(findings.warnings), False, (), built)
    return made._replace(changes=tuple(write_bundle(made, out / spec.name))) if write else made


def write_bundle(made: Compiled, directory: Path) -> list[artifacts.Change]:
    """Write what differs. Raises DiagnosedError T107."""
    changes = artifacts.write(directory, made.files)
    last_build.save(directory, made.built)
    return changes


def _build(
    spec: Spec, described: Described, data: dict[str, bytes], clang: str
) -> tuple[manifest.Manifest, dict[str, bytes]]:
    """The manifest, and every file. What needs neither clang-format's answer nor clang's is done while they work."""
    with _start_rendering(described) as rendering:
        from .toolchain.build import building
        from .toolchain.clang import FLAGS, find_clang
        from .toolchain.clang_format import formatted

        found = find_clang(clang)
        code = _code(described, formatted(rendering.done()))
    with building(found, described.program.name, code) as build:
        toolchain = manifest.Toolchain("clang", build.version(), found.source, FLAGS)
        inputs = manifest.Inputs(Path(spec.path).name, *artifacts.compiler_inputs())
        known = replace(described.manifest, toolchain=toolchain, inputs=inputs)
        data = {**_contract(described), **data}
        built = build.built()
        check_stack_depth(built)
        return artifacts.finish(known, code, built, data)


@contextmanager
def _inputs_stay() -> Iterator[None]:
    """T108 for a file that was there when it was checked, and is not when it is read again."""
    try:
        yield
    except OSError as error:
        words = f"a file that the spec names went away while it was read: {error.strerror}"
        raise DiagnosedError(
            [Diagnostic("T108", words, Place(str(error.filename)), "compile again when it is back")], Exit.SPEC
        ) from None


def _named_files(spec: Spec) -> dict[str, str]:
    """The hashes of the files that a spec names, as it names them."""
    named = [t.file for t in spec.endpoints.values() if t.file] + [s.file for s in spec.sets.values() if s.file]
    return _hashes({name: rows_path(spec.path, name).read_bytes() for name in named})


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: sha256(data).hexdigest() for name, data in files.items()}


def _up_to_date(path: str, out: Path, clang: str) -> Compiled | None:
    """The bundle in `out` if it was made from these very inputs by this very compiler, and nobody touched it since."""
    import re

    try:
        text = read_regular(Path(path))
    except OSError:
        return None
    # The name decides the folder. A wrong guess costs nothing: the hashes decide.
    name = re.search(rb"^name:\s*[\"']?([a-z][a-z0-9-]*)", text, re.MULTILINE)
    if name is None:
        return None
    directory = out / name.group(1).decode()
    built = last_build.load(directory)
    if built is None or built.spec_sha256 != sha256(text).hexdigest():
        return None
    files = artifacts.read(directory, list(built.files))
    if artifacts.MANIFEST not in files or _hashes(files) != built.files:
        return None
    try:
        old = manifest_io.loads(files[artifacts.MANIFEST].decode(), str(directory / artifacts.MANIFEST))
    except (UnicodeDecodeError, DiagnosedError):
        return None
    if old.inputs.spec != Path(path).name:
        return None
    if (old.inputs.compiler, old.inputs.compiler_sha256) != artifacts.compiler_inputs() or not _same_clang(old, clang):
        return None
    for file, digest in built.inputs.items():
        try:
            if sha256(read_regular(rows_path(path, file), MOST_BYTES_OF_ROWS)).hexdigest() != digest:
                return None
        except OSError:
            return None
    return Compiled(old, files, unchanged=True, built=built)


def _same_clang(old: manifest.Manifest, clang: str) -> bool:
    from .toolchain.clang import FLAGS, find_clang

    found = find_clang(clang)
    if old.toolchain.source != found.source or old.toolchain.flags != FLAGS:
        return False
    if found.source == "pinned":  # by the package that also holds this code
        return True
    from .toolchain.start import clang_version

    return clang_version(found) == old.toolchain.version
