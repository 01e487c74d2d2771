"""The tests of a spec, run by the model. No function here needs privilege or looks at the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from ...common.api_errors import diagnosed
from ...common.diagnostics import Diagnostic
from ...common.record import Record


class Tested(Record):
    """What came of the tests of one spec.

    `text` is what the command line prints; `document` is its part of what `--format json` prints. `failures` are the
    failed tests as diagnostics (T133), `uncovered` the rules that no test meets (T134), by their paths in `unmet`.
    """

    name: str
    spec: str
    passed: int
    failed: int
    unmet: tuple[str, ...]
    text: str
    document: Mapping[str, Any]
    failures: tuple[Diagnostic, ...]
    uncovered: tuple[Diagnostic, ...]
    warnings: tuple[Diagnostic, ...]


@diagnosed
def test(spec: str | PathLike[str]) -> Tested:
    """Run the tests that a spec has. Raises DiagnosedError (E2 to E6, T131, T132)."""
    from ..packet_tests import run_tests
    from ..packet_tests.report import document, failures, text, uncovered

    path = fspath(spec)
    report = run_tests(path)
    failed = len(report.failed)
    return Tested(
        name=report.spec.name,
        spec=path,
        passed=len(report.results) - failed,
        failed=failed,
        unmet=report.unmet,
        text=text(report),
        document=document(report),
        failures=failures(report),
        uncovered=uncovered(report),
        warnings=tuple(report.findings.warnings),
    )


class PacketExplained(Record):
    """What becomes of a packet: `text` for people; `document` is what `--format json` prints."""

    text: str
    document: Mapping[str, Any]


@diagnosed
def explain_packet(spec: str | PathLike[str], packet: str, arrives: bool = False) -> PacketExplained:
    """`packet` is words as `source=10.0.0.5 destination=10.1.0.9`, or FILE.pcap:N. Raises DiagnosedError."""
    from ..packet_tests import explained

    return PacketExplained(*explained.explain_packet(fspath(spec), packet, arrives))


def junit(tested: Sequence[Tested], errors: Sequence[Diagnostic] = ()) -> str:
    """The same as JUnit XML, which CI systems show: a suite for each spec, a case for each test, and one for each of
    the `errors` that kept a spec from being tested or that are asked for beside its tests."""
    from xml.etree import ElementTree

    root = ElementTree.Element("testsuites")
    for one in tested:
        cases = one.document["tests"]
        counts = {"tests": str(len(cases)), "failures": str(one.failed)}
        suite = ElementTree.SubElement(root, "testsuite", {"name": one.name, "file": one.spec, **counts})
        for found in cases:
            line = str(found["place"]["line"])
            case = ElementTree.SubElement(
                suite, "testcase", {"classname": one.name, "name": found["name"], "file": one.spec, "line": line}
            )
            if found["differences"]:
                words = "; ".join(
                    f"{d['what']}: {d['expected']} expected, {d['found']} found" for d in found["differences"]
                )
                failure = ElementTree.SubElement(case, "failure", {"message": words})
                failure.text = "\n".join(found["steps"])
    if errors:
        counts = {"tests": str(len(errors)), "errors": str(len(errors))}
        suite = ElementTree.SubElement(root, "testsuite", {"name": "encap-compile", **counts})
        for error in errors:
            names = {"classname": error.place.file or "encap-compile", "name": f"{error.code} {error.message}"}
            case = ElementTree.SubElement(suite, "testcase", {**names, "line": str(error.place.line)})
            ElementTree.SubElement(case, "error", {"message": error.message}).text = error.help
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")
