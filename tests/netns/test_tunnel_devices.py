"""vxlan and geneve devices made by the loader, as iproute2 shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from encap_compile.run.kernel import tunnel_devices
from encap_compile.run.kernel.errors import KernelError
from encap_compile.run.kernel.system import kernel_version
from encap_compile.run.kernel.tunnel_devices import TunnelDevice
from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel
EXTERNAL = TunnelDevice("encap0", "vxlan", 4789, vnifilter=True, zero_checksum6=True, mtu=1430, alias="encap overlay")


@pytest.fixture
def ours() -> Iterator[Namespace]:
    with Namespace("ours") as made, made.entered():
        yield made


def shown(ours: Namespace, name: str) -> dict[str, object]:
    (found,) = json.loads(ours.run(["ip", "-d", "-j", "link", "show", "dev", name]).stdout)
    assert isinstance(found, dict)
    return found


def test_an_external_device(ours: Namespace) -> None:
    """What iproute2 reads is what was asked for, and what is read back is the same."""
    made = tunnel_devices.make(EXTERNAL)
    link = shown(ours, "encap0")
    about = link["linkinfo"]
    assert isinstance(about, dict) and about["info_kind"] == "vxlan"
    data = about["info_data"]
    assert data["external"] is True and data["port"] == 4789
    assert not data["learning"]
    assert data.get("vnifilter", False) is (kernel_version() >= (5, 18))
    assert (link["mtu"], link["ifalias"], link["operstate"]) == (1430, "encap overlay", "DOWN")
    flags = link["flags"]
    assert isinstance(flags, list) and "NOARP" in flags and "UP" not in flags
    assert link["inet6_addr_gen_mode"] == "none"
    assert (made.identifier, made.vnifilter, made.made_by_us) == (None, kernel_version() >= (5, 18), True)
    assert made == tunnel_devices.tunnel_devices()["encap0"]


def test_up_it_sends_nothing_and_has_no_address(ours: Namespace) -> None:
    made = tunnel_devices.make(EXTERNAL)
    tunnel_devices.set_mtu(made.index, 1400)
    tunnel_devices.set_up(made.index)
    link = shown(ours, "encap0")
    assert link["mtu"] == 1400 and tunnel_devices.tunnel_devices()["encap0"].up
    assert json.loads(ours.run(["ip", "-j", "addr", "show", "dev", "encap0"]).stdout)[0]["addr_info"] == []
    statistics = json.loads(ours.run(["ip", "-s", "-j", "link", "show", "dev", "encap0"]).stdout)[0]["stats64"]["tx"]
    assert (statistics["packets"], statistics["dropped"]) == (0, 0)
    tunnel_devices.delete(made.index)
    tunnel_devices.delete(made.index)  # what is gone is gone
    assert tunnel_devices.tunnel_devices() == {}


def test_one_with_a_vni(ours: Namespace) -> None:
    made = tunnel_devices.make(TunnelDevice("idle", "vxlan", 8472, identifier=16777215))
    assert (made.identifier, made.port, made.vnifilter, made.zero_checksum6) == (16777215, 8472, False, False)
    data = shown(ours, "idle")["linkinfo"]
    assert isinstance(data, dict) and data["info_data"]["id"] == 16777215


def test_names_and_ports_that_are_taken(ours: Namespace) -> None:
    ours.ip("link add encap0 type vxlan id 7 dstport 4790 dev lo")
    with pytest.raises(KernelError) as name:
        tunnel_devices.make(EXTERNAL)
    assert name.value.errno == 17
    assert not tunnel_devices.tunnel_devices()["encap0"].made_by_us
    ours.ip("link del encap0", "link add other type vxlan external dstport 4789", "link set other up")
    with pytest.raises(KernelError) as port:  # before Linux 5.18 it is refused when it is made
        tunnel_devices.set_up(tunnel_devices.make(EXTERNAL).index)
    assert port.value.errno in (17, 98)
