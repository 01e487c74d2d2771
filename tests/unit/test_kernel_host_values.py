"""Host values: what is given, what a default finds, and what is refused rather than guessed."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.netns import loader_bundle

from encap_compile.common.diagnostics import DiagnosedError, Findings
from encap_compile.common.manifest import HostDeclaration, Manifest
from encap_compile.common.manifest_io import load
from encap_compile.run.host_values import Machine, resolve
from encap_compile.run.kernel.devices import Address, Device
from encap_compile.run.loader.compose import compose, decode, identity_of
from encap_compile.run.loader.hostfile import read_host_file, read_settings
from encap_compile.run.loader.removals import Limits


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return load(loader_bundle.write(tmp_path_factory.mktemp("bundle")) / "manifest.json")


def device(name: str, index: int, *addresses: str, unfit: tuple[str, ...] = ()) -> Device:
    listed = [Address(ip_address(a), 24, True) for a in addresses] + [Address(ip_address(a), 24, False) for a in unfit]
    return Device(name, index, bytes([2, 0, 0, 0, 0, index]), 1500, True, True, tuple(listed))


ETH0 = device("eth0", 2, "192.0.2.1", "2001:db8::1", unfit=("192.0.2.9", "fe80::1"))
ETH1 = device("eth1", 3, "192.0.2.1", "192.0.2.77")
ETH2 = device("eth2", 4, "203.0.113.1")
NO_MAC = replace(device("tun0", 5), ethernet=False, mac=b"")
DEVICES = {d.name: d for d in (ETH0, ETH1, ETH2, NO_MAC)}


def resolved(manifest: Manifest, *settings: str) -> tuple[Machine, list[str]]:
    findings = Findings()
    machine = resolve(manifest, read_settings(settings), DEVICES, findings)
    return machine, [d.code for d in findings.all]


def test_the_default_is_the_devices_only_address(manifest: Manifest) -> None:
    machine, codes = resolved(manifest, "uplink=eth0")
    assert codes == []
    assert machine.values["vtep"].text() == "192.0.2.1, 2001:db8::1"
    assert machine.values["vtep"].origin == "uplink.address"
    instance = compose(manifest, machine, ETH0)
    assert instance.missing == ()
    assert identity_of(manifest, instance.host) == manifest.identity
    assert decode(manifest.host_members, instance.host) == {
        "vtep (ipv4)": "192.0.2.1",
        "vtep (ipv6)": "2001:db8::1",
        "uplink.mac": "02:00:00:00:00:02",
        "uplink.mtu": "1500",
        "uplink.ifindex": "2",
    }


def test_a_family_that_is_missing_stays_zero(manifest: Manifest) -> None:
    machine, codes = resolved(manifest, "uplink=eth2")
    assert codes == []
    assert [m.member.name for m in compose(manifest, machine, ETH2).missing] == ["source6"]


def test_given_values_go_before_defaults(manifest: Manifest) -> None:
    machine, codes = resolved(manifest, "uplink=eth1", "vtep=192.0.2.77")
    assert codes == []
    assert machine.values["vtep"].text() == "192.0.2.77"


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ((), ["H104"]),
        (("uplink=eth9",), ["H105"]),
        (("uplink=eth0,eth2",), ["H103"]),
        (("uplink=eth1",), ["H106"]),
        (("uplink=tun0", "vtep=192.0.2.1"), ["H107"]),
        (("uplink=eth0", "vtep=nothing"), ["H103"]),
        (("uplink=eth0", "vtep=192.0.2.1,192.0.2.2"), ["H103"]),
        (("uplink=eth0", "vtep=224.0.0.1"), ["H103"]),
        (("uplink=eth0", "vtep=127.0.0.1"), ["H103"]),
        (("uplink=eth0", "vtep=::1"), ["H103"]),
        (("uplink=eth0", "vtep=255.255.255.255"), ["H103"]),
        (("uplink=eth0", "upling=eth0"), ["H104"]),
    ],
)
def test_refused(manifest: Manifest, settings: tuple[str, ...], codes: list[str]) -> None:
    assert resolved(manifest, *settings)[1] == codes


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("ipv4", "192.0.2.1", "2001:db8::1"),
        ("ipv6", "2001:db8::1", "192.0.2.1"),
        ("mac", "02:00:5e:00:00:01", "02:00:5e:00:00"),
        ("mac", "02:00:5e:00:00:01", "00:00:00:00:00:00"),
        ("u8", "255", "256"),
        ("u16", "0xffff", "65536"),
        ("u24", "16777215", "16777216"),
        ("u32", "4294967295", "-1"),
    ],
)
def test_typed(manifest: Manifest, kind: str, good: str, bad: str) -> None:
    one = replace(manifest, host=(HostDeclaration("value", kind, ""),), attach=(), host_members=())
    assert resolved(one, f"value={good}")[1] == []
    assert resolved(one, f"value={bad}")[1] == ["H103"]


def test_devices_with_an_own_address_each(manifest: Manifest) -> None:
    several = replace(manifest, host=(HostDeclaration("uplink", "devices", ""), manifest.host[1]))
    machine, codes = resolved(several, "uplink=eth0,eth2")
    assert codes == []
    assert [d.name for d in machine.attached] == ["eth0", "eth2"]
    assert decode(several.host_members, compose(several, machine, ETH2).host)["vtep (ipv4)"] == "203.0.113.1"
    assert decode(several.host_members, compose(several, machine, ETH0).host)["uplink.ifindex"] == "2"


def test_an_address_read_from_the_device_itself(manifest: Manifest) -> None:
    members = tuple(replace(m, source="uplink.address") if m.source == "vtep" else m for m in manifest.host_members)
    direct = replace(manifest, host=manifest.host[:1], host_members=members)
    machine, codes = resolved(direct, "uplink=eth0")
    assert codes == []
    assert decode(direct.host_members, compose(direct, machine, ETH0).host)["uplink.address (ipv6)"] == "2001:db8::1"
    assert resolved(direct, "uplink=eth1")[1] == ["H106"]


def test_host_file(tmp_path: Path) -> None:
    path = tmp_path / "host.yaml"
    path.write_text("uplink: eth0\nmac: 11:22:33:44:55:55\nnumber: 0x10\nvtep: [192.0.2.1, '2001:db8::1']\n")
    given = read_host_file(path).values
    assert {name: g.texts for name, g in given.items()} == {
        "uplink": ("eth0",),
        "mac": ("11:22:33:44:55:55",),
        "number": ("0x10",),
        "vtep": ("192.0.2.1", "2001:db8::1"),
    }
    assert given["vtep"].place.line == 4


def test_rows_and_limits_of_a_host_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "host.yaml"
    path.write_text("rows: {sites: feed/s.csv, other/sites: /srv/o.csv}\nlimits: {removals: {rows: 5}}\nuplink: eth0\n")
    monkeypatch.chdir(tmp_path)
    file = read_host_file(Path("host.yaml"))
    assert file.path == str(path) and file.limits == Limits(percent=20, rows=5)
    assert {t: e.file for t, e in file.rows_of("mine", ["sites"]).items()} == {"sites": tmp_path / "feed/s.csv"}
    assert {t: e.file for t, e in file.rows_of("other", ["sites"]).items()} == {"sites": Path("/srv/o.csv")}
    assert file.rows_of("mine", ["peers"]) == {}


def test_a_host_value_may_be_called_rows(tmp_path: Path) -> None:
    path = tmp_path / "host.yaml"
    path.write_text("rows: 7\nlimits: [1, 2]\n")
    assert {n: g.texts for n, g in read_host_file(path).values.items()} == {"rows": ("7",), "limits": ("1", "2")}


WRONG_HOST_FILES = [
    "rows: {sites: [a]}",
    "rows: {sites: }",
    "rows: {/sites: a.csv}",
    "limits: {rows: 7}",
    "limits: {removals: 7}",
    "limits: {removals: {percent: 101}}",
    "limits: {removals: {rows: -1}}",
    "limits: {removals: {rows: '7'}}",
    "limits: {removals: {lines: 7}}",
]


@pytest.mark.parametrize(
    "text", [*WRONG_HOST_FILES, "[]", "a: {b: c}", "a: 1\na: 2", "a: [", "a: [[1]]", "a: []", "a:"]
)
def test_host_file_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "host.yaml"
    path.write_text(text)
    with pytest.raises(DiagnosedError) as caught:
        read_host_file(path)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("", "`encapctl explain H103` shows one"),
        ("uplink: eth0\n---\nuplink: eth1\n", "one file is one host file; remove the `---`"),
    ],
)
def test_what_is_no_document_is_said_of_a_host_file(tmp_path: Path, text: str, help: str) -> None:
    """One reader reads specs and host files; on a node nobody is told about specs."""
    (tmp_path / "host.yaml").write_text(text)
    with pytest.raises(DiagnosedError) as raised:
        read_host_file(tmp_path / "host.yaml")
    assert [d.help for d in raised.value.diagnostics] == [help]
