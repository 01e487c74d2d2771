"""A hook is replaced only where other instructions, maps or host values run: never for a text or a tool's version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from encap_compile.compile import artifacts, pipeline
from encap_compile.compile.lower import program
from tests.netns.loader_net import ATTACH, Wire, wire

pytestmark = pytest.mark.kernel
NAME = "two"
SPEC = """\
apiVersion: encap/v1alpha1
name: two
host: {{uplink: device, vtep: {{type: ipv4, default: uplink.address}}}}
attach: {{devices: host.uplink}}
encapsulations:
  ipip: [{{ipv4: {{source: host.vtep, destination: endpoint.address, ttl: {ttl}}}}}]
endpoints:
  sites:
    key: destination
    fields: {{address: ipv4}}
    encapsulation: ipip
    capacity: {capacity}
    rows: [{{destination: 10.1.0.0/16, address: 192.0.2.2}}]
egress:
  rules: [{{name: web, match: {{destination: 10.1.0.0/16}}, to: sites}}]
  default: pass
ingress: {{rules: [{{name: back, decapsulate: ipip, from: sites.address}}]}}
"""


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


@contextmanager
def another_release() -> Iterator[None]:
    """The compiler with another version, which says everything that it counts in other words."""
    lowered = program.lower_counters

    def reworded(*args: Any) -> Any:
        return tuple(c._replace(text=f"{c.text.upper()}, in other words") for c in lowered(*args))

    with ExitStack() as stack:
        for module in (pipeline, artifacts):
            stack.enter_context(mock.patch.object(module, "__version__", "9.9.9"))
        stack.enter_context(mock.patch.object(program, "lower_counters", reworded))
        yield


def build(folder: Path, ttl: int = 64, capacity: int = 16) -> tuple[Path, pipeline.Compiled]:
    folder.mkdir()
    spec = folder / "two.yaml"
    spec.write_text(SPEC.format(ttl=ttl, capacity=capacity))
    return folder / "build" / NAME, pipeline.compile_spec(str(spec), folder / "build")


def hooks(net: Wire) -> list[tuple[str, int]]:
    status = json.loads(net.ctl("status", NAME, "--format", "json", check=0).stdout)
    return [(hook["direction"], hook["program_id"]) for hook in status["hooks"]]


def counted(net: Wire) -> int:
    found = json.loads(net.ctl("stats", NAME, "--format", "json", check=0).stdout)["counters"]
    return next(c["packets"] for c in found if c["name"] == "egress_rule_web")


@pytest.mark.parametrize("attach", ATTACH)
def test_words_and_versions_replace_nothing(net: Wire, tmp_path: Path, attach: str) -> None:
    first, made = build(tmp_path / "first")
    with another_release():
        second, other = build(tmp_path / "second")
    # The C, the object's debug information and the manifest are others; what runs is not.
    assert made.files[f"{NAME}.bpf.c"] != other.files[f"{NAME}.bpf.c"]
    assert made.files[f"{NAME}.bpf.o"] != other.files[f"{NAME}.bpf.o"]
    assert made.manifest.identity != other.manifest.identity
    assert made.manifest.program == other.manifest.program != ""

    net.apply(first, "--attach", attach)
    assert net.send() == (20, 0)
    before, left = hooks(net), net.left()
    values = ("--set", "uplink=eth0")
    plan = net.ctl("plan", second, *values, check=3).stdout
    assert "Only texts for people would change, and no program; nothing was done." in plan
    assert "which differs in texts for people alone" in net.ctl("status", second, check=3).stdout
    done = net.apply(second, "--attach", attach).stdout
    assert "Only texts for people changed: they are recorded, no program was touched." in done
    assert hooks(net) == before and net.left() == left
    assert "Nothing to change." in net.ctl("plan", second, *values, check=0).stdout
    status = net.ctl("status", second, check=0).stdout
    assert "DRIFT" not in status and other.manifest.identity[:8] in status
    assert "IN OTHER WORDS" in net.ctl("stats", NAME, check=0).stdout.upper()
    assert net.send() == (20, 0) and counted(net) == 40

    net.apply(first, "--attach", attach)
    assert hooks(net) == before, "and back"


@pytest.mark.parametrize("change", [{"ttl": 63}, {"capacity": 17}])
def test_what_runs_is_replaced(net: Wire, tmp_path: Path, change: dict[str, int]) -> None:
    first, made = build(tmp_path / "first")
    second, other = build(tmp_path / "second", **change)
    assert made.manifest.program != other.manifest.program
    net.apply(first)
    before = hooks(net)
    assert net.send() == (20, 0)
    net.apply(second)
    assert not {number for _, number in before} & {number for _, number in hooks(net)}
    assert net.send() == (20, 0) and counted(net) == 40
