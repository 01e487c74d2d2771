"""Options of headers: each of its own kind and name, and together they fit."""

from __future__ import annotations

from ...common.diagnostics import Findings, Place
from ..headers.catalogue import headers
from ..headers.model import Options
from ..spec import HeaderUse, Spec

HEAD = 4  # bytes


def check(spec: Spec, findings: Findings) -> None:
    """E427 what cannot stand beside what else there is."""
    lengths: dict[tuple[str, str], tuple[int, Place]] = {}
    for encapsulation in spec.encapsulations.values():
        for use in encapsulation.headers:
            _together(use, findings)
            for option in use.options:
                length, first = lengths.setdefault((use.name, option.name), (option.length, option.place))
                if length != option.length:
                    said = f"`received.{use.name}.{option.name}`"
                    words = f"{said} is of {option.length} bytes, and of {length} elsewhere"
                    related = ((first, "the other"),)
                    findings.error("E427", words, option.place, "rename one of them", related=related)


def _together(use: HeaderUse, findings: Findings) -> None:
    names: dict[str, Place] = {}
    kinds: dict[tuple[int, int], Place] = {}
    size = 0
    for option in use.options:
        size += HEAD + option.length
        if option.name in headers()[use.name].settable():
            words = f"`received.{use.name}.{option.name}` is a field of the header already"
            findings.error("E427", words, option.place, "rename the option")
        if option.name in names:
            related = ((names[option.name], "the first"),)
            findings.error("E427", f"two options are called {option.name}", option.place, "rename one", related=related)
        kind = (option.option_class, option.kind)
        if kind in kinds:
            words = f"a second option of class {kind[0]:#06x} and type {kind[1]:#04x}"
            findings.error("E427", words, option.place, "keep one of them", related=((kinds[kind], "the first"),))
        names.setdefault(option.name, option.place)
        kinds.setdefault(kind, option.place)
    variable = headers()[use.name].variable if use.options else None
    most = variable.role.most if variable is not None and isinstance(variable.role, Options) else size
    if size > most:
        words = f"the options are {size} bytes long, with {HEAD} for the head of each"
        findings.error("E427", words, use.options[-1].place, f"{most} is the most that the header can count")
