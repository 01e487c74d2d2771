"""What a bundle does, in a few lines for people, from its manifest alone."""

from __future__ import annotations

from collections.abc import Mapping

from ..common import manifest
from . import artifacts
from .positions import line_of


def summary(described: manifest.Manifest, lines_of_spec: Mapping[str, str]) -> str:
    """The default output of `encap-compile`: rules, overhead, needs; each with its spec line."""
    head = f"{described.name}: {described.summary}"
    lines = [f"{head:<76}sha256 {described.identity[:8]}" if described.identity else head]
    names = max((len(rule.name) for rule in described.rules), default=0)
    for direction in ("egress", "ingress"):
        label = direction
        for rule in (r for r in described.rules if r.direction == direction):
            lines.append(_line(label, rule, max(names, 9), lines_of_spec))
            label = ""
    overheads: dict[int, list[str]] = {}
    for stack in described.stacks:
        overheads.setdefault(stack.overhead, []).append(stack.name)
    if overheads:
        said = ", ".join(f"{size} bytes ({', '.join(names)})" for size, names in sorted(overheads.items()))
        lines.append(f"  overhead  {said}: inner packets up to {1500 - max(overheads)} on a 1500 path")
    machine = ", ".join(f"{h.name} ({h.type}{f', default {h.default}' if h.default else ''})" for h in described.host)
    lines.append(f"  needs     kernel {described.kernel}{f'; per machine: {machine}' if machine else ''}")
    return "\n".join(lines)


def _line(label: str, rule: manifest.RuleSummary, width: int, lines: Mapping[str, str]) -> str:
    text = rule.text
    if rule.name == "default":
        text = "everything else: " + ("pass, unencapsulated" if rule.text == "pass" else "drop")
    return f"  {label:<9} {rule.name:<{width}} {text:<54} {line_of(rule.place, lines)}".rstrip()


def written(described: manifest.Manifest, directory: str, changes: list[artifacts.Change], seconds: float) -> str:
    """`wrote build/overlay/: overlay.bpf.c +3 -1, overlay.bpf.o   0.31 s, clang 22.1 (pinned)`."""
    clang = f"{described.toolchain.name} {described.toolchain.version} ({described.toolchain.source})"
    if not changes:
        return f"unchanged {directory}/   {seconds:.2f} s"
    library = [c for c in changes if c.file.startswith("encap_") and c.file.endswith(".h")]
    own = [c for c in changes if c not in library]
    said = [c.file + (f" +{c.added}" if c.added else "") + (f" -{c.removed}" if c.removed else "") for c in own]
    if library:  # which ones follows from the C, and what they say is the same in all bundles
        said.append(f"{len(library)} {'header' if len(library) == 1 else 'headers'} of the library")
    return f"wrote {directory}/: {', '.join(said)}   {seconds:.2f} s, {clang}"
