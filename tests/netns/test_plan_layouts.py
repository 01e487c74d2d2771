"""What plan says of route layouts, devices and rows as machines have them: the truth, once, with advice that helps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import Wire, wire

pytestmark = pytest.mark.kernel

VTEP = ("--set", "vtep=192.0.2.1")


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def planned(net: Wire, bundle: Path, *words: str, device: str = "eth0") -> list[tuple[str, str, str]]:
    """(code, message, help) of all that plan finds."""
    done = net.ctl("plan", bundle, "--set", f"uplink={device}", *words, "--format", "json", check=3)
    return [(d["code"], d["message"], d["help"]) for d in json.loads(done.stdout)["diagnostics"]]


def codes(found: list[tuple[str, str, str]]) -> list[str]:
    return [code for code, _, _ in found]


def second_uplink(net: Wire) -> None:
    net.ours.ip(
        "link add eth1 type veth peer name eth9",
        "link set eth9 up",
        "link set eth1 up",
        "addr add 203.0.113.1/24 dev eth1",
    )


def compiled(folder: Path, text: str, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(text)
    command = [sys.executable, "-m", "encap_compile.cli", str(folder / f"{name}.yaml"), "-o", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / name


SPEC = """
apiVersion: encap/v1alpha1
name: {name}
kernel: "5.10"
host: {{uplink: device, vtep: {{type: ip, default: uplink.address}}}}
attach: {{devices: host.uplink}}
encapsulations:
  e: [{{ip: {{source: host.vtep, destination: endpoint.address}}}}]
endpoints:
  sites: {{key: [{key}], fields: {{address: ip}}, encapsulation: e, file: sites.csv, capacity: {capacity}}}
egress:
  next_hop: {next_hop}
  rules:
{rules}
  default: pass
ingress:
  rules: [{{name: peers, decapsulate: e, from: sites.address}}]
