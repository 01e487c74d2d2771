"""The verifier's log, turned into the place in the C and in the spec that it is about."""

from __future__ import annotations

import re

from ...common.record import Record

_PROGRAM = re.compile(r"prog '([^']+)': -- BEGIN PROG LOAD LOG --\n(.*?)-- END PROG LOAD LOG --", re.S)
_SOURCE = re.compile(r"^; (?P<text>.*?)(?: @ (?P<file>[^ @]+):(?P<line>\d+))?$")
_PATH = re.compile(
    r"/\* (?:.*\W)?((?:egress|ingress|connect|encapsulations|endpoints)\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)"
)
_SUMMARY = re.compile(r"^(processed \d+ insns|verification time|stack depth|-- END|mark_precise|max_states)")
_STATE = re.compile(r"^(\d+: |R\d+=|from \d+ to \d+|; |func#|caller:|callee:|frame\d|arg#\d+ reference)")


class Rejection(Record):
    """What the verifier refused. `line` counts from 1 in the C file; 0 when the log does not tell."""

    program: str
    reason: str
    source: str
    line: int
    log: str


def rejection(log: str, c_text: str) -> Rejection | None:
    """Read libbpf's output after a refused load; None if no verifier log is in it.

    Kernels from 6.10 on print `; text @ file:line` above the instructions of a source line, older ones only the text,
    which is then looked for in `c_text`.
    """
    found = _PROGRAM.search(log)
    if found is None:
        return None
    program, body = found.groups()
    source, line, reason = "", 0, ""
    for entry in body.splitlines():
        match = _SOURCE.match(entry)
        if match:
            source = match["text"].strip()
            line = int(match["line"] or 0) or _find(source, c_text)
        elif entry.strip() and not _STATE.match(entry) and not _SUMMARY.match(entry):
            reason = entry.strip()
    return Rejection(program, reason, source, line, body)


def _find(source: str, c_text: str) -> int:
    """The only line that reads like this, else 0: a wrong place is worse than none."""
    lines = [n for n, text in enumerate(c_text.splitlines(), 1) if source and text.strip() == source]
    return lines[0] if len(lines) == 1 else 0


def spec_path(c_text: str, line: int) -> str:
    """The part of the spec that a line of the C came from, as `egress.rules.web`; empty if unknown.

    The nearest comment at or above it that names one counts, down from the end of the function before.
    """
    lines = c_text.splitlines()
    for text in reversed(lines[: min(line, len(lines))]):
        match = _PATH.search(text)
        if match:
            return match[1]
        if text.startswith("}"):
            break
    return ""


def function_at(c_text: str, line: int) -> str:
    """The name of the C function that contains a line, or an empty string."""
    head = re.compile(r"^[A-Za-z_].*?\b([A-Za-z_]\w*)\(")
    for text in reversed(c_text.splitlines()[:line]):
        match = head.match(text)
        if match and not text.rstrip().endswith(";"):
            return match[1]
        if text.startswith("}"):
            break
    return ""
