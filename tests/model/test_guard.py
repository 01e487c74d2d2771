"""Packets that leave by a device without our program, through the guard and the model of it.

The socket that BPF_PROG_TEST_RUN gives to a frame is in the cgroup of this process, as in test_cgroups.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from socket import if_nametoindex

import pytest

from encap_compile.compile import ir
from encap_compile.compile.model import Frame, Machine, Verdict
from encap_compile.run.kernel.test_run import run
from encap_compile.run.loader.compose import Context

from ..support.netns import Namespace
from .generate import Generator
from .pair import Pair, load_pair
from .test_cgroups import ATTACHED, ROOT, Seats, seats

TURNS = 20  # until a wrong guard must have been noticed
FRAMES = 150  # with the process in one cgroup
SEED = 5
VERDICTS = {"0": Verdict.DROP, "1": Verdict.PASS}  # of programs on a cgroup's hook
COUNTER = "egress_unattached"
SPEC = """
apiVersion: encap/v1alpha1
name: guarded
kernel: "5.10"
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink], cgroup: /}
encapsulations: {e: [{ip: {source: host.address, destination: endpoint.to}}]}
endpoints:
  near: {key: destination, fields: {to: ip}, encapsulation: e, rows: [{destination: 10.0.0.0/9, to: 192.0.2.1}]}
  ports: {key: destination_port, fields: {to: ip}, encapsulation: e, rows: [{destination_port: 53, to: 192.0.2.1}]}
  named: {fields: {to: ip}, encapsulation: e, rows: [{name: one, to: 192.0.2.1}]}
egress:
  rules:
    - {name: open, match: {cgroup: a, destination: 10.1.0.0/16, protocol: udp}, action: pass}
    - {name: shut, match: {cgroup: a, destination: 10.2.0.0/16, protocol: udp}, action: drop}
    - {name: next, match: {cgroup: a, protocol: udp, destination_port: 53}, to: near, on_miss: next}
    - {name: pass, match: {cgroup: a, protocol: udp, source_port: [53, 54]}, to: near, on_miss: pass}
    - {name: keyed, match: {cgroup: a, protocol: [tcp, udp], destination: 10.128.0.0/10}, to: ports, on_miss: pass}
    - {name: kept, match: {cgroup: b, destination: 10.0.0.0/8}, to: near}
    - {name: chosen, match: {cgroup: b}, socket: [named]}
  default: pass
"""


def _differences(pair: Pair, machine: Machine, seed: int, ifindex: int, seen: set[tuple[str, Verdict]]) -> list[str]:
    """Between the program and a model, of which the rules and the verdicts that it says are added to `seen`."""
    generator, found = Generator(seed, pair.program, pair.facts), []
    for number in range(FRAMES):
        _, frame = generator.draw()
        given = frame.data, frame.mark, frame.gso_size, frame.gso_segs
        expected = machine.elsewhere(Frame(*given, socket=pair.socket))
        ran = run(pair.datapath.program("cgroup_unattached"), *given, ifindex)
        counted = pair.datapath.moved()
        seen.add((expected.rule, expected.verdict))
        if (expected.verdict, expected.counted) != (VERDICTS[ran.verdict], counted):
            steps = "".join(f"    {step}\n" for step in expected.steps)
            found.append(
                f"seed {seed}, frame {number}: {frame.data.hex()}\n  model {expected.verdict} {expected.counted}, "
                f"program {VERDICTS[ran.verdict]} {counted}\n{steps}"
            )
    return found


def _guarded(name: str, folder: Path) -> Path:
    if name != "guarded":
        return ROOT / "examples" / f"{name}.yaml"
    path = folder / "guarded.yaml"
    path.write_text(SPEC)
    return path


@contextmanager
def _loaded(name: str, folder: Path) -> Iterator[tuple[Pair, Seats, int]]:
    """A spec's program and its model, its cgroups, and a device that is not attached."""
    with Namespace("guard") as namespace, namespace.entered():
        namespace.ip("link add other type veth peer name end", "link set other up", "link set end up")
        pair = load_pair(_guarded(name, folder), folder / "out", context=Context(ATTACHED, 0b1110))
        with pair.datapath, seats(pair) as found:
            yield pair, found, if_nametoindex("other")


@pytest.mark.parametrize("name", ["guarded", "teams", "tenants-by-cgroup"])
def test_no_difference(tmp_path: Path, name: str) -> None:
    random, seen = Random(SEED), set[tuple[str, Verdict]]()
    with _loaded(name, tmp_path) as (pair, found, ifindex):
        for turn, path in enumerate(("..", "", *found.paths, *random.choices(found.paths, k=6))):
            found.sit(path)
            different = _differences(pair, pair.machine, 1000 * SEED + turn, ifindex, seen)
            assert not different, f"in {pair.socket.cgroups}: " + "\n".join(different[:2])
    assert {verdict for _, verdict in seen} == {Verdict.DROP, Verdict.PASS}
    if name == "guarded":
        assert {rule for rule, verdict in seen if verdict is Verdict.DROP} == {"next", "pass", "keyed", "kept"}


OTHER = {ir.Verdict.DROP: ir.Verdict.PASS, ir.Verdict.PASS: ir.Verdict.DROP, ir.Verdict.NEXT: ir.Verdict.DROP}


def _wrong(guard: ir.Guard) -> Iterator[tuple[str, ir.Guard]]:
    """Guards that are wrong in one verdict. No socket chooses."""
    for at, rule in enumerate(guard.rules):
        if rule.rule.name == "chosen":
            continue
        changed = [rule._replace(ending=OTHER[rule.ending])] if not rule.steps else []
        for step in rule.steps:
            assert isinstance(step, ir.GuardLookUp)
            shown, hidden = OTHER[step.shown], OTHER[step.hidden]
            changed += [rule._replace(steps=(step._replace(shown=shown),))]
            changed += [rule._replace(steps=(step._replace(hidden=hidden),))]
        for number, wrong in enumerate(changed):
            yield f"{rule.rule.name} {number}", guard._replace(rules=(*guard.rules[:at], wrong, *guard.rules[at + 1 :]))


def test_a_wrong_guard_is_noticed(tmp_path: Path) -> None:
    missed = []
    with _loaded("guarded", tmp_path) as (pair, found, ifindex):
        assert pair.program.guard is not None
        for name, guard in _wrong(pair.program.guard):
            found.sit("b" if name.startswith("kept") else "a")
            wrong = pair.mutant(pair.program._replace(guard=guard))
            if not any(_differences(pair, wrong, SEED + turn, ifindex, set()) for turn in range(TURNS)):
                missed.append(name)
    assert not missed
