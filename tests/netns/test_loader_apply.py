"""apply and remove on a real kernel: idempotent, refused without a trace, nothing left behind, nobody else touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from encap_compile.run.kernel.links import Link
from encap_compile.run.kernel.objects import BpfObject
from encap_compile.run.kernel.uapi import BPF_TCX_EGRESS
from tests.netns.loader_bundle import compiled, csv, write
from tests.netns.loader_net import ATTACH, COUNTING, Wire, wire

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def counters(net: Wire) -> dict[str, int]:
    document = json.loads(net.ctl("stats", "hand", "--format", "json", check=0).stdout)
    return {c["name"]: c["packets"] for c in document["counters"]}


@pytest.mark.parametrize("attach", ATTACH)
def test_a_second_apply_changes_nothing(net: Wire, tmp_path: Path, attach: str) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle, "--attach", attach)
    assert net.send() == (20, 0)
    before = net.left(), net.ours.run(["tc", "filter", "show", "dev", "eth0", "egress"]).stdout
    assert "Nothing changed" in net.apply(bundle).stdout
    assert (net.left(), net.ours.run(["tc", "filter", "show", "dev", "eth0", "egress"]).stdout) == before
    assert net.ctl("plan", bundle, "--set", "uplink=eth0", check=0).stdout.endswith("Nothing to change.\n")
    net.ctl("status", bundle, check=0)


@pytest.mark.parametrize("attach", ATTACH)
def test_remove_leaves_nothing_and_names_what_goes_in_the_clear(net: Wire, tmp_path: Path, attach: str) -> None:
    before = net.left()
    net.apply(write(tmp_path / "one"), "--attach", attach)
    done = net.ctl("remove", "hand", check=0)
    assert "now unencapsulated: 10.1.0.0/16" in done.stdout
    assert net.left() == before == []
    assert net.send() == (0, 20)
    assert "H110" in net.ctl("remove", "hand", check=6).stderr


def test_remove_keeps_a_qdisc_that_was_there(net: Wire, tmp_path: Path) -> None:
    net.ours.tc("qdisc add dev eth0 clsact")
    net.apply(write(tmp_path / "one"), "--attach", "clsact")
    net.ctl("remove", "hand", check=0)
    assert "clsact" in net.ours.run(["tc", "qdisc", "show", "dev", "eth0"]).stdout


@pytest.mark.parametrize("attach", ATTACH)
def test_a_refused_load_changes_nothing(net: Wire, tmp_path: Path, attach: str) -> None:
    net.apply(write(tmp_path / "one"), "--attach", attach)
    before = net.left()
    bad = write(tmp_path / "bad", refused=True, rows={"10.1.0.1": "192.0.2.9", "10.1.0.2": "192.0.2.9"})
    error = net.apply(bad, check=5).stderr
    assert "K205" in error
    assert "hand.bpf.c:" in error and "made for ingress.rules.seen of spec.yaml" in error
    assert "data[100] == 7" in error
    assert net.left() == before
    assert net.send() == (20, 0)
    net.ctl("status", "hand", check=0)


def test_a_changed_file_is_refused(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    for name in ("hand.bpf.o", "hand.bpf.c", "sites.csv"):
        original = (bundle / name).read_bytes()
        (bundle / name).write_bytes(original + b"\n")
        done = net.apply(bundle, check=1)
        assert "B305" in done.stderr and name in done.stderr
        (bundle / name).write_bytes(original)
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"next_hop"', '"next_hops"'))
    assert "B302" in net.apply(bundle, check=1).stderr
    manifest.write_text(manifest.read_text().replace('"next_hops": "keep"', '"next_hop": "route"'))
    assert "identity" in net.apply(bundle, check=1).stderr
    assert net.left() == []


def test_rows_follow_the_file(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one", rows={"10.1.0.1": "192.0.2.2", "10.1.0.2": "192.0.2.2"})
    net.apply(bundle)
    programs = net.hook("egress")
    other = tmp_path / "other.csv"
    other.write_bytes(csv({"10.1.0.2": "192.0.2.3", "10.1.0.3": "192.0.2.2"}))
    done = net.apply(bundle, "--rows", f"sites={other}")
    assert "rows sites +1 -1 ~1 of 2" in done.stdout
    assert net.hook("egress") == programs
    assert net.send() == (0, 20)  # 10.1.0.1 has no row any more
    assert "B307" in net.apply(bundle, "--rows", f"nothing={other}", check=1).stderr


def test_a_full_map_moves_to_a_new_one(net: Wire, tmp_path: Path) -> None:
    first = {f"10.1.1.{i}": "192.0.2.2" for i in range(16)}
    second = {f"10.1.0.{i}": "192.0.2.2" for i in range(16)}
    net.apply(write(tmp_path / "one", rows=first, capacity=16))
    done = net.apply(write(tmp_path / "two", rows=second, capacity=16), "--allow-removals", "16")
    assert "rows sites +16 -16 ~0 of 16   in a new map" in done.stdout
    assert net.send() == (20, 0)
    assert len([p for p in net.left() if "/sites-" in p]) == 1


def test_counters_survive_another_layout(net: Wire, tmp_path: Path) -> None:
    net.apply(write(tmp_path / "one"))
    net.send(20)
    done = net.apply(write(tmp_path / "two", counters=("first", "seen", "web"), wide=True))
    assert "in a new map" in done.stdout
    net.send(10)
    assert counters(net)["web"] == 30
    net.apply(write(tmp_path / "one"))
    net.send(5)
    assert counters(net)["web"] == 35
    assert len([p for p in net.left() if "/counters-" in p]) == 1


@pytest.mark.parametrize("attach", ATTACH)
def test_other_programs_run_before_and_after_ours(net: Wire, tmp_path: Path, attach: str) -> None:
    seen = {}
    with BpfObject(compiled(COUNTING.replace("@VERDICT@", "-1").lstrip()), "before") as before:
        before.load()
        with BpfObject(compiled(COUNTING.replace("@VERDICT@", "-1").lstrip()), "after") as after:
            after.load()
            pinned = []
            for which, opened in (("before", before), ("after", after)):
                if which == "after":
                    net.apply(write(tmp_path / "one"), "--attach", attach)
                with opened.program("count") as program:
                    if attach == "tcx":
                        with net.ours.entered():
                            pinned.append(Link.create(program.fd, 2, BPF_TCX_EGRESS))
                    else:
                        _add_filter(net, program.fd, 1 if which == "before" else 60000, which)
            net.send(20)
            for which, opened in (("before", before), ("after", after)):
                with opened.map("arrived") as arrived:
                    seen[which] = [int.from_bytes(arrived.lookup(bytes([i, 0, 0, 0])), "little") for i in (0, 1)]
            # Ours is replaced and removed; theirs stay where they are.
            net.apply(write(tmp_path / "two", salt="two"))
            plan = json.loads(
                net.ctl("plan", tmp_path / "two", "--set", "uplink=eth0", "--format", "json", check=0).stdout
            )
            egress = next(h for h in plan["hooks"] if h["direction"] == "egress")
            assert [p["ours"] for p in egress["programs"]] == [False, True, False]
            net.ctl("remove", "hand", check=0)
            assert net.send(7) == (0, 7)
            with after.map("arrived") as arrived:
                assert int.from_bytes(arrived.lookup(bytes([1, 0, 0, 0])), "little") == 7
            for link in pinned:
                link.close()
    assert seen == {"before": [0, 20], "after": [20, 0]}


def _add_filter(net: Wire, fd: int, priority: int, name: str) -> None:
    from encap_compile.run.kernel.netlink import add_clsact, replace_filter
    from encap_compile.run.kernel.uapi import TC_CLSACT_EGRESS

    with net.ours.entered():
        if priority == 1:
            add_clsact(2)
        replace_filter(2, TC_CLSACT_EGRESS, priority, 1, fd, name)


def test_a_foreign_filter_in_our_place_is_not_touched(net: Wire, tmp_path: Path) -> None:
    from encap_compile.run.kernel.hooks.clsact import PRIORITY, handle_of
    from encap_compile.run.kernel.netlink import add_clsact, replace_filter
    from encap_compile.run.kernel.uapi import TC_CLSACT_EGRESS

    with BpfObject(compiled(COUNTING.replace("@VERDICT@", "-1").lstrip()), "foreign") as foreign:
        foreign.load()
        with net.ours.entered(), foreign.program("count") as program:
            add_clsact(2)
            replace_filter(2, TC_CLSACT_EGRESS, PRIORITY, handle_of("hand"), program.fd, "theirs")
        assert "theirs" in net.apply(write(tmp_path / "one"), "--attach", "clsact", check=5).stderr
        assert "theirs" in net.ours.run(["tc", "filter", "show", "dev", "eth0", "egress"]).stdout


def test_each_device_has_its_own_instance(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("link add eth1 type veth peer name eth9", "addr add 198.51.100.1/24 dev eth1", "link set eth1 up")
    bundle = write(tmp_path / "one", devices=True)
    net.ctl("apply", bundle, "--set", "uplink=eth0,eth1", check=0)
    status = json.loads(net.ctl("status", "hand", "--format", "json", check=0).stdout)
    assert [(h["device"], h["direction"]) for h in status["hooks"]] == [
        ("eth0", "egress"),
        ("eth0", "ingress"),
        ("eth1", "egress"),
        ("eth1", "ingress"),
    ] or len(status["hooks"]) == 4
    assert len([p for p in net.left() if "/sites-" in p]) == 1
    net.ctl("apply", bundle, "--set", "uplink=eth0", check=0)
    status = json.loads(net.ctl("status", "hand", "--format", "json", check=0).stdout)
    assert {h["device"] for h in status["hooks"]} == {"eth0"}


def test_a_device_that_is_gone_is_drift_and_then_forgotten(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("link add eth1 type veth peer name eth9", "addr add 198.51.100.1/24 dev eth1", "link set eth1 up")
    bundle = write(tmp_path / "one", devices=True)
    net.ctl("apply", bundle, "--set", "uplink=eth0,eth1", check=0)
    net.ours.ip("link del eth1")
    assert "DRIFT" in net.ctl("status", "hand", check=3).stdout
    net.ctl("apply", bundle, "--set", "uplink=eth0", check=0)
    net.ctl("status", "hand", check=0)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


def test_a_changed_address_is_drift_and_apply_mends_it(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    net.ours.ip(
        "addr del 192.0.2.1/24 dev eth0", "addr add 192.0.2.7/24 dev eth0", "route add 10.1.0.0/16 via 192.0.2.2"
    )
    assert "192.0.2.1 in force, 192.0.2.7 on the machine" in net.ctl("status", "hand", check=3).stdout
    assert "vtep (ipv4) 192.0.2.1 -> 192.0.2.7" in net.ctl("plan", bundle, "--set", "uplink=eth0", check=3).stdout
    net.apply(bundle)
    net.ctl("status", "hand", check=0)


def test_the_environment_chooses_the_attach_kind(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    for kind in ATTACH:
        words = ("apply", bundle, "--set", "uplink=eth0")
        net.ctl(*words, prefix=("env", f"ENCAP_ATTACH={kind}"), check=0)
        status = json.loads(net.ctl("status", "hand", "--format", "json", check=0).stdout)
        assert {h["kind"] for h in status["hooks"]} == {kind}
    assert "H108" in net.ctl(*words, prefix=("env", "ENCAP_ATTACH=xdp"), check=2).stderr


def test_what_another_namespace_left_is_not_taken_for_ours(net: Wire, tmp_path: Path) -> None:
    """The inode number of a namespace that is gone may be given to a new one, with the pins of the old still there."""
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    (state,) = [Path(p) for p in net.left() if p.endswith("state.json")]
    document = json.loads(state.read_text())
    state.write_text(json.dumps({**document, "namespace_cookie": document["namespace_cookie"] + 1}))
    net.apply(bundle)
    net.ctl("status", bundle, check=0)
    assert len([p for p in net.left() if "/maps/" in p]) == 4


def test_state_that_is_gone_is_written_again(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    (state,) = [Path(p) for p in net.left() if p.endswith("state.json")]
    for damage in (state.unlink, lambda: state.write_text("{")):
        damage()
        assert "DRIFT" in net.ctl("status", bundle, check=3).stdout
        net.apply(bundle)
        assert net.send() == (20, 0)
        net.ctl("status", bundle, check=0)


def test_two_bundles_on_one_device(net: Wire, tmp_path: Path) -> None:
    for attach in ATTACH:
        net.apply(write(tmp_path / "one"), "--attach", attach)
        net.apply(write(tmp_path / "two", name="other", rows={"10.1.0.2": "192.0.2.2"}), "--attach", attach)
        assert net.send() == (20, 0)
        net.ctl("remove", "other", check=0)
        assert net.send() == (20, 0)
        net.ctl("remove", "hand", check=0)
        assert net.left() == []


def test_a_row_that_needs_an_address_the_host_lacks(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("addr flush dev eth0", "addr add 2001:db8::7/64 dev eth0 nodad")
    error = net.apply(write(tmp_path / "one"), check=6).stderr
    assert "H109" in error and "sites: destination=10.1.0.1" in error
    net.apply(write(tmp_path / "none", rows={}))
    net.ctl("remove", "hand", check=0)