mtu: {{clamp_mss: {clamp}}}
"""


def spec(
    folder: Path,
    rules: list[str],
    rows: str,
    name: str = "made",
    key: str = "destination",
    next_hop: str = "keep",
    clamp: str = "true",
    capacity: int = 1000,
) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "sites.csv").write_text(rows)
    lines = "\n".join(f"    - {rule}" for rule in rules)
    return compiled(
        folder, SPEC.format(name=name, key=key, next_hop=next_hop, rules=lines, clamp=clamp, capacity=capacity), name
    )


# ---- prefixes as prefixes -------------------------------------------------------------------------------------------


def test_a_prefix_that_holds_our_own_address(net: Wire, tmp_path: Path) -> None:
    """The ordinary layout: each host has an address in the prefix that the tunnel carries."""
    net.ours.ip("addr add 10.1.0.1/32 dev lo")
    bundle = write(tmp_path / "one", rows={"10.1.0.1": "192.0.2.1", "10.1.0.2": "192.0.2.2", "10.1.0.3": "192.0.2.2"})
    assert planned(net, bundle) == []
    net.ours.ip("route change 10.1.0.0/16 via 192.0.2.2")
    assert codes(planned(net, bundle)) == ["H111"]  # the check of the MTU is not skipped


def test_our_own_address_among_the_endpoints_is_said_once(net: Wire, tmp_path: Path) -> None:
    rows = {f"10.1.0.{i}": "192.0.2.1" for i in range(1, 30)} | {"10.1.1.1": "192.0.2.2"}
    bundle = write(tmp_path / "one", rows=rows)
    done = net.ctl("plan", bundle, "--set", "uplink=eth0", check=3)
    assert "ok     next hop right for 1 of 1 endpoint\n" in done.stdout
    assert done.stdout.count("this host") == 1 and "this host  192.0.2.1: the endpoint of 29 rows" in done.stdout
    assert done.stderr == ""


def test_a_rule_about_this_host_alone_is_a_note(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("addr add 10.1.0.0/16 dev lo")  # every address of it is local then
    ((code, message, _),) = planned(net, write(tmp_path / "one"))
    assert code == "H125" and "rule web: 10.1.0.0/16 is this host" in message


def test_more_specific_routes_of_every_kind(net: Wire, tmp_path: Path) -> None:
    second_uplink(net)
    net.ours.ip(
        "route add blackhole 10.1.7.0/24",  # not sent, so not unencapsulated
        "route add 10.1.8.0/24 via 203.0.113.9 metric 5",
        "route add 10.1.9.0/24 via 203.0.113.9 metric 50",
        "route add 10.1.9.0/24 via 192.0.2.2 metric 5 mtu 1400",  # the lower metric wins
    )
    ((code, message, _),) = planned(net, write(tmp_path / "one"))
    assert code == "H112"
    assert message == "rule web: 10.1.8.0/24 leads to 203.0.113.9 on eth1: those packets are not encapsulated"


def test_a_prefix_that_only_a_part_of_reaches(net: Wire, tmp_path: Path) -> None:
    second_uplink(net)
    net.ours.ip(
        "route del 10.1.0.0/16", "route add default via 203.0.113.9", "route add 10.1.0.0/24 via 192.0.2.2 mtu 1400"
    )
    ((code, message, _),) = planned(net, write(tmp_path / "one"))
    assert code == "H112" and "10.1.0.0/16 (but for 10.1.0.0/24) leads to 203.0.113.9 on eth1" in message


def test_a_multipath_route_of_which_one_hop_is_not_attached(net: Wire, tmp_path: Path) -> None:
    second_uplink(net)
    net.ours.ip("route replace 10.1.0.0/16 mtu 1400 nexthop via 192.0.2.2 nexthop via 203.0.113.9")
    ((code, message, _),) = planned(net, write(tmp_path / "one"))
    assert code == "H112" and "leads to 192.0.2.2 on eth0 and 203.0.113.9 on eth1, and not all" in message


def test_a_multipath_route_of_which_one_hop_is_not_the_endpoints(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("route replace 10.1.0.0/16 mtu 1400 nexthop via 192.0.2.2 nexthop via 192.0.2.9")
    found = planned(net, write(tmp_path / "one"))
    assert codes(found) == ["H113"] and "10.1.0.1 goes to 192.0.2.2 on eth0 or 192.0.2.9 on eth0" in found[0][1]
    net.ours.ip("route add 198.51.100.0/24 nexthop via 192.0.2.9 nexthop via 192.0.2.2")
    assert planned(net, write(tmp_path / "two", rows={"10.1.0.1": "198.51.100.7"})) == []


def test_policy_routing(net: Wire, tmp_path: Path) -> None:
    """By destination it is checked; by what else, it is named."""
    second_uplink(net)
    net.ours.ip("route add default via 203.0.113.9 table 77", "rule add to 10.1.5.0/24 table 77 pref 500")
    ((code, message, _),) = planned(net, write(tmp_path / "one"))
    assert code == "H112" and "10.1.5.0/24) leads" not in message and "203.0.113.9 on eth1" in message
    net.ours.ip(
        "rule del pref 500", "rule add fwmark 7 table 77 pref 600", "rule add from 10.9.0.0/16 table 77 pref 601"
    )
    ((code, message, _),) = planned(net, write(tmp_path / "one"))
    assert code == "H127" and "600: fwmark, 601: from 10.9.0.0/16" in message


def test_one_warning_for_many_rules_and_prefixes(net: Wire, tmp_path: Path) -> None:
    rules = [f"{{name: r{i}, match: {{destination: 172.16.{i}.0/24}}, to: sites}}" for i in range(60)]
    bundle = spec(tmp_path / "many", rules, "destination,address\n172.16.0.0/24,192.0.2.2\n")
    found = planned(net, bundle)
    assert codes(found) == ["H112"]
    assert (
        "rules r0, r1, r2, r3, r4 and 55 more: 172.16.0.0/24" in found[0][1] and "their route is missing" in found[0][1]
    )


# ---- devices --------------------------------------------------------------------------------------------------------


def test_a_device_that_is_down(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    net.ours.ip("link set eth0 down")
    assert codes(planned(net, bundle)) == ["H120"]
    second_uplink(net)
    net.ours.ip("route add default via 203.0.113.9")
    found = planned(net, bundle)
    assert codes(found) == ["H120", "H120"]
    assert (
        "while eth0 is down, 10.1.0.0/16 leads to 203.0.113.9 on eth1: those packets are not encapsulated"
        in found[1][1]
    )


def test_a_device_without_carrier(net: Wire, tmp_path: Path) -> None:
    net.peer.ip("link set eth0 down")
    found = planned(net, write(tmp_path / "one"))
    assert codes(found) == ["H121"] and "eth0 has no carrier" in found[0][1]


def test_a_bridge_port(net: Wire, tmp_path: Path) -> None:
    net.ours.ip(
        "link add br0 type bridge",
        "link set br0 up",
        "link set eth0 master br0",
        "addr del 192.0.2.1/24 dev eth0",
        "addr add 192.0.2.1/24 dev br0",
        "route replace 10.1.0.0/16 via 192.0.2.2 mtu 1400",
    )
    found = planned(net, write(tmp_path / "one"), *VTEP)
    assert codes(found) == ["H122"] and "eth0 is a port of bridge br0" in found[0][1]
    assert planned(net, write(tmp_path / "one"), device="br0") == []  # what it advises is right


def test_a_device_over_the_attached_one(net: Wire, tmp_path: Path) -> None:
    """Packets of a macvlan device do pass the program below it, as the note says."""
    mac = json.loads(net.peer.run(["ip", "-j", "link", "show", "dev", "eth0"]).stdout)[0]["address"]
    net.ours.ip(
        "link add mv0 link eth0 type macvlan mode bridge",
        "link set mv0 up",
        "addr del 192.0.2.1/24 dev eth0",
        "addr add 192.0.2.1/24 dev mv0",
        f"neigh add 192.0.2.2 lladdr {mac} dev mv0",
        "route replace 10.1.0.0/16 via 192.0.2.2 mtu 1400",
    )
    bundle = write(tmp_path / "one")
    found = planned(net, bundle, *VTEP)
    assert codes(found) == ["H123"] and "mv0 (macvlan), which lies over eth0" in found[0][1]
    net.apply(bundle, *VTEP)
    assert net.send(20) == (20, 0)
    net.ctl("remove", "hand", check=0)


# ---- the MTU of what rules reach ------------------------------------------------------------------------------------

ANY = "{name: any, match: {protocol: udp}, to: sites}"
TEN = "{name: ten, match: {destination: 10.1.0.0/16}, to: sites}"
ROWS = "destination,address\n10.1.0.0/24,192.0.2.2\n10.1.9.0/24,192.0.2.2\n"
LAYOUTS = [
    ("route replace 10.1.0.0/16 via 192.0.2.2",),
    ("route del 10.1.0.0/16", "route add default via 192.0.2.2"),
    ("route replace 10.1.0.0/16 nexthop via 192.0.2.2 nexthop via 192.0.2.2",),
    ("route replace 10.1.0.0/16 via 192.0.2.2 mtu 1481",),
    ("nexthop add id 9 via 192.0.2.2 dev eth0", "route del 10.1.0.0/16", "route add 10.1.0.0/16 nhid 9"),
]


@pytest.mark.parametrize("rule", [ANY, TEN])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_routes_of_rows_need_an_mtu_and_the_advice_helps(
    net: Wire, tmp_path: Path, rule: str, layout: tuple[str, ...]
) -> None:
    net.ours.ip(*layout)
    bundle = spec(tmp_path / "one", [rule], ROWS)
    ((code, message, fix),) = planned(net, bundle)
    assert code == "H111" and "eth0 1500 - 20 = 1480" in message and "larger packets are lost" in message
    assert "has mtu 1481" in message if "1481" in layout[0] else "has no mtu" in message
    command = re.search(r"`ip ([^`]*mtu 1480[^`]*)`", fix)
    assert command is not None
    net.ours.ip(command[1])
    assert planned(net, bundle) == []


def test_rows_that_no_rule_leads_to_are_not_looked_at(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("route add 172.16.0.0/16 via 192.0.2.9")
    bundle = spec(tmp_path / "one", [TEN], ROWS + "172.16.0.0/16,198.51.100.1\n")
    assert [code for code, _, _ in planned(net, bundle)] == ["H129"]  # named, and its route is not asked for


def test_rows_for_what_never_reaches_the_hook(net: Wire, tmp_path: Path) -> None:
    second_uplink(net)
    net.ours.ip("route add 172.16.0.0/16 via 203.0.113.9")
    bundle = spec(tmp_path / "one", [ANY], ROWS + "172.16.0.0/16,192.0.2.2\n172.17.0.0/16,192.0.2.2\n")
    ((code, message, _),) = planned(net, bundle)
    assert code == "H112"
    assert "rule any: 2 of 4 rows of sites are for packets that never reach an attached device" in message
    assert "172.16.0.1 leads to 203.0.113.9 on eth1" in message and "172.17.0.1 has no route" in message


@pytest.mark.parametrize("rule", [ANY, TEN])
def test_a_part_of_a_row_that_never_reaches_the_hook(net: Wire, tmp_path: Path, rule: str) -> None:
    net.ours.ip("route add blackhole 10.1.78.0/24")
    bundle = spec(tmp_path / "one", [rule], "destination,address\n10.1.0.0/16,192.0.2.2\n")
    (message,) = (message for code, message, _ in planned(net, bundle) if code == "H112")
    assert message.endswith(
        "rows of sites are also for packets that never reach an attached device: "
        "10.1.78.0/24 has a route that is of type blackhole: nothing is sent"
    )
    net.ours.ip(
        "route del blackhole 10.1.78.0/24", "route del 10.1.0.0/16", "route add 10.1.64.0/18 via 192.0.2.2 mtu 1480"
    )
    (message,) = (message for code, message, _ in planned(net, bundle) if code == "H112")
    assert message.endswith(
        "rows of sites are also for packets that never reach an attached device: 10.1.0.0/18 has no route"
    )


TOLD = "; their senders are told by ICMP, but not of IPv4 packets without DF"


@pytest.mark.parametrize(
    ("rule", "clamp", "words"),
    [
        (TEN, "true", "larger packets are lost, but for TCP, whose MSS is lowered"),
        (TEN, "false", "larger packets are lost"),
        ("{name: t, match: {destination: 10.1.0.0/16, protocol: tcp}, to: sites}", "true", ""),
        ("{name: t, match: {destination: 10.1.0.0/16, protocol: tcp}, to: sites}", "false", "larger packets are lost"),
    ],
)
def test_who_loses(net: Wire, tmp_path: Path, rule: str, clamp: str, words: str) -> None:
    net.ours.ip("route change 10.1.0.0/16 via 192.0.2.2")
    found = planned(net, spec(tmp_path / "one", [rule], ROWS, clamp=clamp))
    assert codes(found) == (["H111"] if words else [])
    assert not words or found[0][1].endswith(words + TOLD)


def test_who_is_told(net: Wire, tmp_path: Path) -> None:
    """Senders learn what fits where the program answers, and not where it drops."""
    net.ours.ip("route change 10.1.0.0/16 via 192.0.2.2")
    told, untold = (
        planned(net, spec(tmp_path / word, [TEN], ROWS, clamp=f"false, too_big: {word}"))[0][1]
        for word in ("icmp", "drop")
    )
    assert told.endswith("larger packets are lost" + TOLD) and untold.endswith("larger packets are lost")


REFLECTING = """
apiVersion: encap/v1alpha1
name: back
kernel: "5.10"
host: {uplink: device, address: {type: ipv4, default: uplink.address}}
attach: {devices: host.uplink}
encapsulations:
  gue:
    - ipv4: {source: host.address, destination: received.ipv4.source}
    - udp: {destination_port: 6080, source_port: flow, checksum: zero}
    - gue: {}
