"""From a spec's path to a bundle: the phases in order, each stopping on its errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from . import bundle, manifest, manifest_io
from .diagnostics import DiagnosedError, Diagnostic, Exit, Findings, Place

if TYPE_CHECKING:
    from .lower import Lowered
    from .spec import Spec


@dataclass(frozen=True)
class Compiled:
    """A bundle in memory, with the warnings met on the way."""

    manifest: manifest.Manifest
    files: dict[str, bytes]
    warnings: tuple[Diagnostic, ...] = ()
    unchanged: bool = False
    changes: list[bundle.Change] = field(default_factory=list)


def check_spec(path: str) -> tuple[Spec, Lowered, dict[str, bytes], Findings]:
    """Read, check and lower a spec: (spec, lowered, its data files by bundle name, findings without errors).

    Raises DiagnosedError with everything that the first bad phase found.
    """
    from . import checks
    from .frontend.load import load_spec
    from .lower import lower

    spec = load_spec(path)
    findings = checks.run(spec)
    findings.stop_on_errors()
    version, _ = bundle.compiler_inputs()
    lowered = lower(spec, version)
    data = {name: text.encode() for name, text in lowered.prefix_files.items()}
    data |= _rows(spec, lowered, findings)
    findings.stop_on_errors()
    return spec, lowered, data, findings


def _rows(spec: Spec, lowered: Lowered, findings: Findings) -> dict[str, bytes]:
    """Every table's rows, judged, as they go into the bundle."""
    from . import checks
    from .rows import check_inline_rows, read_rows, rows_to_csv

    found = {}
    encoded = {}
    for table in lowered.manifest.tables:
        written = spec.endpoints[table.name]
        if written.file is not None:
            path = rows_path(spec.path, written.file)
            encoded[table.name] = read_rows(table, str(path), findings)
            found[table.file] = path.read_bytes() if path.is_file() else b""
        else:
            encoded[table.name] = check_inline_rows(written, table, findings)
            if table.file:
                found[table.file] = rows_to_csv(written).encode()
    checks.run_with_rows(spec, encoded, findings)
    return found


def rows_path(spec_path: str, file: str) -> Path:
    """A file that a spec names is relative to the spec."""
    return Path(spec_path).parent / file


def render_code(lowered: Lowered) -> dict[str, bytes]:
    """The C and the headers it includes, by name."""
    from .render.templates import TEMPLATES, include_text, render
    from .toolchain.clang_format import format_c

    text = format_c(render(lowered.program), TEMPLATES / "clang-format.yaml")
    return {
        f"{lowered.program.name}.bpf.c": text.encode(),
        **{name: include_text(name).encode() for name in lowered.program.includes},
    }


def compile_spec(path: str, out: Path, clang: str = "", write: bool = True, anew: bool = False) -> Compiled:
    """Compile one spec into OUT/NAME. Raises DiagnosedError.

    What is up to date by its hashes is not built again, except `anew`: who can edit a file can edit its hash, too.
    """
    up_to_date = None if anew else _up_to_date(path, out, clang)
    if up_to_date is not None:
        return up_to_date
    try:
        spec, lowered, data, findings = check_spec(path)
        inputs = _inputs(spec)
    except OSError as error:  # it could be read when its row was judged
        words = f"a file that the spec names went away while it was read: {error.strerror}"
        raise DiagnosedError(
            [Diagnostic("T108", words, Place(str(error.filename)), "compile again when it is back")], Exit.SPEC
        ) from None
    code = render_code(lowered)
    made = _build(lowered, code, data, clang, inputs)
    changes = bundle.write(out / spec.name, made.files) if write else []
    return Compiled(made.manifest, made.files, tuple(findings.warnings), False, changes)


def _build(
    lowered: Lowered, code: dict[str, bytes], data: dict[str, bytes], clang: str, inputs: manifest.Inputs
) -> Compiled:
    from .toolchain.clang import FLAGS, build_object, clang_version, find_clang

    found = find_clang(clang)
    toolchain = manifest.Toolchain("clang", clang_version(found), found.source, FLAGS)
    built = build_object(found, lowered.program.name, code)
    files = bundle.finish(lowered.manifest, code, data, built, toolchain, inputs)
    return Compiled(manifest_io.loads(files[bundle.MANIFEST].decode(), bundle.MANIFEST), files)


def _inputs(spec: Spec) -> manifest.Inputs:
    version, digest = bundle.compiler_inputs()
    named = [t.file for t in spec.endpoints.values() if t.file] + [s.file for s in spec.sets.values() if s.file]
    files = {name: sha256(rows_path(spec.path, name).read_bytes()).hexdigest() for name in sorted(set(named))}
    return manifest.Inputs(Path(spec.path).name, spec.sha256, files, version, digest)


def _up_to_date(path: str, out: Path, clang: str) -> Compiled | None:
    """The bundle in `out` if it was made from these very inputs by this very compiler, and nobody touched it since."""
    import re

    try:
        text = Path(path).read_bytes()
    except OSError:
        return None
    # The name decides the folder. A wrong guess costs nothing: the hashes decide.
    name = re.search(rb"^name:\s*[\"']?([a-z][a-z0-9-]*)", text, re.MULTILINE)
    if name is None:
        return None
    directory = out / name.group(1).decode()
    try:
        old = manifest_io.load(directory / bundle.MANIFEST)
    except DiagnosedError:
        return None
    if old.inputs.spec_sha256 != sha256(text).hexdigest() or old.inputs.spec != Path(path).name:
        return None
    if (old.inputs.compiler, old.inputs.compiler_sha256) != bundle.compiler_inputs() or not _same_clang(old, clang):
        return None
    files = bundle.read(directory, list(old.files))
    if {n: sha256(data).hexdigest() for n, data in files.items()} != old.files:
        return None
    code = {n: data for n, data in files.items() if n.endswith((".c", ".h"))}
    if manifest_io.identity(old, code) != old.identity:
        return None
    for file, digest in old.inputs.files.items():
        try:
            if sha256(rows_path(path, file).read_bytes()).hexdigest() != digest:
                return None
        except OSError:
            return None
    return Compiled(old, files, unchanged=True)


def _same_clang(old: manifest.Manifest, clang: str) -> bool:
    from .toolchain.clang import FLAGS, clang_version, find_clang

    found = find_clang(clang)
    if old.toolchain.source != found.source or old.toolchain.flags != FLAGS:
        return False
    # The pinned clang is pinned by the package that also holds this code.
    return found.source == "pinned" or clang_version(found) == old.toolchain.version
