"""The route device: made, opened, followed and taken away, with a look at the wire for what leaves unencapsulated.

The sender's main routing table leads the inside to a device that nobody is attached to: what the route device does not
take is seen there.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from encap_compile.common.diagnostics import DiagnosedError, Diagnostic, Exit
from encap_compile.run import apply as applying
from encap_compile.run.apply import apply
from encap_compile.run.kernel import tunnel_devices
from encap_compile.run.kernel.links import programs_on
from encap_compile.run.kernel.uapi import BPF_TCX_EGRESS
from encap_compile.run.loader import journal, settings
from encap_compile.run.loader.bundle import load_manifest
from encap_compile.run.loader.closing import close
from encap_compile.run.loader.desired import Request
from tests.netns.loader_bundle import write as write_without
from tests.netns.loader_net import ATTACH, INSIDE
from tests.netns.route_bundle import FORWARDING as LO
from tests.netns.route_bundle import PREFIX, RouteWire, route_wire, write
from tests.netns.test_loader_boot import kept
from tests.netns.test_loader_watch_devices import watching
from tests.support.netns import STATE, Namespace
from tests.support.polling import until

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[RouteWire]:
    with route_wire() as made:
        yield made


def table(net: RouteWire) -> str:
    """The routing table that our rule leads to."""
    (line,) = (line for line in net.routes().splitlines() if line.startswith("90:"))
    return line.split("lookup ")[1].split()[0]


def routed(net: RouteWire) -> list[str]:
    """Kind and prefix of every route in it."""
    shown = json.loads(net.ours.run(["ip", "-j", "route", "show", "table", table(net)]).stdout)
    return sorted(f"{r.get('type', 'unicast')} {r['dst']}" for r in shown)


@pytest.mark.parametrize("attach", ATTACH)
def test_apply_and_remove(net: RouteWire, tmp_path: Path, attach: str) -> None:
    """Before and after, packets leave by the route that the machine has; in between, encapsulated by the uplink."""
    bundle = write(tmp_path / "one")
    assert net.try_to_send() == (0, 0, 20)
    planned = net.ctl("plan", bundle, "--set", "uplink=eth0", "--attach", attach, check=3).stdout
    assert "+ device encap0 (vxlan, MTU 1480)" in planned and "routes to encap0: 10.1.0.0/16   +2 -0" in planned
    assert net.left() == []  # to plan is to look
    applied = net.apply(bundle, "--attach", attach).stdout
    assert "+ device encap0 (vxlan, MTU 1480)" in applied and "routes to encap0: 10.1.0.0/16   +2 -0" in applied
    assert routed(net) == [f"unicast {PREFIX}", f"unreachable {PREFIX}"]
    assert net.try_to_send() == (0, 20, 0)
    shown = net.ctl("status", "hand", check=0).stdout
    assert f"sysctl {LO} = 1, 0 before" in shown and f"sysctl {LO} 0 -> 1" in planned
    assert "device encap0, MTU 1480: routed to it 10.1.0.0/16" in shown
    document = json.loads(net.ctl("status", "hand", "--format", "json", check=0).stdout)
    assert document["route_device"]["routed"] == [PREFIX]
    assert {h["device"] for h in document["hooks"]} == {"eth0", "encap0"}
    again = net.apply(bundle)
    assert "Nothing changed" in again.stdout
    done = net.ctl("remove", "hand", check=0)
    assert "device encap0" in done.stdout
    assert net.try_to_send() == (0, 0, 20)
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_what_fails_is_closed(net: RouteWire, tmp_path: Path, attach: str) -> None:
    """Without program, with the device down, deleted, its routes flushed: nothing leaves unencapsulated."""
    bundle = write(tmp_path / "one")
    net.apply(bundle, "--attach", attach)
    breaks = {
        "down": "link set encap0 down",
        "deleted": "link del encap0",
        "its routes": f"route flush table {table(net)} type unicast",
    }
    for what, command in breaks.items():
        net.ours.ip(command)
        assert net.try_to_send() == (20, 0, 0), what
        drift = net.ctl("status", "hand", check=3).stdout
        assert "encap0" in drift, what
        found = json.loads(net.ctl("doctor", bundle, "--set", "uplink=eth0", "--format", "json", check=3).stdout)
        assert {d["code"] for d in found["diagnostics"] if "encap0" in d["message"]} == {"H200"}, what
        net.apply(bundle)
        assert net.try_to_send() == (0, 20, 0), what
        net.ctl("status", "hand", check=0)
    if attach == "clsact":
        net.ours.run(["tc", "filter", "del", "dev", "encap0", "egress"])
    else:
        (pin,) = net.ours.bpffs().glob(f"encap/*/hand/links/egress_{_index(net)}")
        pin.unlink()
        with net.ours.entered():  # the link goes a moment after its last name
            until(lambda: not programs_on(_index(net), BPF_TCX_EGRESS), "the program is off the device")
    assert net.try_to_send()[1:] == (0, 0)  # the device itself sends nothing
    net.ctl("status", "hand", check=3)
    net.apply(bundle)
    assert net.try_to_send() == (0, 20, 0)


def _index(net: RouteWire) -> int:
    shown = json.loads(net.ours.run(["ip", "-j", "link", "show", "encap0"]).stdout)
    return int(shown[0]["ifindex"])


def lose_power(net: RouteWire) -> None:
    """What the kernel had and what was below /run is gone."""
    net.ours.ip("link del encap0", "rule del pref 90", f"route flush table {table(net)}")
    shutil.rmtree(STATE / net.ours.name / "state")
    for pin in sorted(net.ours.bpffs().glob("encap/**/*"), reverse=True):
        pin.rmdir() if pin.is_dir() else pin.unlink()


def test_after_a_reboot(net: RouteWire, tmp_path: Path) -> None:
    """What the kernel had and what was below /run is gone; the journal is still there. Closed until the first apply."""
    bundle = write(tmp_path / "one", boot="closed")
    net.apply(bundle)
    lose_power(net)
    assert net.try_to_send() == (0, 0, 20)  # as any machine that has nothing of ours
    with net.here():
        assert journal.read("hand").devices == {"encap0": "route device"}
        close(load_manifest(bundle))  # as the unit does, before there is a network
    assert net.try_to_send() == (20, 0, 0)
    net.apply(bundle)
    assert net.try_to_send() == (0, 20, 0)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


def test_after_a_reboot_without_it(net: RouteWire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit boots a bundle that has no route device any more: closed until the attached device encapsulates."""
    net.ours.ip("route add 10.1.0.0/16 via 192.0.2.2 dev eth0 mtu 1400")
    net.apply(write(tmp_path / "one", boot="closed"))
    lose_power(net)
    later = write(tmp_path / "two", boot="closed", device="")
    before, carry_out = [], applying._carry_out_hooks

    def looking(*given: Any) -> None:
        before.append(net.try_to_send())
        carry_out(*given)

    monkeypatch.setattr(applying, "_carry_out_hooks", looking)
    with net.here():
        close(load_manifest(later))
        apply(Request(later, settings=["uplink=eth0"]))
    assert before == [(20, 0, 0), (0, 20, 0)]
    assert net.try_to_send() == (0, 20, 0)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