egress:
  rules: [{name: answers, match: {source: 203.0.113.0/24}, reflect: in}]
  default: pass
ingress:
  rules: [{name: in, decapsulate: gue, from: 192.0.2.0/28, learn: {for: replies, capacity: 1000, idle: 60s}}]
"""


def test_answers_by_reflection_need_an_mtu_too(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("route add default via 192.0.2.2")
    ((code, message, _),) = planned(net, compiled(tmp_path / "back", REFLECTING, "back"))
    assert code == "H111" and "1500 - 32 = 1468" in message and "the IPv4 default route" in message
    assert "but for TCP" in message and "IPv6" not in message
    net.ours.ip("route change default via 192.0.2.2 mtu 1468", "route change 192.0.2.0/24 dev eth0 mtu 1468")
    assert planned(net, compiled(tmp_path / "back", REFLECTING, "back")) == []


# ---- multicast ------------------------------------------------------------------------------------------------------

GROUPS = "destination,address\n239.0.0.0/8,192.0.2.2\n"
GROUP = "{name: groups, match: {destination: 239.0.0.0/8}, to: sites}"


def test_multicast_needs_the_routed_next_hop(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("route add 239.0.0.0/8 dev eth0 mtu 1400")
    found = planned(net, spec(tmp_path / "keep", [GROUP], GROUPS))
    assert codes(found) == ["H113"] and "its frame has the MAC address of the multicast group" in found[0][1]
    bundle = spec(tmp_path / "route", [GROUP], GROUPS, next_hop="route")
    assert planned(net, bundle) == []
    net.apply(bundle)
    before = net.arrived()
    import socket

    with net.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(20):
            sender.sendto(b"x" * 22, ("239.1.2.3", 7))
    after = net.arrived()
    assert (after[0] - before[0], after[1] - before[1]) == (20, 0)  # what plan calls right does arrive
    net.ctl("remove", "made", check=0)


# ---- exit codes, apply ----------------------------------------------------------------------------------------------


def test_strict(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    words = ("plan", bundle, "--set", "uplink=eth0")
    net.ctl(*words, "--strict", check=0)
    net.ours.ip("route change 10.1.0.0/16 via 192.0.2.2")
    net.ctl(*words, check=0)
    assert "H111" in net.ctl(*words, "--strict", check=3).stderr
    assert "H111" in net.ctl(*words, "--strict", "--format", "json", check=3).stdout
    net.ours.ip("route change 10.1.0.0/16 via 192.0.2.2 mtu 1400", "rule add fwmark 7 table 77 pref 600")
    assert "note[H127]" in net.ctl(*words, "--strict", check=0).stderr  # a note is no warning
    net.ctl("remove", "hand", check=0)


def test_apply_warns_as_plan_does(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("route change 10.1.0.0/16 via 192.0.2.2")
    bundle = write(tmp_path / "one", rows={"10.1.0.1": "192.0.2.9"})
    words = ("--set", "uplink=eth0")
    plan, done = net.ctl("plan", bundle, *words, check=3), net.apply(bundle)
    assert plan.stderr == done.stderr and "H111" in done.stderr and "H113" in done.stderr
    assert "look   next hop right for 0 of 1 endpoint" in done.stdout
    document: Any = json.loads(net.apply(bundle, "--format", "json").stdout)
    assert [d["code"] for d in document["diagnostics"]] == ["H111", "H113"]
    net.ctl("remove", "hand", check=0)
