"""A spec with more counters than one value of a map holds."""

from __future__ import annotations

RULES, ENCAPSULATIONS = 500, 42  # of each direction: two counters for a rule that leaves, one for one that comes in

HEAD = """\
apiVersion: encap/v1alpha1
name: many
kernel: "5.10"
host: {uplink: device, vtep: {type: ipv4, default: uplink.address}}
attach: {devices: host.uplink}
"""


def many(rules: int = RULES, encapsulations: int = ENCAPSULATIONS) -> str:
    """Rule `rN` encapsulates 10.(N / 250).(N % 250).0/24 by the row `to-eM` of `ends`, GRE with the key M + 1, where M
    is N modulo `encapsulations`; `iN` decapsulates it from 198.51.(N / 250).(N % 250 + 1)."""
    names = [f"e{n}" for n in range(encapsulations)]
    lines = ["encapsulations:"]
    for n, name in enumerate(names):
        key = f"{{gre: {{key: {n + 1}}}}}"
        lines.append(f"  {name}: [{{ipv4: {{source: host.vtep, destination: endpoint.address}}}}, {key}]")
    lines += [
        "endpoints:",
        "  ends:",
        "    fields: {address: ipv4}",
        f"    encapsulation: [{', '.join(names)}]",
        "    rows:",
    ]
    lines += [f"      - {{name: to-{name}, address: 192.0.2.2, encapsulation: {name}}}" for name in names]
    lines += ["egress:", "  rules:"]
    for n in range(rules):
        match = f"match: {{destination: 10.{n // 250}.{n % 250}.0/24}}"
        lines.append(f"  - {{name: r{n}, {match}, to: ends/to-{names[n % encapsulations]}}}")
    lines += ["  default: pass", "ingress:", "  rules:"]
    for n in range(rules):
        source = f"198.51.{n // 250}.{n % 250 + 1}/32"
        lines.append(f"  - {{name: i{n}, decapsulate: {names[n % encapsulations]}, from: {source}}}")
    return HEAD + "\n".join(lines) + "\n"