def test_rows_are_routed_and_followed(net: RouteWire, tmp_path: Path) -> None:
    """Only the destinations of rows, as few routes as do; those that go are given back to the main table."""
    rows = {INSIDE: "192.0.2.2", "10.1.0.0": "192.0.2.2", "10.1.9.9": "192.0.2.2"}
    net.apply(write(tmp_path / "one", rows=rows, table=True))
    both = ["10.1.0.0/31", "10.1.9.9"]
    assert routed(net) == [f"{kind} {p}" for kind in ("unicast", "unreachable") for p in both]
    assert net.try_to_send() == (0, 20, 0)
    more = net.apply(write(tmp_path / "two", rows={INSIDE: "192.0.2.2"}, table=True), "--allow-removals", "5")
    assert "routes to encap0: 10.1.0.1/32   +2 -4" in more.stdout
    assert routed(net) == [f"unicast {INSIDE}", f"unreachable {INSIDE}"]
    assert net.try_to_send() == (0, 20, 0)


def test_what_must_not_be_routed_to_it(net: RouteWire, tmp_path: Path) -> None:
    """Tunnel endpoints, subnets that this machine is on, and what rules pass: of a wider prefix, these are left out."""
    net.ours.ip("link add inner type veth peer name far", "addr add 10.1.7.1/24 dev inner", "link set inner up")
    wide = write(tmp_path / "one", prefixes=("10.0.0.0/8", "192.0.0.0/8"), passed=("10.9.0.0/16",))
    net.ours.ip("route add 10.1.200.0/24 via 198.51.100.2")
    told = net.apply(wide).stderr
    assert "H198" in told and "10.1.200.0/24" in told and "10.1.7.0/24" not in told
    thrown = [r for r in routed(net) if r.startswith("throw")]
    assert thrown == ["throw 10.1.7.0/24", "throw 10.9.0.0/16", "throw 192.0.2.0/24", "throw 192.0.2.2"]
    assert net.try_to_send() == (0, 20, 0)
    assert "dev inner" in net.ours.run(["ip", "route", "get", "10.1.7.9"]).stdout


