"""What is said of cgroups: pending ones, those that come and go, and what a sweep found."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import Mock

import pytest
from tests.support.documents import judge

from encap_compile.common.diagnostics import Diagnostic
from encap_compile.run.apply import Applied
from encap_compile.run.kernel.hooks.base import Point
from encap_compile.run.loader.state import State
from encap_compile.run.plan import CgroupChange
from encap_compile.run.remove import Detached, Removed
from encap_compile.run.status import Status
from encap_compile.run.sweep import Left
from encap_compile.run.views.prometheus import prometheus
from encap_compile.run.views.status_view import removed_document, removed_text, status_document, status_text
from encap_compile.run.views.sweep_view import swept_document, swept_text
from encap_compile.run.views.watch_view import round_document, round_text
from encap_compile.run.watch import Round

NOTHING_FOUND = {"errors": 0, "warnings": 0, "diagnostics": []}  # as `write_json` adds it


def status(**cgroups: int) -> Status:
    return Status("s", None, State(), (), {}, (), {}, dict(cgroups))


def applied(*changes: CgroupChange) -> Applied:
    plan: Any = Mock(cgroups=changes, hooks=(), **{"findings.all": []})
    plan.desired.manifest.name, plan.desired.manifest.identity = "s", "abcdef0123"
    plan.desired.cgroups.pending = ("b",)
    return Applied(plan, 0.04)


def test_pending_cgroups_in_a_status() -> None:
    text = status_text(status(a=7, b=0))
    assert "  pending  cgroup b: not there   a row names it\n" in text and "cgroup a" not in text
    document = status_document(status(a=7, b=0))
    judge("status", document)
    assert document["cgroups"] == [{"path": "a", "number": 7}, {"path": "b", "number": None}]
    assert document["pending"] == ["b"]


def test_many_pending_cgroups_are_counted() -> None:
    text = status_text(status(**{f"c{i}": 0 for i in range(25)}))
    assert text.count("  pending  cgroup ") == 20
    assert "  pending  5 more cgroups: not there\n" in text


def test_pending_cgroups_for_prometheus() -> None:
    found = prometheus(status(a=7, b=0, c=0))
    assert re.search(r'^encap_cgroups_pending{bundle="s",netns="[^"]+"} 2$', found, re.M)
    assert "encap_cgroups_pending" not in prometheus(status())


def test_removed_from_a_cgroup() -> None:
    removed = Removed(
        "s", (Detached("a.slice", Point.SETSOCKOPT, "cgroup"), Detached("up0", Point.EGRESS, "tcx")), 1, ()
    )
    assert "  - hook a.slice setsockopt\n  - hook up0 tcx egress\n" in removed_text(removed)
    judge("remove", {**NOTHING_FOUND, **removed_document(removed)})
    assert removed_document(removed)["hooks"] == [
        {"cgroup": "a.slice", "hook": "setsockopt", "kind": "cgroup"},
        {"device": "up0", "direction": "egress", "kind": "tcx"},
    ]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (CgroupChange("a", 0, 7), "s: cgroup a has come, number 7: applied   0.04 s\n"),
        (CgroupChange("a", 7, 0), "s: cgroup a is gone, and pending until it comes back   0.04 s\n"),
        (CgroupChange("", 7, 8), "s: the attached cgroup is another one now, number 7 -> 8: applied   0.04 s\n"),
    ],
)
def test_what_watch_says(change: CgroupChange, line: str) -> None:
    assert round_text(Round(applied(change))) == line
    (found,) = round_document(Round(applied(change)))["cgroups"]
    assert found == {"path": change.path, "before": change.before or None, "number": change.after or None}


def test_what_watch_says_of_other_changes_and_failures() -> None:
    assert round_text(Round(applied())) == "s: abcdef01 is in force, 0 programs changed   0.04 s\n"
    failed = Round(None, [Diagnostic("H117", "there is no cgroup /t", help="start it")], 2.0)
    assert round_text(failed) == ""
    document = round_document(failed)
    judge("watch", document)
    assert (document["retry_seconds"], document["diagnostics"][0]["code"]) == (2.0, "H117")


def test_what_was_swept() -> None:
    left = [Left(4026532250, 7, "s", 2, 1)]
    assert swept_text(left, False) == "network namespace 4026532250 is gone: s, 2 links, 1 map taken away\n"
    assert swept_text(left, True).endswith("1 map left\n")
    assert swept_text([], False) == "nothing is left of a network namespace that is gone\n"
    judge("sweep", {**NOTHING_FOUND, **swept_document(left, True)})
    assert swept_document(left, True) == {
        "format_version": 1,
        "taken_away": False,
        "left": [{"namespace": 4026532250, "cookie": 7, "bundle": "s", "links": 2, "maps": 1}],
    }
