"""A machine that is not ready: a clear diagnostic, the right exit code, nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import Wire, wire

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made
        assert made.left() == []


def test_missing_device(net: Wire, tmp_path: Path) -> None:
    error = net.ctl("apply", write(tmp_path / "one"), "--set", "uplink=nope", check=6).stderr
    assert "H105" in error and "eth0" in error


def test_missing_value(net: Wire, tmp_path: Path) -> None:
    assert "H104" in net.ctl("apply", write(tmp_path / "one"), check=6).stderr


def test_ambiguous_address(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("addr add 198.51.100.7/24 dev eth0")
    error = net.apply(write(tmp_path / "one"), check=6).stderr
    assert "H106" in error and "192.0.2.1, 198.51.100.7" in error


def test_secondary_and_unready_addresses_do_not_count(net: Wire, tmp_path: Path) -> None:
    net.ours.ip(
        "addr add 192.0.2.9/24 dev eth0",  # secondary: of the same subnet
        "addr add 2001:db8::1/64 dev eth0 preferred_lft 0",  # deprecated
    )
    net.apply(write(tmp_path / "one"))
    assert "vtep (ipv6) = none" in net.ctl("status", "hand", check=0).stdout
    net.ctl("remove", "hand", check=0)


def test_not_ethernet(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("tuntap add tun0 mode tun", "addr add 203.0.113.1/24 dev tun0", "link set tun0 up")
    assert "H107" in net.ctl("apply", write(tmp_path / "one"), "--set", "uplink=tun0", check=6).stderr


def test_host_file_and_its_place(net: Wire, tmp_path: Path) -> None:
    bundle, host = write(tmp_path / "one"), tmp_path / "host.yaml"
    host.write_text("uplink: eth0\nvtep: [192.0.2.1, 2001:db8::1, 2001:db8::2]\n")
    error = net.ctl("apply", bundle, "--host", host, check=6).stderr
    assert "H103" in error and "host.yaml:2:7" in error
    host.write_text("uplink: eth0\nother: 7\nvtep: [192.0.2.1, 2001:db8::1]\n")
    net.ctl("apply", bundle, "--host", host, check=0)
    assert "vtep (ipv6) = 2001:db8::1" in net.ctl("status", "hand", check=0).stdout
    net.ctl("remove", "hand", check=0)


@pytest.mark.parametrize("drop", ["-bpf,-sys_admin", "-net_admin", "-all"])
def test_missing_privilege(net: Wire, tmp_path: Path, drop: str) -> None:
    bundle = write(tmp_path / "one")
    without = ("setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}")
    for verb in ("apply", "plan"):
        error = net.ctl(verb, bundle, "--set", "uplink=eth0", prefix=without, check=6).stderr
        assert "H101" in error and "CAP_" in error


def test_privilege_of_a_user_namespace_does_not_count(net: Wire, tmp_path: Path) -> None:
    done = net.ctl("apply", write(tmp_path / "one"), "--set", "uplink=eth0", prefix=("unshare", "-Ur"))
    assert done.returncode == 6 and "H101" in done.stderr and "user namespace" in done.stderr
    done = net.ctl("doctor", tmp_path / "one", "--set", "uplink=eth0", prefix=("unshare", "-Ur"))
    assert done.returncode == 6 and "H101" in done.stderr and "Nothing to mend" not in done.stdout


def test_no_bpf_filesystem(net: Wire, tmp_path: Path) -> None:
    error = net.apply(write(tmp_path / "one"), "--bpffs", tmp_path, check=6).stderr
    assert "H102" in error and "mount -t bpf" in error


def test_kernel_too_old(net: Wire, tmp_path: Path) -> None:
    assert "K203" in net.apply(write(tmp_path / "one", kernel="99.1"), check=5).stderr


def test_no_libbpf(net: Wire, tmp_path: Path) -> None:
    done = net.apply(write(tmp_path / "one"), check=None)
    assert done.returncode == 0
    net.ctl("remove", "hand", check=0)
    error = net.ctl(
        "apply", tmp_path / "one", "--set", "uplink=eth0", prefix=("env", "ENCAP_LIBBPF=libnothing.so"), check=6
    ).stderr
    assert "K201" in error and "apt-get update && apt-get install libbpf1" in error


def test_an_object_that_is_none(net: Wire, tmp_path: Path) -> None:
    import hashlib

    bundle = write(tmp_path / "one")
    before = hashlib.sha256((bundle / "hand.bpf.o").read_bytes()).hexdigest()
    (bundle / "hand.bpf.o").write_bytes(b"nothing")
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace(before, hashlib.sha256(b"nothing").hexdigest()))
    assert "K204" in net.apply(bundle, check=5).stderr


def test_later_verbs_say_so(net: Wire) -> None:
    for verb in ("rollback", "why", "drops", "trace", "endpoints"):
        assert "not in this release" in net.ctl(verb, "hand", "--anything", check=2).stderr


def test_a_bug_is_no_traceback(net: Wire, tmp_path: Path) -> None:
    error = net.ctl("plan", tmp_path / "nothing", check=1).stderr
    assert "B301" in error