def test_given_up_and_renamed(net: RouteWire, tmp_path: Path) -> None:
    """A bundle without the device takes all of it away again; one with another name has that one."""
    net.apply(write(tmp_path / "one"))
    net.apply(write(tmp_path / "two", device="tunnel7", salt="two"))
    links = net.ours.run(["ip", "-o", "link", "show", "type", "vxlan"]).stdout
    assert "tunnel7" in links and "encap0" not in links
    assert net.try_to_send() == (0, 20, 0)
    net.ctl("status", "hand", check=0)
    done = net.apply(write(tmp_path / "three", device="", salt="three"))
    assert "- device tunnel7" in done.stdout
    assert net.routes().strip() == "" and net.try_to_send() == (0, 0, 20)
    net.ctl("status", "hand", check=0)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_no_packet_is_lost_to_a_device_that_goes(net: RouteWire, tmp_path: Path, attach: str) -> None:
    """Another name, a bundle that takes over with another device, one without any: routes to a device go first."""
    net.ours.ip("route add 10.1.0.0/16 via 192.0.2.2 dev eth0 mtu 1400")
    net.apply(write(tmp_path / "one"), "--attach", attach)
    later: list[tuple[str, str, tuple[str, ...]]] = [
        ("hand", "tunnel7", ()),
        ("other", "tunnel9", ("--replace", "hand")),
        ("hand", "", ("--replace", "other")),
    ]
    for name, device, more in later:
        bundle = write(tmp_path / f"{name}-{device}", name=name, device=device, salt=device)
        encapsulated, others = net.arrived()
        with net.flood(2000) as flood:
            net.apply(bundle, "--attach", attach, *more)
        all_of_it = (encapsulated + flood["sent"], others)
        until(lambda all_of_it=all_of_it: net.arrived() == all_of_it, f"all arrive: {name} {device}", 5)


def test_settings_that_cannot_be_set(net: RouteWire, tmp_path: Path) -> None:
    """As in a container, which sees /proc/sys read-only: said, and everything else is in force. Later it is set."""
    bundle = write(tmp_path / "one")
    sealed = 'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", sealed, "sh", sys.executable, "-m", "encap_compile.ctl"]
    told = net.ours.run([*command, "apply", bundle, "--set", "uplink=eth0"])
    assert f"warning[H185]: {LO} cannot be set" in told.stderr
    assert net.try_to_send() == (0, 20, 0)
    again = net.ours.run([*command, "apply", bundle, "--set", "uplink=eth0"])
    assert "Nothing changed" in again.stdout and "H185" in again.stderr
    assert f"sysctl {LO} 0 -> 1" in net.apply(bundle).stdout
    net.ours.run([*command, "remove", "hand"])
    assert net.ours.run(["cat", f"/proc/sys/{LO}"]).stdout == "1\n"
    net.ctl("remove", "hand", check=0)  # where it may be set, what is left is given back
    assert net.left() == []


