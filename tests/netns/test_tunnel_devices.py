"""Tunnel devices that the loader makes: what the kernel says of them, and of those of others."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from encap_compile.run.kernel import tunnel_devices as devices
from encap_compile.run.kernel.errors import KernelError
from encap_compile.run.kernel.system import kernel_version
from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel
OWNER = "encap: of a test"


@pytest.fixture
def here() -> Iterator[Namespace]:
    with Namespace("gro-dev") as made, made.entered():
        yield made


def test_made_down_owned_and_quiet(here: Namespace) -> None:
    made = devices.make_external("own", devices.VXLAN, 4790, OWNER)
    (seen,) = devices.tunnel_devices()
    assert (seen.name, seen.index, seen.owner, seen.port, seen.up) == ("own", made.index, OWNER, 4790, False)
    assert seen.external and seen.families == (4, 6)
    assert seen.vnifilter == (kernel_version() >= devices.VNIFILTER_SINCE)
    devices.set_mtu(made.index, 1300)
    devices.set_up(made.index)
    shown = here.run(["ip", "-d", "addr", "show", "own"]).stdout
    assert "NOARP,UP" in shown and "mtu 1300" in shown and "inet6" not in shown, shown


def test_a_name_and_a_port_that_are_taken(here: Namespace) -> None:
    here.ip("link add theirs type vxlan id 7 dstport 4790 local 192.0.2.1", "link set theirs up")
    with pytest.raises(KernelError) as taken:
        devices.make_external("theirs", devices.VXLAN, 4790, OWNER)
    assert taken.value.errno == errno.EEXIST
    made = devices.make_external("own", devices.VXLAN, 4790, OWNER)
    with pytest.raises(KernelError) as taken:
        devices.set_up(made.index)
    assert taken.value.errno == errno.EADDRINUSE


def test_those_of_others_as_they_are(here: Namespace) -> None:
    here.ip(
        "link add ta type vxlan id 7 dstport 4789 local 192.0.2.1",
        "link add tb type vxlan id 7 dstport 8472 local 2001:db8::1",
        "link add tc type vxlan external dstport 8473",
        "link add td type vxlan dstport 4790 gpe external",
        "link set ta up",
    )
    found = {d.name: (d.port, d.families, d.external, d.gpe, d.up, d.owner) for d in devices.tunnel_devices()}
    assert found == {
        "ta": (4789, (4,), False, False, True, ""),
        "tb": (8472, (6,), False, False, False, ""),
        "tc": (8473, (4, 6), True, False, False, ""),
        "td": (4790, (4, 6), True, True, False, ""),
    }


def test_delete_is_safe_to_repeat(here: Namespace) -> None:
    made = devices.make_external("own", devices.VXLAN, 4790, OWNER)
    devices.delete(made.index)
    devices.delete(made.index)
    assert devices.tunnel_devices() == []


def test_one_that_a_killed_run_has_left(here: Namespace) -> None:
    """Without an owner it is known by its MAC, and can be taken; one of somebody else cannot."""
    here.ip("link add theirs type vxlan external dstport 4789")
    made = devices.make_external("own", devices.VXLAN, 4790, OWNER)
    here.ip("link set own alias ''")
    assert {d.name: d.orphan for d in devices.tunnel_devices()} == {"theirs": False, "own": True}
    devices.own(made.index, OWNER)
    (owned,) = (d for d in devices.tunnel_devices() if d.name == "own")
    assert (owned.owner, owned.orphan) == (OWNER, False)
