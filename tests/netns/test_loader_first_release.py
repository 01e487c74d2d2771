"""What the first release pinned under the inode number of the network namespace: found, and moved under traffic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from encap_compile.run.apply import apply
from encap_compile.run.kernel import netns
from encap_compile.run.kernel.netns import this_namespace
from encap_compile.run.kernel.system import kernel_version
from encap_compile.run.loader.desired import Request
from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, Wire, patient_backlog, wire
from tests.support.netns import STATE, Namespace

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(kernel_version() < (5, 14), reason="without cookies, folders are called as they were"),
]


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


class Roots:
    """The two folders of a namespace, as the first release called them (`old`) and as this one does (`new`)."""

    def __init__(self, net: Wire) -> None:
        with net.here():
            here = this_namespace()
        roots = net.ours.bpffs() / "encap", STATE / net.ours.name / "state"
        self.old_pins, self.old_state = (root / str(here.inode) for root in roots)
        self.new_pins, self.new_state = (root / f"{here.cookie}-{here.inode}" for root in roots)

    def as_the_first_release_left_them(self) -> None:
        self.new_pins.rename(self.old_pins)
        self.new_state.rename(self.old_state)
        for state in self.old_state.glob("*/state.json"):
            document = json.loads(state.read_text())
            del document["boot_id"]
            state.write_text(json.dumps(document))

    @property
    def old(self) -> bool:
        return self.old_pins.exists() or self.old_state.exists()


def applied(net: Wire, bundle: Path, attach: str) -> Roots:
    net.apply(bundle, "--attach", attach)
    roots = Roots(net)
    roots.as_the_first_release_left_them()
    return roots


def programs(net: Wire) -> list[int]:
    status = json.loads(net.ctl("status", "hand", "--format", "json", check=0).stdout)
    return [hook["program_id"] for hook in status["hooks"]]


@pytest.mark.parametrize("attach", ATTACH)
def test_looking_finds_it_and_moves_nothing(net: Wire, tmp_path: Path, attach: str) -> None:
    bundle = write(tmp_path / "one")
    roots = applied(net, bundle, attach)
    before = net.left()
    net.ctl("status", "hand", check=0)
    net.ctl("stats", "hand", check=0)
    net.ctl("plan", bundle, "--set", "uplink=eth0", check=0)
    assert net.left() == before
    assert roots.old


@pytest.mark.parametrize("attach", ATTACH)
def test_apply_takes_it_over(net: Wire, tmp_path: Path, attach: str) -> None:
    bundle = write(tmp_path / "one")
    roots = applied(net, bundle, attach)
    net.send()
    before = programs(net)
    net.apply(bundle)
    assert (programs(net), roots.old) == (before, False)
    assert "web 20 packets" in " ".join(net.ctl("stats", "hand", check=0).stdout.split())
    net.apply(write(tmp_path / "two", salt="two"))
    assert set(programs(net)).isdisjoint(before)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_taken_over_under_traffic(net: Wire, tmp_path: Path, attach: str) -> None:
    bundles = [write(tmp_path / salt, salt=salt) for salt in ("one", "two")]
    requests = [Request(b, settings=("uplink=eth0",), attach=attach) for b in bundles]
    with patient_backlog(), net.here():
        apply(requests[0])
        roots = Roots(net)
        before = net.arrived()
        with net.flood(50_000) as flood:
            for i in range(1, 11):
                roots.as_the_first_release_left_them()
                apply(requests[i % 2])
                assert not roots.old
        encapsulated, unencapsulated = (after - b for after, b in zip(net.arrived(), before, strict=True))
    assert (encapsulated, unencapsulated) == (flood["sent"], 0)


@pytest.mark.parametrize("attach", ATTACH)
def test_remove_takes_it_away(net: Wire, tmp_path: Path, attach: str) -> None:
    applied(net, write(tmp_path / "one"), attach)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
@pytest.mark.parametrize("killed_after", ["folders", "marks", "pins", "state"])
def test_killed_between_two_steps(net: Wire, tmp_path: Path, attach: str, killed_after: str) -> None:
    bundle = write(tmp_path / "one")
    roots = applied(net, bundle, attach)
    for folder in (roots.new_pins, roots.new_state):
        folder.mkdir()
    (roots.old_state / "lock").touch()
    if killed_after != "folders":
        for mark in roots.old_state.glob("clsact_*"):
            mark.rename(roots.new_state / mark.name)
    if killed_after in ("pins", "state"):
        (roots.old_pins / "hand").rename(roots.new_pins / "hand")
    if killed_after == "state":
        (roots.old_state / "hand").rename(roots.new_state / "hand")
    net.ctl("status", "hand", check=0)
    net.ctl("plan", bundle, "--set", "uplink=eth0", check=0)
    before = programs(net)
    assert net.send() == (20, 0)
    net.apply(bundle)
    assert programs(net) == before
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


def test_of_a_namespace_that_had_the_number_before(net: Wire, tmp_path: Path) -> None:
    """Neither applied here nor in the way; `sweep` takes it away although the number is in use."""
    bundle = write(tmp_path / "one")
    roots = applied(net, bundle, ATTACH[0])
    state = roots.old_state / "hand" / "state.json"
    document = json.loads(state.read_text())
    state.write_text(json.dumps({**document, "namespace_cookie": document["namespace_cookie"] + 1}))
    # Its devices are gone with it, and so the links are on nothing.
    for link in (roots.old_pins / "hand" / "links").iterdir():
        link.unlink()
    assert "H110" in net.ctl("status", "hand", check=3).stderr
    net.apply(bundle)
    assert net.send() == (20, 0)
    left = json.loads(net.ctl("sweep", "--format", "json", check=0).stdout)["left"]
    assert [found["bundle"] for found in left] == ["hand"]
    assert not roots.old
    net.ctl("status", bundle, check=0)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


def test_another_bundle_of_the_first_release_stays_where_it_is(net: Wire, tmp_path: Path) -> None:
    one, other = write(tmp_path / "one"), write(tmp_path / "other", name="other", rows={"10.1.0.2": "192.0.2.2"})
    net.apply(other)
    roots = applied(net, one, "clsact")
    net.apply(one)
    assert (roots.old_pins / "other").is_dir()
    net.ctl("status", "other", check=0)
    net.ctl("remove", "hand", check=0)
    net.ctl("remove", "other", check=0)
    assert net.left() == []


def test_kernels_without_cookies_tell_namespaces_apart_by_their_loopback_device() -> None:
    """Two namespaces after each other, of which the second is given the number of the first."""
    found = {}
    for _ in range(5):
        with Namespace("again") as again, again.entered(), mock.patch.object(netns, "namespace_cookie", lambda: 0):
            assert netns.this_namespace().folder == str(netns.this_namespace().inode)
            assert netns.never_reused() == netns.never_reused() != 0
            found[netns.never_reused()] = netns.this_namespace().inode
    assert len(found) == 5