def test_another_bundle_takes_its_place(net: RouteWire, tmp_path: Path) -> None:
    """Its device stays, under the other's name; table and rule are the other's."""
    net.apply(write(tmp_path / "one"))
    index, before = _index(net), table(net)
    net.apply(write(tmp_path / "two", name="other"), "--replace", "hand")
    assert _index(net) == index and table(net) != before
    assert net.try_to_send() == (0, 20, 0)
    net.ctl("status", "other", check=0)
    net.ctl("remove", "other", check=0)
    assert net.left() == []


def test_a_takeover_that_the_kernel_refuses(net: RouteWire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device stays the former bundle's, which can be applied again; removing the other one takes nothing away."""
    net.apply(write(tmp_path / "one"))
    other = write(tmp_path / "two", name="other", salt="two")

    def refused(*_: object) -> None:
        raise DiagnosedError([Diagnostic("K206", "refused")], Exit.KERNEL)

    monkeypatch.setattr(applying, "load", refused)
    with net.here(), pytest.raises(DiagnosedError, match="refused"):
        apply(Request(other, settings=["uplink=eth0"], replace="hand"))
    net.ctl("status", "hand", check=0)
    assert "Nothing changed" in net.apply(tmp_path / "one").stdout
    net.ctl("remove", "other", check=0)
    assert net.try_to_send() == (0, 20, 0)
    net.apply(other, "--replace", "hand")
    assert net.try_to_send() == (0, 20, 0)
    net.ctl("status", "other", check=0)
    net.ctl("remove", "other", check=0)
    assert net.left() == []


def test_without_one_a_journal_that_is_sealed_does_not_matter(net: RouteWire, tmp_path: Path) -> None:
    """As in a container that sees the machine's folder read-only."""
    bundle = write_without(tmp_path / "plain")
    net.ours.ip("route add 10.1.0.0/16 via 192.0.2.2 dev eth0 mtu 1400")
    net.apply(write(tmp_path / "one", name="other", prefixes=("10.7.0.0/16",)), "--allow-overlap")
    folder = str(STATE / net.ours.name / "journal")
    sealed = f'mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", sealed, "sh", sys.executable, "-m", "encap_compile.ctl"]
    net.ours.run([*command, "apply", bundle, "--set", "uplink=eth0", "--allow-overlap"])
    net.ours.run([*command, "remove", "hand"])


def test_a_device_that_is_not_ours(net: RouteWire, tmp_path: Path) -> None:
    net.ours.ip("link add encap0 type vxlan id 7 dstport 4790 dev eth0")
    refused = net.apply(write(tmp_path / "one"), check=6)
    assert "error[H193]" in refused.stderr and "vxlan" in refused.stderr
    net.ours.ip("link show encap0", "link del encap0")
    port = json.loads(net.ctl("plan", tmp_path / "one", "--set", "uplink=eth0", "--format", "json").stdout)
    taken = port["route_device"]["port"]
    net.ours.ip(f"link add theirs type vxlan external dstport {taken}", "link set theirs up")
    assert "error[H194]" in net.apply(tmp_path / "one", check=6).stderr
    assert net.routes().strip() == ""
    net.ours.ip("link del theirs")
    net.apply(tmp_path / "one")
    assert net.try_to_send() == (0, 20, 0)


def test_too_small_for_ipv6(net: RouteWire, tmp_path: Path) -> None:
    """Refused before anything is changed; IPv4 alone may be as small."""
    net.ours.ip("link set eth0 mtu 1290")
    assert "error[H195]" in net.apply(write(tmp_path / "one", prefixes=(PREFIX, "2001:db8:1::/48")), check=6).stderr
    assert net.left() == []
    net.apply(write(tmp_path / "two"))
    assert net.try_to_send() == (0, 20, 0)


def test_ipv6_prefixes_are_routed(net: RouteWire, tmp_path: Path) -> None:
    net.apply(write(tmp_path / "one", prefixes=(PREFIX, "2001:db8:1::/48")))
    assert "dev encap0" in net.ours.run(["ip", "-6", "route", "get", "2001:db8:1::7"]).stdout
    net.ours.ip("link del encap0")
    refused = net.ours.run(["ip", "-6", "route", "get", "2001:db8:1::7"], check=False)
    assert "unreachable" in refused.stdout + refused.stderr or "No route" in refused.stderr
    net.apply(tmp_path / "one")
    assert "dev encap0" in net.ours.run(["ip", "-6", "route", "get", "2001:db8:1::7"]).stdout
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


def test_ipv6_where_new_devices_have_none(net: RouteWire, tmp_path: Path) -> None:
    """A setting that hardened hosts have: of our device it is another one, also where it is switched off for all."""
    net.ours.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
    bundle = write(tmp_path / "one", prefixes=(PREFIX, "2001:db8:1::/48"))
    net.apply(bundle)
    assert "dev encap0" in net.ours.run(["ip", "-6", "route", "get", "2001:db8:1::7"]).stdout
    net.ours.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    net.ctl("status", "hand", check=3)
    net.apply(bundle)
    assert "dev encap0" in net.ours.run(["ip", "-6", "route", "get", "2001:db8:1::7"]).stdout
    net.ctl("status", "hand", check=0)
    assert "Nothing changed" in net.apply(bundle).stdout


def test_renamed_by_somebody(net: RouteWire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 5.18 two devices cannot be made for one port: the one that replaces it has the next."""
    with net.here():
        monkeypatch.setattr(tunnel_devices, "VNIFILTER_SINCE", (99, 0))
        request = Request(write(tmp_path / "one"), settings=["uplink=eth0"])
        apply(request)
        net.ours.ip("link set encap0 down", "link set encap0 name other", "link set other up")
        apply(request)
    assert net.try_to_send() == (0, 20, 0)
    links = net.ours.run(["ip", "-o", "link", "show", "type", "vxlan"]).stdout
    assert "encap0" in links and "other" not in links
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


def test_what_plan_names(net: RouteWire, tmp_path: Path) -> None:
    """Rules that are asked before ours."""
    bundle = write(tmp_path / "one")
    net.ours.ip("rule add pref 50 to 10.1.0.0/24 lookup 77", "rule add pref 200 lookup 78")
    told = net.ctl("plan", bundle, "--set", "uplink=eth0").stderr
    assert "H197" in told and "50: table 77" in told and "78" not in told


def test_settings_are_given_back_if_they_are_ours(net: RouteWire, tmp_path: Path) -> None:
    """Written down before they are set; what somebody else has set since stays."""
    with net.here():
        settings.put("one", "", {LO: "1"})
        assert net.ours.run(["cat", f"/proc/sys/{LO}"]).stdout == "1\n"
        assert journal.read("one").sysctls[LO] == journal.Setting("0", "1")
        settings.put("two", "", {LO: "1"})
        assert settings.give_back("one", {}) == ()  # the other needs it
        assert settings.give_back("two", {}) == (LO,)
        assert net.ours.run(["cat", f"/proc/sys/{LO}"]).stdout == "0\n"
        settings.put("one", "", {LO: "1"})
        net.ours.sysctl("net.ipv4.conf.lo.forwarding", 0)
        assert settings.unset({LO: "1"}) == {LO: "0"}
        assert settings.give_back("one", {}) == ()
    assert net.left() == []


def test_bundles_without_one_have_no_journal(net: RouteWire, tmp_path: Path) -> None:
    bundle = write_without(tmp_path / "plain")
    net.apply(bundle)
    assert not (STATE / net.ours.name / "journal").exists()
    net.ctl("remove", "hand", check=0)


def test_watch_makes_it_again(net: RouteWire, tmp_path: Path) -> None:
    """Deleted, down, its routes or its rule gone, a subnet that comes: said, and mended within a moment."""
    with watching(net, write(tmp_path / "one", prefixes=("10.0.0.0/8",))) as watch:
        watch.until("changed.")
        where = table(net)
        for command in (
            "link del encap0",
            "link set encap0 down",
            f"route flush table {where}",
            "rule del pref 90",
            "link set encap0 mtu 1200",
        ):
            net.ours.ip(command)
            watch.until("encap0 changed")
            assert net.try_to_send() == (0, 20, 0), command
        net.ours.ip("link add inner type veth peer name far", "addr add 10.1.7.1/24 dev inner", "link set inner up")
        watch.until("encap0 changed")
        assert "throw 10.1.7.0/24" in routed(net)
        net.ctl("status", "hand", check=0)
        assert watch.end() == 0
    assert net.try_to_send() == (0, 20, 0)  # everything stays in force


def test_an_address_that_goes(net: RouteWire, tmp_path: Path) -> None:
    """Routes of a table of ours keep a source that the machine has not any more, also of a device that is not
    attached: said, and followed by watch."""
    net.ours.ip("addr add 198.51.100.7/24 dev out")
    net.ours.sysctl("net.ipv4.conf.out.promote_secondaries", 1)
    with watching(net, write(tmp_path / "one")) as watch:
        watch.until("changed.")
        assert "src 198.51.100.1 " in net.ours.run(["ip", "route", "get", INSIDE]).stdout
        watch.process.send_signal(signal.SIGSTOP)
        net.ours.ip("addr del 198.51.100.1/24 dev out")
        said = net.ctl("status", "hand", check=3).stdout
        assert "packets to encap0 get the source 198.51.100.1, which this machine has not any more" in said
        watch.process.send_signal(signal.SIGCONT)
        watch.until("encap0 changed")
        assert "src 198.51.100.7 " in net.ours.run(["ip", "route", "get", INSIDE]).stdout
        net.ctl("status", "hand", check=0)


def test_watch_outlives_a_journal_that_cannot_be_read(net: RouteWire, tmp_path: Path) -> None:
    """Said as any apply that fails, and tried again."""
    with watching(net, write(tmp_path / "one")) as watch:
        watch.until("changed.")
        (file,) = (STATE / net.ours.name / "journal").glob("*/hand.json")
        content = file.read_text()
        file.write_text("{")
        net.ours.ip("link set encap0 down")
        watch.until("H155")
        assert watch.process.poll() is None
        file.write_text(content)
        until(lambda: net.try_to_send() == (0, 20, 0), "it is mended", 20)
        assert watch.end() == 0


def test_status_with_a_journal_that_cannot_be_read(net: RouteWire, tmp_path: Path) -> None:
    """It says so; programs and counters are shown all the same, and other bundles."""
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    (file,) = (STATE / net.ours.name / "journal").glob("*/hand.json")
    file.write_text("{")
    for words in (["status"], ["status", "hand"]):
        said = net.ctl(*words, check=3).stdout
        assert "which cannot be read" in said and "eth0" in said
    text = net.ctl("stats", "hand", "--format", "prometheus").stdout
    (up,) = (line for line in text.splitlines() if line.startswith("encap_up{"))
    assert up.endswith(" 1")
    assert "error[H155]" in net.apply(bundle, check=6).stderr
    assert net.try_to_send() == (0, 20, 0)


def test_network_managers_are_told(net: RouteWire, tmp_path: Path) -> None:
    """The unit comes with what keeps them from our device and routes, and `remove` takes it away again."""
    bundle, units, etc = write(tmp_path / "one"), tmp_path / "units", tmp_path / "etc"
    with kept(tmp_path):
        done = net.ctl("unit", bundle, "--set", "uplink=eth0", "--into", units, "--managers", etc, check=0)
        networkd, network, manager = (
            etc / "systemd/networkd.conf.d/50-encap-hand.conf",
            etc / "systemd/network/10-encap-hand.network",
            etc / "NetworkManager/conf.d/50-encap-hand.conf",
        )
        assert all(str(file) in done.stdout for file in (networkd, network, manager))
        assert "ManageForeignRoutingPolicyRules=no" in networkd.read_text()
        assert "Name=encap0" in network.read_text() and "interface-name:encap0" in manager.read_text()
        net.apply(bundle)
        net.ctl("remove", "hand", check=0)
        assert not any(file.exists() for file in (networkd, network, manager, units / "encap-hand.service"))


def test_the_daemon_is_killed(net: RouteWire, tmp_path: Path) -> None:
    """What watch has put in force stays, and what it would mend stays closed."""
    with watching(net, write(tmp_path / "one")) as watch:
        watch.until("changed.")
        watch.process.kill()
        watch.process.wait()
        assert net.try_to_send() == (0, 20, 0)
        net.ours.ip("link del encap0")
        assert net.try_to_send() == (20, 0, 0)


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("name", "../up", "route_device.name"),
        ("overhead", -1, "route_device.overhead"),
        ("prefix", "10.1.0.0/99", "route_device.routes[0]"),
        ("table", "nowhere", "route_device.routes[0].table"),
    ],
)
def test_a_manifest_that_nobody_wrote(net: RouteWire, tmp_path: Path, member: str, value: object, words: str) -> None:
    bundle = write(tmp_path / "one")
    document = json.loads((bundle / "manifest.json").read_text())
    if member == "prefix":
        document["route_device"]["routes"][0]["prefixes"] = [value]
    elif member == "table":
        document["route_device"]["routes"][0]["table"] = value
    else:
        document["route_device"][member] = value
    (bundle / "manifest.json").write_text(json.dumps(document))
    refused = net.apply(bundle, check=None)
    assert refused.returncode == 1 and "error[B302]" in refused.stderr and words in refused.stderr
    assert net.left() == []


def test_the_journal_of_a_namespace_that_is_gone(net: RouteWire, tmp_path: Path) -> None:
    """`sweep` takes it away, and none of a namespace that is there."""
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    folder = STATE / net.ours.name / "journal"
    with Namespace("gone") as gone:
        gone.ip("link add eth0 type veth peer name eth9", "addr add 192.0.2.1/24 dev eth0", "link set eth0 up")
        own = [f"{name}={value}" for name, value in net.ours.environment().items()]
        gone.run(["env", *own, sys.executable, "-m", "encap_compile.ctl", "apply", bundle, "--set", "uplink=eth0"])
        net.ctl("sweep", check=0)
        assert len(list(folder.iterdir())) == 2

    def swept() -> bool:  # the kernel takes a namespace down some time after its last reference
        net.ctl("sweep", check=0)
        return len(list(folder.iterdir())) == 1

    until(swept, "its journal is gone", 20)
    net.ctl("status", "hand", check=0)
    with net.here():
        assert journal.read("hand").devices == {"encap0": "route device"}


def test_packets_have_the_source_that_they_had(net: RouteWire, tmp_path: Path) -> None:
    """Of the main table's route: its own, or that of its device. The first device of the machine has none to say."""

    def source(of: str) -> str:
        return net.ours.run(["ip", "route", "get", of]).stdout.split("src ")[1].split()[0]

    net.ours.ip("addr add 198.51.100.9/24 dev out", "route add 10.1.64.0/18 via 192.0.2.2 src 198.51.100.9")
    addresses = ("10.1.0.1", "10.1.64.1")
    before = [source(a) for a in addresses]
    assert before == ["198.51.100.1", "198.51.100.9"]
    told = net.apply(write(tmp_path / "one", prefixes=("10.1.0.0/18", "10.1.64.0/18", "192.0.0.0/8"))).stderr
    assert "packets to 10.1.64.0/18 are routed to encap0, though the main table" in told
    assert [source(a) for a in addresses] == before
    assert net.try_to_send() == (0, 20, 0)
    assert "Nothing changed" in net.apply(tmp_path / "one").stdout
    net.ctl("status", "hand", check=0)
