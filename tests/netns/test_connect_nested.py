"""Connect rules of a cgroup and of one around it: they decide in the order written, whichever program is last."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from encap_compile.run.kernel.system import kernel_version
from tests.netns.loader_net import Wire, wire
from tests.support.cgroups import Tree

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(kernel_version() < (5, 19), reason="the spec is for Linux 5.19"),
]
SPEC = """
apiVersion: encap/v1alpha1
name: nested
kernel: "5.19"
host: {{uplink: device, address: {{type: ipv4, default: uplink.address}}, root: cgroup}}
attach: {{devices: [host.uplink], cgroup: host.root}}
encapsulations: {{ipip: [{{ipv4: {{source: host.address, destination: endpoint.address}}}}]}}
endpoints:
  ways:
    fields: {{address: ipv4}}
    encapsulation: ipip
    rows: [{{name: one, address: 192.0.2.2}}, {{name: two, address: 192.0.2.3}}]
    capacity: 10
connect:
  rules:
    - {first}
    - {{name: dns, match: {{cgroup: outer, protocol: udp, destination_port: 53}}, choose: ways/one}}
    - {last}
egress: {{rules: [{{name: chosen, socket: [ways]}}], default: pass}}
"""
PASS_ALL = "{name: pass, match: {destination: 10.1.8.0/24}, action: pass}"
PASS_INNER = "{name: pass, match: {destination: 10.1.8.0/24, cgroup: outer/inner}, action: pass}"
WEB_OUTER = "{name: web, match: {cgroup: outer, destination: 10.1.0.0/16}, choose: ways/two}"
WEB_ALL = "{name: web, match: {destination: 10.1.0.0/16}, choose: ways/two}"
ASKS = """
import json, socket, sys
sys.path.insert(0, sys.argv[1])
import nested
found = []
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for address, port in (("10.1.9.1", 80), ("10.1.8.1", 80), ("10.1.9.1", 53), ("10.1.8.1", 80), ("10.1.9.1", 80)):
    sock.connect((address, port))
    found.append(nested.status(sock).name)
print(json.dumps(found))
"""


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


@pytest.mark.parametrize(
    ("first", "last", "cgroup", "passed"),
    [
        (PASS_ALL, WEB_OUTER, "outer", ""),
        (PASS_ALL, WEB_OUTER, "outer/inner", ""),
        (PASS_INNER, WEB_ALL, "outer", "ways/two"),
        (PASS_INNER, WEB_ALL, "outer/inner", ""),
    ],
)
def test_the_first_rule_decides(net: Wire, tmp_path: Path, first: str, last: str, cgroup: str, passed: str) -> None:
    (tmp_path / "nested.yaml").write_text(SPEC.format(first=first, last=last))
    command = [sys.executable, "-m", "encap_compile.cli", str(tmp_path / "nested.yaml"), "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with Tree() as tree:
        tree.make("outer/inner")
        net.ctl("apply", tmp_path / "nested", "--set", "uplink=eth0", "--set", f"root={tree.path}", check=0)
        enter = f'echo 0 > {tree.folder / cgroup}/cgroup.procs; exec "$@"'
        asked = net.ours.run(["sh", "-c", enter, "sh", sys.executable, "-c", ASKS, str(tmp_path / "nested")])
        assert json.loads(asked.stdout) == ["ways/two", passed, "ways/one", passed, "ways/two"]
        net.ctl("remove", "nested", check=0)
