"""The tests of a spec, run by the model, and what came of them. Nothing here looks at the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from ...common.api_errors import diagnosed
from ...common.diagnostics import Diagnostic
from ...common.record import Record

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from ..packet_tests.result import Report


class Tested(Record):
    """What came of the tests of one spec.

    `text` is what the command line prints; `document` is its part of what `--format json` prints. `failures` are the
    failed tests as diagnostics (T133), `uncovered` the rules that no test meets (T134), by their paths in `unmet`.
    Where the program was asked too, `disagreements` are the tests on which it differs from the model (T135), `skipped`
    notes of those that it was not given, with the reasons (T136).
    """

    name: str
    spec: str
    passed: int
    failed: int
    unmet: tuple[str, ...]
    text: str
    document: Mapping[str, Any]
    failures: tuple[Diagnostic, ...]
    disagreements: tuple[Diagnostic, ...]
    skipped: tuple[Diagnostic, ...]
    uncovered: tuple[Diagnostic, ...]
    warnings: tuple[Diagnostic, ...]


def tested(report: Report) -> Tested:
    """A report as what the API answers with."""
    from ..packet_tests import report as of

    failed = len(report.failed)
    return Tested(
        name=report.spec.name,
        spec=report.spec.path,
        passed=len(report.results) - failed,
        failed=failed,
        unmet=report.unmet,
        text=of.text(report),
        document=of.document(report),
        failures=of.failures(report),
        disagreements=of.disagreements(report),
        skipped=of.skipped(report),
        uncovered=of.uncovered(report),
        warnings=tuple(report.findings.warnings),
    )


@diagnosed
def test_by_model(spec: str | PathLike[str]) -> Tested:
    """Run the tests that a spec has by the model. Raises DiagnosedError (E2 to E6, T131, T132)."""
    from ..packet_tests import run_tests

    return tested(run_tests(fspath(spec)))


test_by_model.__test__ = False  # type: ignore[attr-defined]  # for pytest


class PacketExplained(Record):
    """What becomes of a packet: `text` for people; `document` is what `--format json` prints."""

    text: str
    document: Mapping[str, Any]


@diagnosed
def explain_packet(spec: str | PathLike[str], packet: str, arrives: bool = False) -> PacketExplained:
    """`packet` is words as `source=10.0.0.5 destination=10.1.0.9`, or FILE.pcap:N. Raises DiagnosedError."""
    from ..packet_tests import explained

    return PacketExplained(*explained.explain_packet(fspath(spec), packet, arrives))


@diagnosed
def explain_connect(spec: str | PathLike[str], socket: str) -> PacketExplained:
    """`socket` is words as `destination=198.51.100.25 destination_port=25`. Raises DiagnosedError."""
    from ..packet_tests import explained_connect

    return PacketExplained(*explained_connect.explain_connect(fspath(spec), socket))


def junit(tested: Sequence[Tested], errors: Sequence[Diagnostic] = ()) -> str:
    """The same as JUnit XML, which CI systems show: a suite for each spec, a case for each test, and one for each of
    the `errors` that kept a spec from being tested or that are asked for beside its tests."""
    from xml.etree import ElementTree

    root = ElementTree.Element("testsuites")
    for one in tested:
        tests = one.document["tests"]
        suite = ElementTree.SubElement(root, "testsuite", {"name": one.name, "file": one.spec})
        for found in tests:
            _case(suite, one, found, "model")
            if one.document["kernel"]:
                _case(suite, one, found, "program")
        for what, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
            suite.set(what, str(sum(1 for _ in suite.iter(tag))))
    if errors:
        counts = {"tests": str(len(errors)), "errors": str(len(errors))}
        suite = ElementTree.SubElement(root, "testsuite", {"name": "encap-compile", **counts})
        for error in errors:
            names = {"classname": error.place.file or "encap-compile", "name": f"{error.code} {error.message}"}
            case = ElementTree.SubElement(suite, "testcase", {**names, "line": str(error.place.line)})
            ElementTree.SubElement(case, "error", {"message": error.message}).text = error.help
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _case(suite: Element, tested: Tested, found: Mapping[str, Any], by: str) -> None:
    """One test by the model or by the program: its class is the spec's name, for the program NAME.program."""
    from xml.etree import ElementTree

    called = tested.name if by == "model" else f"{tested.name}.program"
    place = {"file": tested.spec, "line": str(found["place"]["line"])}
    case = ElementTree.SubElement(suite, "testcase", {"classname": called, "name": found["name"], **place})
    if by not in found["ran"]:
        ElementTree.SubElement(case, "skipped", {"message": found["skipped"]})
        return
    differences = [d for d in found["differences"] if d["by"] == by]
    words = [f"{d['what']}: {d['expected']} expected, {d['found']} found" for d in differences]
    if by == "program":
        words += [f"{d['what']}: {d['model']} by the model, {d['program']} found" for d in found["disagreements"]]
    if words:
        failure = ElementTree.SubElement(case, "failure", {"message": "; ".join(words)})
        failure.text = "\n".join(found["steps"])
