"""Up to this release, back, and up again: rows, counters and flows outlive it, and nothing is called kept that is not.

The loaders of earlier releases are run as they were shipped, on the bundles that their own compilers built.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from encap_compile.common.manifest_io import identity_of_document
from encap_compile.run.apply import apply
from encap_compile.run.loader import first_release
from encap_compile.run.loader.desired import Request
from tests.netns.loader_net import ATTACH, Wire, wire
from tests.releases import NAME, SPEC, Release, releases
from tests.support.cli import compile_spec

pytestmark = pytest.mark.kernel
VIP, CLIENT = "203.0.113.1", "10.9.0.1"
ALL = releases()
OF_THE_KERNEL = ("default", "local")  # its own packets, which come at any time
PREVIOUS = ALL[-1]
SET = ("--set", "uplink=eth0")


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        with_a_client(made)
        yield made
        made.ctl("remove", NAME)


def with_a_client(net: Wire) -> None:
    """An address that answers, and a way to whoever asked, past all tunnels."""
    net.ours.ip(f"addr add {VIP}/32 dev lo", "route add 10.9.0.0/16 via 192.0.2.2 mtu 1400")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same spec by this release."""
    return compile_spec(SPEC, tmp_path_factory.mktemp("build"))[0]


@pytest.fixture(scope="module")
def wider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With one rule more before the others: counters of another layout."""
    folder = tmp_path_factory.mktemp("wider")
    spec = folder / SPEC.name
    more = "  rules:\n    - {name: first, match: {destination: 10.2.0.0/16}, action: drop}\n    - {name: replies"
    text = SPEC.read_text()
    assert text.count("  rules:\n    - {name: replies") == 1
    spec.write_text(text.replace("  rules:\n    - {name: replies", more))
    return compile_spec(spec, folder)[0]


def learn(net: Wire) -> None:
    """A packet from a client, as the peer encapsulates it: whose answer is then encapsulated too."""
    ours, peer = (
        json.loads(n.run(["ip", "-j", "link", "show", "dev", "eth0"]).stdout)[0]["address"]
        for n in (net.ours, net.peer)
    )
    inner = IP(src=CLIENT, dst=VIP) / UDP(sport=53, dport=7) / b"x"
    frame = bytes(Ether(src=peer, dst=ours) / IP(src="192.0.2.2", dst="192.0.2.1") / inner)
    with net.peer.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("eth0", 0))
        sender.send(frame)


def answer(net: Wire) -> tuple[int, int]:
    """Answer the client: packets that arrive encapsulated, which takes a flow that is known, and unencapsulated."""
    before = net.arrived()
    with net.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((VIP, 7))
        sender.sendto(b"x", (CLIENT, 53))
    after = net.arrived()
    return after[0] - before[0], after[1] - before[1]


def document(done: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def counters(done: Any) -> dict[str, tuple[int, int]]:
    """What has counted something, by the rule or reason alone: what stands before it differs between releases."""
    found = ((c["name"], c["packets"], c["bytes"]) for c in document(done)["counters"])
    return {
        word: (packets, size)
        for name, packets, size in found
        if packets and (word := name.rpartition("_")[2]) not in OF_THE_KERNEL
    }


def started(net: Wire, release: Release, attach: str) -> dict[str, tuple[int, int]]:
    """The release applies its bundle, a flow is learned and 20 packets are sent; the counters."""
    assert release.name.partition("-")[0] in release.ctl(net, "--version").stdout
    done = release.ctl(net, "apply", release.bundle, *SET, "--attach", attach)
    assert done.returncode == 0, done.stderr
    learn(net)
    assert answer(net) == (1, 0)
    assert net.send() == (20, 0)
    found = counters(release.ctl(net, "stats", NAME, "--format", "json"))
    assert found["web"][0] == 20 and len(found) > 2
    return found


@pytest.mark.parametrize("attach", ATTACH)
@pytest.mark.parametrize("release", ALL, ids=lambda r: r.name)
def test_upgrade(net: Wire, bundle: Path, wider: Path, release: Release, attach: str) -> None:
    go_up(net, release, [bundle, wider], attach)


def go_up(net: Wire, release: Release, bundles: list[Path], attach: str) -> None:
    """What the release has applied goes on in each of the bundles of this one."""
    before = started(net, release, attach)
    for new in bundles:
        net.ctl("status", NAME, check=0)
        said = net.apply(new).stdout
        assert "counters kept" in said
        after = counters(net.ctl("stats", NAME, "--format", "json", check=0))
        assert after == before, said
        assert answer(net) == (1, 0), "the flow is still known"
        assert net.send() == (20, 0)
        before = counters(net.ctl("stats", NAME, "--format", "json", check=0))
    assert before["web"][0] == 20 * (len(bundles) + 1)
    net.ctl("status", bundles[-1], check=0)
    net.ctl("remove", NAME, check=0)
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
@pytest.mark.parametrize("new", ["bundle", "wider"])
def test_up_back_and_up_again(net: Wire, new: str, attach: str, request: pytest.FixtureRequest) -> None:
    go_up_back_and_up(net, request.getfixturevalue(new), attach)


def go_up_back_and_up(net: Wire, ours: Path, attach: str) -> None:
    """With the loader of the release before, which finds all that this release counted."""
    started(net, PREVIOUS, attach)
    net.apply(ours)
    assert net.send() == (20, 0)
    before = counters(net.ctl("stats", NAME, "--format", "json", check=0))
    assert before["web"][0] == 40

    back = PREVIOUS.ctl(net, "apply", PREVIOUS.bundle, *SET)
    assert back.returncode == 0, back.stderr
    assert "not loaded" not in back.stdout
    assert counters(PREVIOUS.ctl(net, "stats", NAME, "--format", "json")) == before
    assert PREVIOUS.ctl(net, "status", PREVIOUS.bundle).returncode == 0
    assert answer(net) == (1, 0) and net.send() == (20, 0)
    before = counters(PREVIOUS.ctl(net, "stats", NAME, "--format", "json"))

    # What this release had written is older than what the release before has done since, and is not believed.
    assert counters(net.ctl("stats", NAME, "--format", "json", check=0)) == before
    net.apply(ours)
    assert counters(net.ctl("stats", NAME, "--format", "json", check=0)) == before
    assert answer(net) == (1, 0) and net.send() == (20, 0)
    net.ctl("status", ours, check=0)
    net.ctl("remove", NAME, check=0)
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_back_to_the_first_release_and_up_again(net: Wire, bundle: Path, attach: str) -> None:
    """It looks for pins elsewhere, and starts a second instance. What that has counted is added up afterwards."""
    first = ALL[0]
    net.apply(bundle, "--attach", attach)
    assert net.send() == (20, 0)
    before = counters(net.ctl("stats", NAME, "--format", "json"))
    back = first.ctl(net, "apply", first.bundle, *SET, "--attach", attach)
    assert back.returncode == 0 and net.send() == (20, 0)
    more = counters(first.ctl(net, "stats", NAME, "--format", "json"))
    now = counters(net.ctl("stats", NAME, "--format", "json"))
    assert now["web"][0] == (40 if attach == "tcx" else 20) and more.get("web", (0, 0))[0] == (
        0 if attach == "tcx" else 20
    )

    assert "beside what is here" in net.ctl("status", NAME, check=3).stdout
    assert "would be joined" in net.ctl("plan", bundle, *SET, check=3).stdout
    net.apply(bundle)
    net.ctl("status", bundle, check=0)
    net.ctl("plan", bundle, *SET, check=0)
    assert net.send() == (20, 0)
    assert counters(net.ctl("stats", NAME, "--format", "json"))["web"][0] == 60 and before["web"][0] == 20
    first.ctl(net, "apply", first.bundle, *SET, "--attach", attach)
    net.ctl("remove", NAME, check=0)
    assert net.left() == [] and net.send() == (0, 20)


@pytest.mark.parametrize("attach", ATTACH)
@pytest.mark.parametrize("step", ["save", "detach", "make_folders", "erase"])
def test_killed_while_the_two_are_joined(net: Wire, bundle: Path, step: str, attach: str) -> None:
    net.apply(bundle, "--attach", attach)
    net.send()
    ALL[0].ctl(net, "apply", ALL[0].bundle, *SET, "--attach", attach)
    net.send()
    request = Request(bundle, settings=SET[1:])
    with net.here(), mock.patch.object(first_release, step, side_effect=KeyboardInterrupt):
        if (step, attach) == ("detach", "clsact"):
            apply(request)  # no links, and so nothing to detach
        else:
            with pytest.raises(KeyboardInterrupt):
                apply(request)
            assert net.send() == (20, 0)
    net.apply(bundle)
    net.ctl("status", bundle, check=0)
    sent = 40 if (step, attach) == ("detach", "clsact") else 60
    assert counters(net.ctl("stats", NAME, "--format", "json"))["web"][0] == sent
    net.ctl("remove", NAME, check=0)
    assert net.left() == []


def test_this_loader_applies_bundles_of_the_release_before_and_after(net: Wire, bundle: Path, tmp_path: Path) -> None:
    after = shutil.copytree(bundle, tmp_path / "after")
    manifest = json.loads((after / "manifest.json").read_text())
    manifest.update(format_version="1.99", summary=manifest["summary"], colour={"of": "wire"})
    manifest["counters"][0]["unit"] = "packets"
    files = {p.name: p.read_bytes() for p in after.iterdir() if p.suffix in (".c", ".h")}
    manifest["identity"] = identity_of_document(manifest, files)
    (after / "manifest.json").write_text(json.dumps(manifest, indent=2))
    for each in (PREVIOUS.bundle, after, PREVIOUS.bundle, bundle):
        net.apply(each)
        assert net.send() == (20, 0)
        net.ctl("status", each, check=0)
    assert counters(net.ctl("stats", NAME, "--format", "json", check=0))["web"][0] == 80
