"""A thousand rules and a million rows are planned in seconds: the work grows with the sum of both, not the product."""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from encap_compile.common import manifest_io
from tests.netns.loader_bundle import write
from tests.netns.loader_net import Wire, wire

pytestmark = pytest.mark.kernel

ROWS = 1_000_000
RULES = 1_000
CPU_SECONDS = 15  # 4 on an idle machine; other tests run beside this one


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def bundle(folder: Path) -> Path:
    """Rule n is for one /18; four rules in five have rows, each row with an endpoint of its own."""
    write(folder, capacity=ROWS, rows={})
    rows = (
        f"10.{i >> 16}.{i >> 8 & 255}.{i & 255},172.{16 + (i >> 16)}.{i >> 8 & 255}.{i & 255}\n" for i in range(ROWS)
    )
    text = ("destination,address\n" + "".join(rows)).encode()
    (folder / "sites.csv").write_bytes(text)
    manifest = manifest_io.load(folder / "manifest.json")
    (web,) = manifest.rules
    rules = tuple(replace(web, name=f"r{n}", destinations=(f"10.{n // 4}.{n % 4 * 64}.0/18",)) for n in range(RULES))
    files = {**manifest.files, "sites.csv": hashlib.sha256(text).hexdigest()}
    manifest = replace(manifest, rules=rules, files=files)
    code = {"hand.bpf.c": (folder / "hand.bpf.c").read_bytes()}
    manifest = replace(manifest, identity=manifest_io.identity(manifest, code))
    (folder / "manifest.json").write_text(manifest_io.dump(manifest))
    return folder


def test_a_thousand_rules_and_a_million_rows(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("route add default via 192.0.2.2 mtu 1400", "route add 10.2.0.0/16 via 192.0.2.9 mtu 1400")
    made = bundle(tmp_path / "many")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = net.ctl("plan", made, "--set", "uplink=eth0", check=3)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    wrong = 1 << 16  # those of 10.2.0.0/16
    assert f"next hop right for {ROWS - wrong} of {ROWS} endpoints" in done.stdout
    assert f"next hop differs for {wrong} of {ROWS} endpoints: 10.2.0.0 goes to 192.0.2.9" in done.stderr
    assert done.stderr.count("warning[") == 1
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < CPU_SECONDS
