"""Every known header, found by looking into `compile/headers/protocols/`: adding a protocol is adding a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from traceback import extract_tb
from types import MappingProxyType

from ...common.diagnostics import Findings, Place
from . import protocols
from .mistakes import mistakes, mistakes_together
from .model import Field, Header, NextProtocol

# `ip` in a spec is ipv4 or ipv6, whichever the row's address is. These are the words it may set, and what each is
# called in the two headers.
IP_FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "source": {"ipv4": "source", "ipv6": "source"},
        "destination": {"ipv4": "destination", "ipv6": "destination"},
        "dscp": {"ipv4": "dscp", "ipv6": "dscp"},
        "ttl": {"ipv4": "ttl", "ipv6": "hop_limit"},
    }
)
FAMILIES = ("ipv4", "ipv6")


@cache
def headers() -> Mapping[str, Header]:
    """Headers by name, sorted by name. DiagnosedError (E570) with every mistake of every description."""
    findings = Findings()
    found: dict[str, Header] = {}
    files: dict[str, str] = {}
    for finder, module, _ in sorted(iter_modules(protocols.__path__), key=lambda m: m.name):
        file = str(Path(getattr(finder, "path", "")) / f"{module}.py")
        header = _load(module, file, findings)
        if header is None:
            continue
        if header.name in found:
            _report(findings, file, f"name: {Path(files[header.name]).name} describes `{header.name}`: rename one")
        found[header.name] = header
        files[header.name] = file
    for name, header in found.items():
        for mistake in mistakes(header):
            _report(findings, files[name], mistake)
    known = _with_numbers(found)
    for name, mistake in mistakes_together(known):
        _report(findings, files[name], mistake)
    findings.stop_on_errors()
    return MappingProxyType(dict(sorted(known.items())))


def _load(module: str, file: str, findings: Findings) -> Header | None:
    """The description in a file; None, and a finding, if it is no Python or describes nothing."""
    try:
        header = getattr(import_module(f"{protocols.__name__}.{module}"), "HEADER", None)
    except Exception as error:  # whatever the file does wrong
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == file]
        wrong = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else 0
        said = error.msg if isinstance(error, SyntaxError) else error
        words = f"the description of a header cannot be read: {type(error).__name__}: {said}"
        findings.error("E570", words, Place(file, wrong or 0), "correct the Python of that file")
        return None
    if isinstance(header, Header):
        return header
    findings.error("E570", "the description of a header is wrong: no HEADER", Place(file), "write HEADER = Header(...)")
    return None


def _report(findings: Findings, file: str, mistake: str) -> None:
    what, _, instead = mistake.rpartition(": ")
    findings.error("E570", f"the description of a header is wrong: {what}", Place(file, 0, 0), instead)


def _with_numbers(found: Mapping[str, Header]) -> dict[str, Header]:
    """The same headers, each with the numbers that others state for it in spaces of their own."""
    stated: dict[str, dict[str, int]] = {}
    for header in found.values():
        for field in header.fields():
            if isinstance(field.role, NextProtocol):
                for name, number in field.role.numbers.items():
                    stated.setdefault(name, {})[field.role.space] = number
    return {
        name: replace(header, announced_as=MappingProxyType({**header.announced_as, **stated[name]}))
        if name in stated
        else header
        for name, header in found.items()
    }


def resolve(name: str, family: str) -> Header:
    """The header that `name` stands for when the outer family is `family`. KeyError if there is none."""
    return headers()[family if name == "ip" else name]


def settable(name: str) -> dict[str, Field]:
    """The fields that a spec may set under `name`, `ip` included, by the word the spec uses."""
    if name != "ip":
        return headers()[name].settable()
    return {word: headers()["ipv4"].field(names["ipv4"]) for word, names in IP_FIELDS.items()}


def instance_names(names: Sequence[str]) -> list[str]:
    """What headers of a stack are called where each needs a name of its own: `udp`, and the second one `udp_2`."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(f"{name}_{seen[name]}" if seen[name] > 1 else name)
    return found
