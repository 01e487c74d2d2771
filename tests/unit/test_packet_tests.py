"""`tests:` in a spec, `encap-compile test` and `explain --packet`: what passes, what fails, and what is refused."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import Ether
from tests.support.documents import validate_output

from encap_compile import cli
from encap_compile.common import command_line
from encap_compile.compile.packet_tests.build import Inner, packet

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
OVERLAY = ROOT / "examples" / "vxlan-overlay.yaml"
V4 = (bytes((10, 0, 0, 5)), bytes((10, 1, 2, 3)))
V6 = (b"\xfd" + bytes(14) + b"\1", b"\xfd" + bytes(14) + b"\2")


def run(*words: str) -> int:
    return command_line.run(cli.cli, "encap-compile", list(words))


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path / "examples")
    return tmp_path / "examples"


def edited(work: Path, old: str, new: str) -> str:
    path = work / OVERLAY.name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return OVERLAY.name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_every_rule_of_the_examples_has_a_test_that_passes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("test", "--require-coverage", str(path)) == 0
    assert " 0 failed; " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("vxlan.vni: 42}}", "vxlan.vni: 41}}", "sent.vxlan.vni: 41 expected, 42 found"),
        ("row: fra", "row: ams", "row: ams expected, fra found"),
        ("{verdict: drop, rule: lab}", "{verdict: pass, rule: lab}", "verdict: pass expected, drop found"),
        ("counter: egress_too_big", "counter: egress_no_headroom", "counter: egress_no_headroom expected"),
        ("ip.destination: 192.0.2.10", "ip.destination: 192.0.2.20", "192.0.2.20 expected, 192.0.2.10 found"),
        ("rule: peers, mark: 0", "rule: peers, mark: 1", "mark: 1 expected, 0 found"),
        ("443, 8000-8999]", "443, 8000-9000]", "rule: sites expected, web found"),  # the spec itself changes
        ("lookup: vnis, set_mark", "lookup: vnis, set_mark", ""),
    ],
)
def test_a_difference_fails(work: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str) -> None:
    code = run("test", edited(work, old, new))
    out = capsys.readouterr().out
    assert code == bool(said)
    assert said in out and ("FAILED" in out) is bool(said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rule: lab}", "rule: lap}", "there is no rule `lap`"),
        ("counter: egress_too_big", "counter: too_big", "there is no counter `too_big`"),
        ("vxlan.vni: 43}", "vxlan.vnu: 43}", "vxlan has no field `vnu`"),
        ("vxlan.vni: 42}}\n    - name: beside", "vxlan.vni: 16777216}}\n    - name: beside", "out of range"),
        ("vxlan.vni: 42}}\n    - name: beside", "vxlan.vni: ef}}\n    - name: beside", "`ef` is not a number"),
        ("{ip.destination: 192.0.2.10,", "{ip.destination: 192.0.2.0/24,", "`192.0.2.0/24`"),
        ("vxlan.vni: 43}", "gre.key: 43}", "has no header for `gre.key`"),
        (
            "sent: {ip.destination: 192.0.2.10, vxlan.vni",
            "sent: {ip.destination: 192.0.2.10, gre.key",
            "no encapsulation",
        ),
        (
            "encapsulation: vxlan, received: {ip.source: 192.0.2.11,",
            "encapsulation: vxlan, received: {",
            "which address",
        ),
        (
            "encapsulation: vxlan, received: {ip.source: 192.0.2.11,",
            "encapsulation: gre, received: {",
            "decapsulates `gre`",
        ),
        ("destination: 10.4.0.1}", 'destination: "2001:db8::1"}', "of different families"),
        ("destination: 10.4.0.1}", "destination: 10.4.0.1, protocol: icmp, source_port: 1}", "has no ports"),
        ("destination: 10.4.0.1}", "destination: 10.4.0.1, length: 20}", "20 bytes have no room for 28"),
        ("vxlan.vni: 43}", "vxlan.vni: 16777216}", "out of range"),
        ("{verdict: drop, rule: lab}", "{verdict: decapsulate}", "a packet that leaves is never decapsulated"),
        ("{verdict: drop, rule: lab}", "{verdict: choose}", "a packet that leaves is never given a row"),
        ("row: fra", "row: fro", "no table has a row `fro`"),
        ("{verdict: drop, counter: refused", "{verdict: drop, sent: {ip.ttl: 1}, counter: refused", "is not sent in"),
        (
            "leaves: {source: 10.9.0.5, destination: 10.99.0.1}",
            "connects: {destination: 10.99.0.1}",
            "no connect rules",
        ),
        ("    - name: lab\n", "    - name: web\n", "two tests are called `web`"),
        ("    - name: web\n", "    - name: web\n      after: lab\n", "there is no test `lab` above"),
        ("tests:     ", "tests:\n  host: {vtap: 192.0.2.1}\n  #", "there is no host value `vtap`"),
        ("tests:     ", "tests:\n  host: {vtep: nowhere}\n  #", "E4"),
        ("tests:     ", "tests:\n  host: {uplink: eth0}\n  #", "which device"),
    ],
)
def test_a_wrong_test_is_an_error_with_its_place(
    work: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    name = edited(work, old, new)
    for verb in ("test", "check"):
        assert run(verb, name) == 1
        shown = capsys.readouterr()
        assert said in shown.err and f"--> {OVERLAY.name}:" in shown.err
        assert shown.out == ""


def test_tests_change_no_byte(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OVERLAY.name, "-o", str(tmp_path / "with")) == 0
    path = work / OVERLAY.name
    path.write_text(path.read_text().partition("tests:")[0])
    assert run(OVERLAY.name, "-o", str(tmp_path / "without")) == 0
    first, second = ({p.name: p.read_bytes() for p in sorted((tmp_path / f / "vxlan-overlay").iterdir())
                      if not p.name.startswith(".")} for f in ("with", "without"))  # fmt: skip
    assert first == second and first
    capsys.readouterr()
    assert run("test", OVERLAY.name) == 1
    assert "error[T132]: vxlan-overlay has no tests" in capsys.readouterr().err


def test_a_rule_without_a_test_is_an_error_if_asked(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (work / OVERLAY.name).read_text()
    at = text.index("    - name: lab\n")
    (work / OVERLAY.name).write_text(text[:at] + text[text.index("    - name: internet\n") :])
    assert run("test", OVERLAY.name) == 0
    assert "without a test: egress.rules.lab" in capsys.readouterr().out
    assert run("test", "--require-coverage", OVERLAY.name) == 1
    assert "error[T134]: no test meets egress.rules.lab" in capsys.readouterr().err


def test_the_default_is_to_be_tested_where_packets_come_to_it(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (work / OVERLAY.name).read_text()
    at = text.index("    - name: internet\n")
    without = text[:at] + text[text.index("    - name: ", at + 9) :]
    (work / OVERLAY.name).write_text(without)
    assert run("test", "--require-coverage", OVERLAY.name) == 1
    shown = capsys.readouterr()
    line = next(n for n, text in enumerate(without.splitlines(), 1) if text.startswith("  default: "))
    assert "error[T134]: no test meets egress.default" in shown.err and f"--> {OVERLAY.name}:{line}:" in shown.err
    for match, comes in (
        ("{}", False),
        ('{destination: [0.0.0.0/0, "::/0"]}', False),
        ("{destination: 0.0.0.0/0}", True),  # IPv6 does
        ('{destination: [0.0.0.0/0, "::/0"], protocol: tcp}', True),
    ):
        everything = f"    - {{name: rest, match: {match}, action: drop}}\n  default: "
        (work / OVERLAY.name).write_text(without.replace("  default: ", everything, 1))
        assert run("test", "--require-coverage", OVERLAY.name) == 1
        shown = capsys.readouterr().err
        assert "no test meets egress.rules.rest" in shown and ("no test meets egress.default" in shown) is comes


MAIL = "connects: {destination: 198.51.100.25, destination_port: 587, cgroup: team-b.slice/web}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rule: mail-out, row: nyc", "rule: mail-out, row: lon", "row: lon expected, nyc found"),
        (MAIL, MAIL.replace("587", "588"), "verdict: choose expected, pass found"),
        (MAIL, MAIL.replace("587", "587, protocol: udp"), "verdict: choose expected, pass found"),
        (MAIL, MAIL.replace("team-b.slice/web", "team-c.slice"), "verdict: choose expected, pass found"),
        (MAIL, MAIL.replace("198.51.100.25", '"2001:db8::25"'), "row: nyc expected, lon found"),  # not of this socket
        (
            "after: mail\n      leaves: {source: 10.0.0.5, destination: 198.51.100.25",
            None,
            "row: nyc expected, lon found",
        ),
        ("destination_port: [25, 587]}, choose: exits/nyc", "destination_port: [25]}, choose: exits/nyc", "pass found"),
        ("choose: exits/nyc}", "choose: exits/lon}", "row: nyc expected, lon found"),
        ("expect: {verdict: choose, rule: mail-out", "expect: {verdict: drop, rule: mail-out", "is never dropped"),
        (MAIL, MAIL.replace("team-b.slice/web", "/team-b.slice"), "is not a cgroup's path"),
        (MAIL, MAIL.replace("587", "65536"), "E209"),
        (MAIL, MAIL.replace("destination: 198.51.100.25, ", ""), "needs `destination`"),
        ("rule: mail-out, row", "rule: management, row", "there is no rule `management`"),
    ],
)
def test_a_socket_that_connects_otherwise_fails(
    work: Path, capsys: pytest.CaptureFixture[str], old: str, new: str | None, said: str
) -> None:
    path = work / "teams.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, old.replace("after: mail\n      ", "") if new is None else new, 1))
    assert run("test", path.name) == 1
    shown = capsys.readouterr()
    assert said in shown.out + shown.err


PRIVATE = 'gue.private: "0a1b2c3d"'
ENI = "geneve.eni: 0x0a1b2c3d4e5f6072"


@pytest.mark.parametrize(
    ("spec", "old", "new", "said"),
    [
        ("gwlb", f"6081, {ENI}", "6081, geneve.eni: 7", "sent.geneve.eni: 7 expected, 0x0a1b2c3d4e5f6072 found"),
        ("gwlb", f"6081, {ENI}", "6081, geneve.enii: 7", "did you mean `eni`?"),
        ("gwlb", f"6081, {ENI}", '6081, geneve.options: "00"', "sent.geneve.options: 00 expected, 010801020a1b"),
        ("gwlb", f"10.0.1.5, {ENI}", "10.0.1.5, geneve.enii: 7", "geneve has no field `enii`"),
        ("gwlb", f"10.0.1.5, {ENI}", "10.0.1.5, geneve.eni: 0x10000000000000000", "is out of range for an option of 8"),
        (
            "gwlb",
            f"10.0.1.5, {ENI}",
            '10.0.1.5, geneve.options: "01080302", ' + ENI,
            "`options` and `eni` are both given",
        ),
        ("gwlb", '"0109e400"', '"0109"', "`geneve.options` has 2 bytes, and its length is counted in units of 4"),
        ("gwlb", '"0109e400"', '"01096400"', "counter: refused_gwlb__geneve_options_critical expected"),  # not critical
        ("gwlb", '"0109e400"', f'"{"01096400" * 64}"', "no such packet can be made"),
        ("gue-edge", f"6080, {PRIVATE}", '6080, gue.private: ""', "sent.gue.private:  expected, 0a1b2c3d found"),
        ("gue-edge", f"192.0.2.1, {PRIVATE}", "192.0.2.1", "sent.gue.private: 0a1b2c3d expected,"),
        ("gue-edge", PRIVATE, "gue.private: 0x0a1b2c3d", "is no sequence of bytes"),
        ("gue-edge", PRIVATE, 'gue.private: "0a1b2"', "is no sequence of bytes"),
    ],
)
def test_variable_parts_that_differ_fail(
    work: Path, capsys: pytest.CaptureFixture[str], spec: str, old: str, new: str, said: str
) -> None:
    path = work / f"{spec}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert run("test", path.name) == 1
    shown = capsys.readouterr()
    assert said in shown.out + shown.err


OF_THE_HOST = """
apiVersion: encap/v1alpha1
name: racks
host: {uplink: device, vtep: {type: ip, default: uplink.address}, rack: u32}
attach: {devices: host.uplink}
encapsulations:
  geneve:
    - ip: {source: host.vtep, destination: endpoint.address}
    - udp: {checksum: zero}
    - geneve: {vni: 7, options: [{name: rack, class: 0x102, type: 1, length: 4, value: host.rack}]}
