"""A state that is there and cannot be read is not the same as none: nothing begins again, and nothing called kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from encap_compile.run import apply as apply_module
from encap_compile.run.loader.desired import Request
from encap_compile.run.loader.state import State
from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, Wire, wire
from tests.support.netns import STATE

pytestmark = pytest.mark.kernel
SET = ("--set", "uplink=eth0")


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def folder(net: Wire) -> Path:
    (found,) = (STATE / net.ours.name).rglob("state.json")
    return found.parent


def edited(name: str, **changes: Any) -> Callable[[Wire], None]:
    def edit(net: Wire) -> None:
        path = folder(net) / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


SPOILT: dict[str, tuple[Callable[[Wire], Any], str]] = {
    "half": (lambda net: (folder(net) / "state.json").write_text('{"format_version": 1, "'), "Unterminated"),
    "a number": (edited("state.json", devices={"eth0": "2"}), "state.devices.eth0: int"),
    "no version": (edited("state.json", format_version=None), "MAJOR.MINOR"),
    "no object": (lambda net: (folder(net) / "state.json").write_text("[]"), "an object is expected"),
}


@pytest.mark.parametrize("attach", ATTACH)
@pytest.mark.parametrize("name", SPOILT)
def test_what_cannot_be_read_is_not_nothing(net: Wire, tmp_path: Path, name: str, attach: str) -> None:
    spoil, why = SPOILT[name]
    net.apply(write(tmp_path / "one"), "--attach", attach)
    assert net.send() == (20, 0)
    spoil(net)
    before = net.left()
    other = write(tmp_path / "two", counters=("web", "seen", "more"))
    for words in (["hand"], ["hand", "--format", "json"], []):
        status = net.ctl("status", *words, check=3)
        assert why in status.stdout and "did not finish" not in status.stdout
    assert "warning[H153]" in net.ctl("stats", "hand", check=3).stderr
    said = [net.ctl("plan", other, *SET, check=3)]
    assert net.left() == before and net.send() == (20, 0)
    said.append(net.ctl("watch", other, *SET, "--once", check=0))
    for done in said:
        assert "warning[H153]" in done.stderr and why in done.stderr
        assert "what was applied cannot be read" in done.stdout and "not loaded" not in done.stdout
        assert "counters start at 0" in done.stdout and "kept" not in done.stdout
    assert net.send() == (20, 0)
    net.ctl("status", other, check=0)
    spoil(net)
    assert "not known: which of its packets" in net.ctl("remove", "hand", check=0).stdout
    assert net.left() == []


@pytest.mark.parametrize("name", ["state.json", "applied.json"])
def test_of_another_major_version_nothing_is_changed(net: Wire, tmp_path: Path, name: str) -> None:
    net.apply(write(tmp_path / "one"))
    edited(name, format_version="2.3", release="4.1.0")(net)
    before = net.left()
    other = write(tmp_path / "two", counters=("web", "seen", "more"))
    for words in (["watch", other, *SET], ["plan", other, *SET], ["apply", other, *SET], ["remove", "hand"]):
        done = net.ctl(*words, check=6)
        assert "error[H152]" in done.stderr and "not loaded" not in done.stdout
        assert "format 2.3, not 1.x" in done.stderr and "use encapctl 4.1.0, or a newer one" in done.stderr
        document = json.loads(net.ctl(*words, "--format", "json", check=6).stdout)
        assert [d["code"] for d in document["diagnostics"]] == ["H152"]
    assert "format 2.3, not 1.x" in net.ctl("status", "hand", check=3).stdout
    assert net.left() == before and net.send() == (20, 0)
    edited(name, format_version="1.0")(net)
    assert "not known" not in net.ctl("remove", "hand", check=0).stdout
    assert net.left() == []


def requires(manifest: dict[str, Any]) -> None:
    manifest["requires"] = ["xdp"]


def program(manifest: dict[str, Any]) -> None:
    manifest["programs"].append({"program": "x__xdp", "hook": "xdp", "section": "xdp"})


def cgroup(manifest: dict[str, Any]) -> None:
    manifest["cgroups"] = [{"path": "a.slice", "bit": 0, "hooks": ["cgroup_bind4"], "place": ""}]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (requires, "requires what this encapctl does not know: xdp"),
        (program, "knows no hook xdp"),
        (cgroup, "knows no hook cgroup_bind4"),
        (lambda manifest: manifest.update(format_version="2.0"), "manifest of format 2.0, not 1.x"),
    ],
)
def test_what_a_later_minor_release_added_and_this_one_must_know(
    net: Wire, tmp_path: Path, change: Callable[[dict[str, Any]], None], why: str
) -> None:
    net.apply(write(tmp_path / "one"))
    whole = json.loads((folder(net) / "applied.json").read_text())
    manifest = {**deepcopy(whole["manifest"]), "format_version": "1.2"}
    change(manifest)
    edited("applied.json", format_version="1.2", release="0.4.0", manifest=manifest)(net)
    before = net.left()
    other = write(tmp_path / "two", counters=("web", "seen", "more"))
    for words in (["plan", other, *SET], ["apply", other, *SET], ["remove", "hand"]):
        done = net.ctl(*words, check=6)
        assert "error[H152]" in done.stderr and why in done.stderr and "use encapctl 0.4.0" in done.stderr
    for words in ([], ["hand"], [other]):
        assert why in net.ctl("status", *words, check=3).stdout
    assert "error[H152]" in net.ctl("stats", "hand", check=3).stderr
    assert net.left() == before and net.send() == (20, 0)
    edited("applied.json", **whole)(net)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


def test_half_of_what_only_this_release_knows_is_made_up_for(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    net.send()
    (folder(net) / "applied.json").write_text("{")
    net.ctl("status", bundle, check=0)
    net.apply(write(tmp_path / "two", counters=("web", "seen", "more")))
    assert "web 20 packets" in " ".join(net.ctl("stats", "hand", check=0).stdout.split())


@pytest.mark.parametrize("version", [None, "2.0"])
def test_of_a_bundle_beside_it_is_said_that_it_is_not_compared(net: Wire, tmp_path: Path, version: str | None) -> None:
    net.apply(write(tmp_path / "other", name="other", rows={"10.1.0.1": "192.0.2.2"}))
    edited("state.json", format_version=version)(net)
    done = net.ctl("plan", write(tmp_path / "one"), *SET, check=3)
    assert f"warning[{'H152' if version else 'H153'}]: what was applied of other" in done.stderr
    assert "whether other takes the same packets is not known" in done.stderr


@pytest.mark.parametrize("same", [True, False])
def test_moved_away_what_cannot_be_carried_is_said(net: Wire, tmp_path: Path, same: bool) -> None:
    net.apply(write(tmp_path / "one"))
    net.send()
    folder(net).rename(tmp_path / "state")
    status = net.ctl("status", "hand", check=3).stdout
    assert "what was applied is not written down any more" in status and "did not finish" not in status
    other = write(tmp_path / "two", salt="two", counters=("web", "seen") if same else ("web", "seen", "more"))
    for verb, code in (("plan", 3), ("apply", 0)):
        said = net.ctl(verb, other, *SET, check=code).stdout
        assert "what runs is of no finished apply" in said and "not loaded" not in said
        assert ("maps, counters kept" in said) is same
        assert ("counters start at 0" in said) is not same
        assert ("kept" in said) is same
    assert net.send() == (20, 0)
    counted = "web 40 packets" if same else "web 20 packets"
    assert counted in " ".join(net.ctl("stats", "hand", check=0).stdout.split())


def test_a_counter_that_went_backwards_is_said_afterwards(net: Wire, tmp_path: Path) -> None:
    """The plan says that counters are kept; what was written down of them is then lost on the way."""
    real = apply_module.save

    def forgetful(directory: Path, state: State) -> None:
        real(directory, replace(state, carried={}))

    with net.here():
        one, two = write(tmp_path / "one"), write(tmp_path / "two", counters=("web", "seen", "more"))
        apply_module.apply(Request(one, settings=SET[1:]))
        net.send()
        with mock.patch.object(apply_module, "save", forgetful):
            applied = apply_module.apply(Request(two, settings=SET[1:]))
        (found,) = applied.plan.findings.warnings
        assert found.code == "H154" and "totals were lost: web 20" in found.message
        assert apply_module.apply(Request(one, settings=SET[1:])).plan.findings.warnings == []
