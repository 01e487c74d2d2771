"""plan and status say the same of what is in force, whatever happened to it; and rows do not vanish by accident."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from encap_compile.run.kernel.pins import open_map
from tests.netns.loader_bundle import csv, write
from tests.netns.loader_net import Wire, wire

pytestmark = pytest.mark.kernel
ROWS = {f"10.1.0.{i}": "192.0.2.2" for i in range(1, 51)}


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made
        assert made.left() == []


def pins(net: Wire, kind: str, name: str = "") -> list[Path]:
    return [p for p in net.ours.bpffs().rglob(f"{name}*") if p.parent.name == kind]


def drop_pin(net: Wire, bundle: Path) -> None:
    pins(net, "maps", "sites-")[0].unlink()


def drop_counters(net: Wire, bundle: Path) -> None:
    pins(net, "maps", "counters-")[0].unlink()


def drop_program(net: Wire, bundle: Path) -> None:
    if found := pins(net, "links"):
        found[0].unlink()
    else:
        net.ours.run(["tc", "filter", "del", "dev", "eth0", "egress"])


def drop_row(net: Wire, bundle: Path) -> None:
    with open_map(pins(net, "maps", "sites-")[0]) as sites:
        sites.delete(bytes([10, 1, 0, 7]))


def change_row(net: Wire, bundle: Path) -> None:
    with open_map(pins(net, "maps", "sites-")[0]) as sites:
        entries = sites.entries()
        sites.update(type(entries)(1, entries.keys[:4], bytes([192, 0, 2, 9]) + entries.values[4:8]))


def change_mac(net: Wire, bundle: Path) -> None:
    net.ours.ip("link set eth0 address 02:00:00:00:00:99")


def change_mtu(net: Wire, bundle: Path) -> None:
    net.ours.ip("link set eth0 mtu 1400")


def change_address(net: Wire, bundle: Path) -> None:
    net.ours.ip("addr del 192.0.2.1/24 dev eth0", "addr add 192.0.2.3/24 dev eth0")


def build_with_other_rows(net: Wire, bundle: Path) -> None:
    write(bundle, rows={**ROWS, "10.1.0.99": "192.0.2.2"})


def build_anew(net: Wire, bundle: Path) -> None:
    write(bundle, rows=ROWS, salt="again")


def nothing(net: Wire, bundle: Path) -> None:
    pass


SHALLOW = (drop_pin, drop_counters, drop_program, change_mac, change_mtu, change_address, build_with_other_rows)


@pytest.mark.parametrize("happen", [*SHALLOW, build_anew, drop_row, change_row, nothing])
def test_plan_and_status_agree(net: Wire, tmp_path: Path, happen: Callable[[Wire, Path], None]) -> None:
    bundle = write(tmp_path / "one", rows=ROWS)
    net.apply(bundle)
    happen(net, bundle)
    deep = ["--deep"] if happen in (drop_row, change_row) else []
    status = net.ctl("status", bundle, *deep)
    plan = net.ctl("plan", bundle, "--set", "uplink=eth0")
    wanted = 0 if happen is nothing else 3
    assert (status.returncode, plan.returncode) == (wanted, wanted), status.stdout + plan.stdout + plan.stderr
    assert ("  DRIFT  " in status.stdout) is bool(wanted)
    net.apply(bundle)  # mends all of it, and then they agree again
    assert (
        net.ctl("status", bundle, "--deep").returncode
        == net.ctl("plan", bundle, "--set", "uplink=eth0").returncode
        == 0
    )
    net.ctl("remove", "hand", check=0)


def test_settings_that_change_nothing_else_are_remembered(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    net.apply(bundle, "--set", "vtep=192.0.2.1")  # what the default finds too
    net.ours.ip("addr add 198.51.100.7/24 dev eth0")  # now the default would be ambiguous
    net.ctl("status", "hand", check=0)
    net.apply(bundle, check=6)
    net.ours.ip("addr del 198.51.100.7/24 dev eth0")
    net.ctl("remove", "hand", check=0)


def test_a_row_that_came_without_a_build_is_drift_of_the_bundle(net: Wire, tmp_path: Path) -> None:
    """A checkout that pulls a row has the hashes of the last build, or none: what stands in the file counts."""
    bundle = write(tmp_path / "one", rows=ROWS)
    net.apply(bundle)
    net.ctl("status", bundle, check=0)
    (bundle / "sites.csv").write_bytes(csv({"10.1.0.1": "192.0.2.2", "10.1.0.99": "192.0.2.2"}))
    assert "not those of the bundle's sites.csv" in net.ctl("status", bundle, check=3).stdout
    (bundle / "data.sha256").unlink(missing_ok=True)
    assert "not those of the bundle's sites.csv" in net.ctl("status", bundle, check=3).stdout
    net.ctl("remove", "hand", check=0)


def test_rows_of_another_file_are_remembered_and_followed(net: Wire, tmp_path: Path) -> None:
    bundle, rows = write(tmp_path / "one", rows=ROWS), tmp_path / "rows.csv"
    rows.write_bytes(csv({"10.1.0.1": "192.0.2.2", "10.1.0.77": "192.0.2.2"}))
    net.apply(bundle, "--rows", f"sites={rows}")
    words = ["--set", "uplink=eth0", "--rows", f"sites={rows}"]
    assert "rows   sites: 2, digest" in (text := net.ctl("status", "hand", check=0).stdout)
    assert f"from {rows} (--rows)" in text
    net.ctl("plan", bundle, *words, check=0)
    # The bundle's own rows are others: status of the bundle says so as its plan does.
    assert "not those of the bundle's sites.csv" in net.ctl("status", bundle, check=3).stdout
    net.ctl("plan", bundle, "--set", "uplink=eth0", check=3)
    rows.write_bytes(csv({"10.1.0.1": "192.0.2.2"}))
    assert f"{rows} (--rows) has changed since it was applied" in net.ctl("status", "hand", check=3).stdout
    net.ctl("plan", bundle, *words, check=3)
    rows.unlink()
    assert "cannot be read any more" in net.ctl("status", "hand", check=3).stdout
    net.ctl("remove", "hand", check=0)


def test_rows_that_the_host_file_names(net: Wire, tmp_path: Path) -> None:
    bundle, host = write(tmp_path / "one", rows=ROWS), tmp_path / "host.yaml"
    (tmp_path / "mine.csv").write_bytes(csv({"10.1.0.1": "192.0.2.2"}))
    host.write_text("uplink: eth0\nrows: {sites: mine.csv}\n")
    applied = net.ctl("apply", bundle, "--host", host, check=0)
    assert f"  ~ rows sites +1 -0 ~0 of 1   in a new map   from {tmp_path}/mine.csv ({host})" in applied.stdout
    assert net.send() == (20, 0)
    net.ctl("status", "hand", check=0)
    net.ctl("plan", bundle, "--host", host, check=0)
    host.write_text("uplink: eth0\nrows: {hand/sites: other.csv}\n")
    (tmp_path / "other.csv").write_bytes(csv({"10.1.0.1": "192.0.2.2", "10.1.0.2": "192.0.2.2"}))
    assert f"the host file names {tmp_path}/other.csv now" in net.ctl("status", "hand", check=3).stdout
    assert "+1 -0 ~0 of 2" in net.ctl("plan", bundle, "--host", host, check=3).stdout
    net.ctl("remove", "hand", check=0)


def test_misspelt_keys_of_the_host_file(net: Wire, tmp_path: Path) -> None:
    bundle, host = write(tmp_path / "one"), tmp_path / "host.yaml"
    host.write_text("uplink: eth0\nvtepp: 192.0.2.1\nunrelated: 7\nrows: {site: a.csv, elsewhere/x: b.csv}\n")
    error = net.ctl("plan", bundle, "--host", host, check=3).stderr
    assert "H160" in error and "did you mean `vtep`?" in error and "host.yaml:2" in error
    assert "H161" in error and "did you mean `sites`?" in error
    assert error.count("warning[") == 2  # nothing of keys that resemble none of this bundle's


@pytest.mark.parametrize(
    ("line", "code", "fix"),
    [
        ("rows: sites.csv", "H160", "did you mean `rows: {TABLE: FILE}`?"),
        ("row: sites.csv", "H160", "did you mean `rows: {TABLE: FILE}`?"),
        ("Limit: 5", "H160", "did you mean `limits: {removals: {percent: 20, rows: 10}}`?"),
        ("rows: {Hand/sites: a.csv}", "H161", "did you mean `hand/sites`?"),
        ("rows: {hannd/sites: a.csv}", "H161", "did you mean `hand/sites`?"),
        ("rows: {hand/site: a.csv}", "H161", "did you mean `sites`?"),
        ("routes: 5", "", ""),
        ("rows: {hand-over/sites: a.csv}", "", ""),
    ],
)
def test_misspelt_sections_of_the_host_file(net: Wire, tmp_path: Path, line: str, code: str, fix: str) -> None:
    bundle, host = write(tmp_path / "one"), tmp_path / "host.yaml"
    host.write_text(f"uplink: eth0\n{line}\n")
    error = net.ctl("plan", bundle, "--host", host, check=3).stderr
    assert (f"warning[{code}]" in error and fix in error) if code else "warning[" not in error


def test_a_misspelt_section_that_is_a_mapping(net: Wire, tmp_path: Path) -> None:
    bundle, host = write(tmp_path / "one"), tmp_path / "host.yaml"
    host.write_text("uplink: eth0\nroows: {sites: a.csv}\n")
    assert "did you mean `rows: {TABLE: FILE}`?" in net.ctl("plan", bundle, "--host", host, check=6).stderr


def test_rows_of_another_bundle_with_a_name_like_this_one(net: Wire, tmp_path: Path) -> None:
    net.apply(write(tmp_path / "other", name="hands"))
    bundle, host = write(tmp_path / "one"), tmp_path / "host.yaml"
    host.write_text("uplink: eth0\nrows: {hands/sites: a.csv}\n")
    assert "H161" not in net.ctl("plan", bundle, "--host", host).stderr
    net.ctl("remove", "hands", check=0)
    assert "did you mean `hand/sites`?" in net.ctl("plan", bundle, "--host", host, check=3).stderr


def test_a_feed_that_delivers_too_little_is_refused(net: Wire, tmp_path: Path) -> None:
    net.apply(write(tmp_path / "one", rows=ROWS))
    empty, short = tmp_path / "empty.csv", tmp_path / "short.csv"
    empty.write_bytes(csv({}))
    short.write_bytes(csv(dict(list(ROWS.items())[:39])))  # 11 of 50 go
    for rows, words in ((empty, "50 of 50"), (short, "11 of 50")):
        given = ["--rows", f"sites={rows}"]
        assert f"{words} entries would be removed" in net.apply(tmp_path / "one", *given, check=1).stderr
        planned = net.ctl("plan", tmp_path / "one", "--set", "uplink=eth0", *given, check=3)
        assert "B311" in planned.stderr and words in planned.stderr
    net.ctl("status", tmp_path / "one", "--deep", check=0)
    assert net.send() == (20, 0)
    # A new map does not hide it: its rows are counted against those of the last apply.
    write(tmp_path / "wide", rows={}, wide=True)
    assert "50 of 50" in net.apply(tmp_path / "wide", check=1).stderr
    net.apply(tmp_path / "one", "--rows", f"sites={short}", "--allow-removals", "10", check=1)
    net.apply(tmp_path / "one", "--rows", f"sites={short}", "--allow-removals", "11")
    net.apply(tmp_path / "one", "--rows", f"sites={empty}", "--allow-removals", "all")
    assert net.apply(tmp_path / "one", "--allow-removals", "-1", check=2).stderr
    net.ctl("remove", "hand", check=0)


def test_another_row_in_place_of_the_only_one(net: Wire, tmp_path: Path) -> None:
    net.apply(write(tmp_path / "one", rows={"10.1.0.9": "192.0.2.2"}))
    net.apply(write(tmp_path / "two", rows={"10.1.0.1": "192.0.2.2"}))
    assert net.send() == (20, 0)
    net.ctl("remove", "hand", check=0)


def test_limits_of_the_host_file(net: Wire, tmp_path: Path) -> None:
    bundle, host = write(tmp_path / "one", rows=ROWS), tmp_path / "host.yaml"
    host.write_text("uplink: eth0\nlimits: {removals: {percent: 50}}\n")
    net.ctl("apply", bundle, "--host", host, check=0)
    write(bundle, rows=dict(list(ROWS.items())[:25]))
    net.ctl("apply", bundle, "--host", host, check=0)
    write(bundle, rows=dict(list(ROWS.items())[:12]))
    assert "more than 50 % and 10" in net.ctl("apply", bundle, "--host", host, check=1).stderr
    net.ctl("remove", "hand", check=0)


def metrics(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+(?:{[^}]*})?) (\d+)$", text, re.M))


def test_prometheus_never_says_nothing(net: Wire, tmp_path: Path) -> None:
    name = net.ours.name
    down = f'encap_up{{bundle="hand",netns="{name}"}}'
    for words in (("stats", "hand"), ("status", "hand"), ("stats", tmp_path / "hand")):
        done = net.ctl(*words, "--format", "prometheus")
        assert metrics(done.stdout) == {down: "0"} and done.returncode != 0
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    assert net.send(5) == (5, 0)
    found = metrics(net.ctl("stats", "hand", "--format", "prometheus", check=0).stdout)
    assert found[down] == "1"
    assert found[f'encap_packets_total{{bundle="hand",netns="{name}",counter="web",kind="chosen"}}'] == "5"
    assert metrics(net.ctl("status", "hand", "--format", "prometheus", check=0).stdout)[down] == "1"
    drop_program(net, bundle)
    for verb in ("stats", "status"):
        assert metrics(net.ctl(verb, "hand", "--format", "prometheus", check=3).stdout)[down] == "0"
    net.ctl("remove", "hand", check=0)


def test_the_textfile_recipe(net: Wire, tmp_path: Path) -> None:
    """The script of docs/operations.md, with the bundle up, with a program gone, and removed."""
    text = Path("docs/operations.md").read_text()
    script = re.search(r"```sh\n(folder=[^`]*?encap\.prom[^`]*)```", text)
    assert script is not None
    recipe = script[1].replace("/var/lib/node_exporter/textfile", str(tmp_path / "textfile")).replace("first", "hand")
    (tmp_path / "textfile").mkdir()
    (tmp_path / "bin").mkdir()
    ctl = tmp_path / "bin/encapctl"
    ctl.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m encap_compile.ctl "$@"\n')
    ctl.chmod(0o755)

    def collected() -> dict[str, str]:
        done = net.ours.run(["env", f"PATH={tmp_path / 'bin'}:/usr/bin:/bin", "sh", "-c", recipe], check=False)
        assert done.returncode == 0, done.stderr
        files = list((tmp_path / "textfile").iterdir())
        assert [f.name for f in files] == ["encap.prom"]
        return metrics(files[0].read_text())

    up = f'encap_up{{bundle="hand",netns="{net.ours.name}"}}'
    net.apply(write(tmp_path / "one"))
    assert collected()[up] == "1"
    drop_program(net, tmp_path / "one")
    assert collected()[up] == "0"
    net.ctl("remove", "hand", check=0)
    assert collected() == {up: "0"}


def test_json_of_a_status(net: Wire, tmp_path: Path) -> None:
    net.apply(write(tmp_path / "one", rows=ROWS))
    document: Any = json.loads(net.ctl("status", "hand", "--format", "json", check=0).stdout)
    assert document["up"] is True
    rows = next(f for f in document["filled"] if f["map"] == "sites")
    assert rows["count"] == 50 and rows["kind"] == "rows" and re.fullmatch("[0-9a-f]{16}", rows["digest"])
    net.ctl("remove", "hand", check=0)