endpoints:
  sites:
    key: destination
    fields: {address: ip}
    encapsulation: geneve
    rows: [{destination: 10.1.0.0/16, address: 192.0.2.10}]
egress: {rules: [{name: sites, match: {destination: 10.1.0.0/16}, to: sites}], default: pass}
ingress: {rules: [{name: peers, decapsulate: geneve, from: sites.address}]}
tests:
  host: {rack: 12}
  packets:
    - name: same-rack
      arrives: {encapsulation: geneve, received: {ip.source: 192.0.2.10}, source: 10.1.2.3, destination: 10.0.0.5}
      expect: {verdict: decapsulate, rule: peers}
    - name: another-rack
      arrives:
        encapsulation: geneve
        received: {ip.source: 192.0.2.10, geneve.rack: 13}
        source: 10.1.2.3
        destination: 10.0.0.5
      expect: {verdict: drop, counter: refused_geneve__geneve_option_rack}
"""


def test_an_option_of_the_host_arrives_as_it_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "racks.yaml"
    path.write_text(OF_THE_HOST)
    assert run("test", str(path)) == 0
    assert "2 passed, 0 failed" in capsys.readouterr().out


def test_a_packet_that_is_too_big_is_answered_if_it_says_so(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = edited(work, "length: 1451, df: 1}", "length: 1451}")
    assert run("test", name) == 1
    assert "verdict: answer expected, drop found" in capsys.readouterr().out
    edited(
        work, "length: 1451}\n      expect: {verdict: answer", "length: 1450, df: 1}\n      expect: {verdict: answer"
    )
    assert run("test", name) == 1
    assert "verdict: answer expected, encapsulate found" in capsys.readouterr().out


def test_documents(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = edited(work, "row: fra", "row: ams")
    assert run("test", name, "gre-tenants.yaml", "--format", "json") == 1
    out = capsys.readouterr().out
    validate_output(["test"], out)
    found = json.loads(out)
    assert [s["failed"] for s in found["suites"]] == [1, 0]
    assert [d["code"] for d in found["diagnostics"]] == ["T133"]
    assert run("test", name, "--format", "junit") == 1
    suite = ElementTree.fromstring(capsys.readouterr().out.partition("\n")[2])[0]
    assert suite.get("tests") == "10" and suite.get("failures") == "1"
    assert [case.get("name") for case in suite if len(case)] == ["web"]


# ---- one packet ------------------------------------------------------------------------------------------------------


def test_one_packet_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    words = "source=10.0.0.5 destination=10.1.2.3 protocol=tcp destination_port=443"
    assert run("explain", str(OVERLAY), "--packet", words) == 0
    out = capsys.readouterr().out
    assert "matched web" in out and "(vxlan-overlay.yaml:33)" in out and "found sites: fra" in out
    assert run("explain", str(OVERLAY), "--packet", words, "--format", "json") == 0
    found = capsys.readouterr().out
    validate_output(["explain"], found)
    document = json.loads(found)
    sent = Ether(bytes.fromhex(document["frame_out"]))
    assert (sent[IP].dst, sent[UDP].dport) == ("192.0.2.10", 4789)  # scapy reads the same
    outer = {row["name"]: row["value"] for row in document["outer"]}
    assert outer["ipv4.destination"] == sent[IP].dst and outer["vxlan.vni"] == "42"
    assert int(outer["ipv4.checksum"]) == sent[IP].chksum == IP(bytes(sent[IP])).chksum
    refused = "encapsulation=vxlan ip.source=192.0.2.10 vxlan.vni=43 source=10.1.2.3 destination=10.0.0.5"
    assert run("explain", str(OVERLAY), "--packet", refused) == 0
    assert "dropped by peers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spec", "words", "size", "labels"),
    [
        ("vxlan-overlay", "source=10.0.0.5 destination=10.1.2.3", 50, {"vxlan.vni": "42"}),
        (
            "gwlb",
            "encapsulation=gwlb ip.source=10.0.1.5 geneve.eni=0x0a1b2c3d4e5f6072 geneve.cookie=5"
            " source=192.168.0.1 destination=192.168.1.1",
            68,
            {
                "geneve.eni": "0x0a1b2c3d4e5f6072",
                "geneve.eni.class": "264",
                "geneve.cookie": "0x00000005",
                "geneve.cookie.length": "1",
            },
        ),
        (
            "gwlb",
            "encapsulation=gwlb ip.source=10.0.1.5 geneve.options=0109640101020304010803010000000501080102"
            "0a1b2c3d4e5f6072010802020000000000000000 source=192.168.0.1 destination=192.168.1.1",
            76,
            {"geneve.unlisted": "0x01020304", "geneve.cookie": "0x00000005", "geneve.eni": "0x0a1b2c3d4e5f6072"},
        ),
        (
            "gue-edge",
            f"encapsulation=gue ip.source=192.0.2.1 gue.private={'01020304' * 6} source=192.168.0.1"
            " destination=203.0.113.9",
            56,
            {"gue.private": "01020304" * 6, "gue.hlen": "6"},
        ),
    ],
)
def test_every_outer_byte_is_labelled(
    capsys: pytest.CaptureFixture[str], spec: str, words: str, size: int, labels: dict[str, str]
) -> None:
    command = ("explain", str(ROOT / "examples" / f"{spec}.yaml"), "--packet", words)
    assert run(*command, "--format", "json") == 0
    out = capsys.readouterr().out
    validate_output(["explain"], out)
    document = json.loads(out)
    longer = bytes.fromhex(max(document["frame_in"], document["frame_out"], key=len))
    shown = {row["offset"]: bytes.fromhex(row["bytes"]) for row in document["outer"]}
    assert b"".join(shown[at] for at in sorted(shown)) == longer[14 : 14 + size]
    assert list(shown) == [sum(len(shown[at]) for at in shown if at < offset) for offset in sorted(shown)]
    values = {row["name"]: row["value"] for row in document["outer"]}
    assert labels.items() <= values.items()
    assert run(*command) == 0
    text = capsys.readouterr().out
    assert all(any(name in line.split() for line in text.splitlines()) for name in labels)


def capture(path: Path, *frames: bytes, order: str = "<", link: int = 1, cut: int = 0) -> Path:
    head = struct.pack(f"{order}IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    records = (struct.pack(f"{order}IIII", 0, 0, len(f), len(f) + cut) + f for f in frames)
    path.write_bytes(head + b"".join(records))
    return path


@pytest.mark.parametrize("order", "<>")
def test_a_frame_of_a_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str], order: str) -> None:
    other = bytes(Ether() / IP(src="10.0.0.5", dst="198.51.100.1") / UDP())
    lab = bytes(Ether() / IP(src="10.9.0.5", dst="10.99.0.1") / UDP())
    path = capture(tmp_path / "trace.pcap", other, lab, order=order)
    assert run("explain", str(OVERLAY), "--packet", f"{path}:2") == 0
    assert "dropped by lab" in capsys.readouterr().out
    assert run("explain", str(OVERLAY), "--packet", f"{path}:1") == 0
    assert "passed as it is by default" in capsys.readouterr().out
    assert run("explain", str(OVERLAY), "--packet", f"{path}:3") == 1
    assert "has 2 frames" in capsys.readouterr().err


def test_a_wrong_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = bytes(Ether() / IP() / UDP())
    for path, said in (
        (capture(tmp_path / "cut.pcap", frame, cut=1), "was cut off"),
        (capture(tmp_path / "raw.pcap", frame, link=101), "does not hold Ethernet"),
        (tmp_path / "none.pcap", "cannot be read"),
    ):
        assert run("explain", str(OVERLAY), "--packet", f"{path}:1") == 1
        assert said in capsys.readouterr().err
    short = capture(tmp_path / "short.pcap", frame[:9])
    assert run("explain", str(OVERLAY), "--packet", f"{short}:1") == 1
    assert "shorter than an Ethernet header" in capsys.readouterr().err
    (tmp_path / "text.pcap").write_text("no capture")
    assert run("explain", str(OVERLAY), "--packet", f"{tmp_path / 'text.pcap'}:1") == 1
    assert "is no pcap file" in capsys.readouterr().err


ENDS = "source=10.0.0.5 destination=10.1.2.3"


@pytest.mark.parametrize(
    "words",
    [
        *("", " ", "source=10.0.0.1", "colour=red", "source=10.0.0.1 destination=", "x"),
        *(f"{ENDS} {more}" for more in ("ttl=300", "destination_port=70000", "length=9001", "ecn=9", "fragment=last")),
        *(f"{ENDS} {more}" for more in ("source=10.0.0.6", "ttl=x", "ttl=-1", "encapsulation=vxlan cgroup=a.slice")),
    ],
)
def test_words_that_are_none(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert run("explain", str(OVERLAY), "--packet", words) == 2
    assert "error[T131]: --packet: " in capsys.readouterr().err


def test_a_packet_from_nowhere_is_told_in_the_words_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", str(OVERLAY), "--packet", f"encapsulation=vxlan {ENDS}") == 1
    assert "help: add `ip.source=ADDRESS`" in capsys.readouterr().err


def test_options_that_have_no_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", str(OVERLAY), "--arrives") == 2
    assert run("explain", "E101", "--packet", ENDS) == 2
    assert run("explain", str(OVERLAY), "--packet", ENDS, "--arrives") == 0
    assert "none of this spec's stacks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spec", "old", "new", "said"),
    [
        ("teams", "cgroup: team-a.slice, chose: exits/fra", "cgroup: team-a.slice, chose: exits/faa", "no row that a"),
        ("teams", "chose: exits/fra", "chose: keys/fra", "`keys/fra` is no row that a socket may choose"),
        ("teams", "cgroup: system.slice", "cgroup: a/../system.slice", "is not a cgroup's path"),
        ("ipip-sites", "10.1.2.3, dscp: ef", "10.1.2.3, cgroup: a.slice", "no rule of this spec asks"),
        (
            "ipip-sites",
            "tests:\n",
            "tests:\n  host: {tunnel: [192.0.2.1, 192.0.2.2, 192.0.2.3]}\n",
            "more than 2 values",
        ),
    ],
)
def test_what_a_socket_or_a_host_cannot_be(
    work: Path, capsys: pytest.CaptureFixture[str], spec: str, old: str, new: str, said: str
) -> None:
    path = work / f"{spec}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert run("test", path.name) == 1
    assert said in capsys.readouterr().err


def test_one_family_of_a_host_value_leaves_the_other_invented(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = work / "ipip-sites.yaml"
    path.write_text(
        path.read_text()
        .replace("tests:\n", "tests:\n  host: {tunnel: 192.0.2.1}\n")
        .replace(
            '{ip.destination: "2001:db8::20"}',
            '{ip.destination: "2001:db8::20", ip.source: "2001:db8::77", ip.ttl: 64}',
        )
        .replace("ip.dscp: 46", "ip.dscp: ef, ip.source: 192.0.2.1")
    )
    assert run("test", path.name) == 0, capsys.readouterr().out


def test_a_mark_on_a_drop_is_none(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = edited(work, "{verdict: drop, rule: lab}", "{verdict: drop, rule: lab, mark: 0}")
    assert run("test", name) == 1
    assert "mark: 0 expected, none found" in capsys.readouterr().out


def test_a_row_without_a_name_is_its_line(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = work / "gre-tenants.yaml"
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "key: 1001}" in text)
    path.write_text(path.read_text().replace("rule: tenants, sent", f"rule: tenants, row: '{line}', sent", 1))
    assert run("test", path.name) == 0, capsys.readouterr().out


def test_junit_shows_specs_that_cannot_be_tested(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = edited(work, "rule: lab}", "rule: lap}")
    assert run("test", name, "gre-tenants.yaml", "--format", "junit") == 1
    suites = ElementTree.fromstring(capsys.readouterr().out.partition("\n")[2])
    assert [(s.get("name"), s.get("errors")) for s in suites] == [("gre-tenants", None), ("encap-compile", "1")]


def test_one_socket_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("explain", str(ROOT / "examples/teams.yaml"), "--connects")
    words = "destination=198.51.100.25 destination_port=587 cgroup=team-b.slice/web"
    assert run(*command, words) == 0
    out = capsys.readouterr().out
    assert "198.51.100.25, port 587, protocol 6: exits/nyc is chosen by mail-out" in out
    assert "matched mail-out: " in out and "(teams.yaml:" in out and "found exits: nyc" in out
    assert run(*command, words.replace("587", "443"), "--format", "json") == 0
    found = capsys.readouterr().out
    validate_output(["explain"], found)
    document = json.loads(found)
    assert (document["verdict"], document["chosen"], document["counters"]) == ("passed", "", {})
    assert any("not destination_port in 25, 587" in step for step in document["steps"])
    assert run(*command, words, "--format", "json") == 0
    found = capsys.readouterr().out
    validate_output(["explain"], found)
    assert json.loads(found)["counters"] == {"connect_rule_mail_out": {"packets": 1, "bytes": 0}}
    assert run(*command, words.replace("team-b.slice/web", "system.slice")) == 0
    assert "nothing is chosen\n\n  it is in no cgroup" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("", 2, "a socket connects to a destination"),
        ("destination=10.0.0.1 source=10.0.0.2", 2, "`source=10.0.0.2` is no word of a socket"),
        ("destination=10.0.0.1 destination=10.0.0.2", 2, "given twice"),
        ("destination=10.0.0.1 destination_port=70000", 2, "is no number from 0 to 65535"),
        ("destination=10.0.0.0/8", 1, "10.0.0.0/8"),
    ],
)
def test_a_socket_that_is_none(capsys: pytest.CaptureFixture[str], words: str, code: int, said: str) -> None:
    assert run("explain", str(ROOT / "examples/teams.yaml"), "--connects", words) == code
    assert said in capsys.readouterr().err
    assert run("explain", str(OVERLAY), "--connects", "destination=10.0.0.1") == 1
    assert "has no connect rules" in capsys.readouterr().err
    assert run("explain", str(OVERLAY), "--connects", "destination=10.0.0.1", "--packet", ENDS) == 2


def test_steps_say_cgroups_as_the_spec_does(capsys: pytest.CaptureFixture[str]) -> None:
    words = "source=10.0.0.5 destination=198.51.100.7 cgroup=system.slice"
    assert run("explain", str(ROOT / "examples/teams.yaml"), "--packet", words) == 0
    out = capsys.readouterr().out
    assert "tried chosen-a: not cgroup team-a.slice" in out and "CGROUP" not in out


# ---- packets, as scapy makes them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [V4, V6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("protocol", [6, 17, 132, 47])
@pytest.mark.parametrize("fragment", ["", "first", "later"])
def test_packets_are_whole(ends: tuple[bytes, bytes], protocol: int, fragment: str) -> None:
    made = packet(Inner(*ends, protocol, 1000, 2000, dscp=46, ecn=1, ttl=9, length=200, fragment=fragment))
    assert len(made) == 200
    read = (IP if len(ends[0]) == 4 else IPv6)(made)
    if len(ends[0]) == 4:
        again = IP(made)
        del again.chksum
        assert IP(bytes(again)).chksum == read.chksum and (read.tos, read.ttl) == (46 << 2 | 1, 9)
        assert (read.flags.MF, read.frag) == (fragment == "first", 185 if fragment == "later" else 0)
    else:
        assert (read.tc, read.hlim, read.plen) == (46 << 2 | 1, 9, 160)
        part = read[IPv6ExtHdrFragment] if fragment else None
        assert part is None or (part.m, part.offset) == (fragment == "first", 185 if fragment == "later" else 0)
    if fragment or protocol not in (6, 17):
        return
    layer = read[TCP if protocol == 6 else UDP]
    assert (layer.sport, layer.dport) == (1000, 2000)
    given = layer.chksum
    del layer.chksum
    assert read.__class__(bytes(read))[layer.__class__].chksum == given


@pytest.mark.parametrize(("ends", "protocol", "layer"), [(V4, 1, ICMP), (V6, 58, ICMPv6EchoRequest)])
def test_echo_requests(ends: tuple[bytes, bytes], protocol: int, layer: type) -> None:
    read = (IP if len(ends[0]) == 4 else IPv6)(packet(Inner(*ends, protocol)))
    name = "chksum" if protocol == 1 else "cksum"
    given = getattr(read[layer], name)
    delattr(read[layer], name)
    assert getattr(read.__class__(bytes(read))[layer], name) == given
