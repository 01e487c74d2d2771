"""sweep: what is left of namespaces that are gone is taken away, and nothing of one that is there."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from encap_compile.run.kernel.system import kernel_version
from tests.netns.loader_sockets import Sockets, named, sockets, write
from tests.support.netns import NAMED, STATE, Namespace

pytestmark = pytest.mark.kernel
HAS_COOKIE = kernel_version() >= (5, 14)


@pytest.fixture
def on() -> Iterator[Sockets]:
    with sockets() as made:
        made.tree.make("a.slice")
        yield made


def applied_in(place: Namespace, on: Sockets, bundle: Path, *words: str) -> int:
    """Apply in another namespace, with pins and state where ours are; the namespace's number."""
    own = [f"ENCAP_BPFFS={on.net.ours.bpffs()}", f"ENCAP_STATE={STATE / on.net.ours.name / 'state'}"]
    place.ip("link add eth0 type veth peer name eth9", "addr add 192.0.2.1/24 dev eth0", "link set eth0 up")
    place.run(["env", *own, sys.executable, "-m", "encap_compile.ctl", "apply", bundle, *on.values, *words])
    return (NAMED / place.name).stat().st_ino


def sweep(on: Sockets, *words: str, check: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(on.net.ctl("sweep", "--format", "json", *words, check=check).stdout)
    return found


def when_its_devices_are_gone(on: Sockets) -> dict[str, Any]:
    """The kernel takes a namespace down some time after its last reference."""
    for _ in range(100):
        found = sweep(on)
        if found["left"]:
            return found
        time.sleep(0.1)
    raise AssertionError("nothing was swept")


@pytest.mark.parametrize("attach", ["tcx", "clsact"])
def test_a_namespace_that_is_gone(on: Sockets, tmp_path: Path, attach: str) -> None:
    bundle = write(tmp_path / "one", named("a.slice"))
    on.apply(bundle)
    ours = on.net.left()
    with Namespace("gone") as gone:
        number = applied_in(gone, on, bundle, "--attach", attach)
        assert sweep(on)["left"] == []  # it is there
    assert on.tree.hooked("a.slice") == ["ask", "ask", "choose", "choose"]
    found = when_its_devices_are_gone(on)
    links = 4 if attach == "tcx" else 2
    (left,) = found["left"]
    assert bool(left.pop("cookie")) == HAS_COOKIE
    assert left == {"namespace": number, "bundle": "hand", "links": links, "maps": 4}
    assert on.net.left() == ours
    assert on.tree.hooked("a.slice") == ["ask", "choose"]
    on.status(check=0)
    assert "nothing is left" in on.net.ctl("sweep", check=0).stdout


def test_looking_takes_nothing_away(on: Sockets, tmp_path: Path) -> None:
    with Namespace("gone") as gone:
        number = applied_in(gone, on, write(tmp_path / "one", named("a.slice")))
    before = on.net.left()
    for _ in range(100):
        done = on.net.ctl("sweep", "--check")
        if done.returncode == 3:
            break
        time.sleep(0.1)
    assert f"network namespace {number} is gone: hand, 4 links, 4 maps left" in done.stdout
    assert on.net.left() == before
    assert "4 maps taken away" in on.net.ctl("sweep", check=0).stdout
    assert on.net.left() == []


@pytest.mark.parametrize(
    ("holder", "attach"), [("name", "clsact"), ("process", "clsact"), ("file", "clsact"), ("socket", "tcx")]
)
def test_a_namespace_that_only_one_thing_holds(on: Sockets, tmp_path: Path, holder: str, attach: str) -> None:
    """A clsact filter tells nothing, so it must be seen who holds it; of a socket, a TCX link tells."""
    with Namespace("held") as held, contextlib.ExitStack() as stack:
        applied_in(held, on, write(tmp_path / "one", named("a.slice")), "--attach", attach)
        if holder == "socket":
            stack.enter_context(held.socket(socket.AF_INET, socket.SOCK_DGRAM))
        elif holder == "file":
            stack.callback(os.close, os.open(NAMED / held.name, os.O_RDONLY))
        elif holder == "process":
            process = held.popen(["sleep", "60"], stdout=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
        os.close(held._fd)
        del held._fd
        if holder != "name":
            subprocess.run(["ip", "netns", "delete", held.name], check=True)
        assert sweep(on, "--check")["left"] == []
        stack.close()
    assert when_its_devices_are_gone(on)["left"] != []


def test_from_within_a_container(on: Sockets) -> None:
    done = on.net.ctl("sweep", prefix=("unshare", "--pid", "--fork", "--mount-proc"))
    assert (done.returncode, "H118" in done.stderr) == (6, True), done.stderr
