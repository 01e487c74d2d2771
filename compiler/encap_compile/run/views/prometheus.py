"""Status and counters in the Prometheus text exposition format, version 0.0.4.

Every series carries the bundle and the network namespace, so that what several of them write can be collected together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...common.manifest import Counter
from ..kernel.namespaces import name_of_this
from ..loader.learned_paths import MAP as LEARNED
from ..status import Status

Series = tuple[dict[str, str], int]


def prometheus(status: Status, counters: bool = True) -> str:
    """What is in force, with or without the counters."""
    labels = {"bundle": status.name, "netns": name_of_this()}
    lines = [*_gauge("encap_up", UP, [(labels, int(status.up))])]
    lines += _gauge(
        "encap_drift", "Whether what is in force differs from what was applied.", [(labels, int(bool(status.drift)))]
    )
    if status.state is not None and status.manifest is not None:
        entries = [({**labels, "table": f.table}, f.count) for f in status.state.filled.values() if f.kind == "rows"]
        lines += _gauge("encap_rows", "Rows of each table, as they were applied.", entries) if entries else []
    if status.cgroups:
        pending = sum(not number for number in status.cgroups.values())
        words = "Cgroups that the spec or a row names and that are not there."
        lines += _gauge("encap_cgroups_pending", words, [(labels, pending)])
    if status.state is not None and LEARNED in status.state.pins:
        words = "Tunnel endpoints whose path takes less than the device, as learned from ICMP."
        lines += _gauge("encap_paths_learned", words, [(labels, len(status.learned))])
    if counters:
        lines += _counters(status, labels)
    return "\n".join(lines) + "\n"


def prometheus_down(name: str) -> str:
    """The document for a bundle that should run and cannot be looked at, or that was not applied."""
    return "\n".join(_gauge("encap_up", UP, [({"bundle": name, "netns": name_of_this()}, 0)])) + "\n"


UP = "Whether the bundle's programs are on all hooks that should have them."


def _counters(status: Status, labels: dict[str, str]) -> Iterator[str]:
    named = [({**labels, **_parts(c)}, packets, size) for c, packets, size in status.counters]
    words = "Packets by what happened to them, as segments on the wire."
    yield from _family("encap_packets_total", "counter", words, ((one, packets) for one, packets, _ in named))
    words = "Bytes of the inner IP packets by what happened to them."
    yield from _family("encap_bytes_total", "counter", words, ((one, size) for one, _, size in named))


def _parts(counter: Counter) -> dict[str, str]:
    """What a counter counts, as labels. A bundle of an earlier release says a name and a kind alone."""
    if not counter.direction:
        return {"counter": counter.name, "kind": counter.kind}
    return {
        "direction": counter.direction,
        "rule": counter.rule,
        "encapsulation": counter.encapsulation,
        "outcome": counter.outcome,
        "reason": counter.reason,
    }


def _gauge(metric: str, words: str, series: Iterable[Series]) -> Iterator[str]:
    return _family(metric, "gauge", words, series)


def _family(metric: str, kind: str, words: str, series: Iterable[Series]) -> Iterator[str]:
    yield f"# HELP {metric} {words}"
    yield f"# TYPE {metric} {kind}"
    for labels, value in series:
        text = ",".join(f'{name}="{_label(label)}"' for name, label in labels.items())
        yield f"{metric}{{{text}}} {value}"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
