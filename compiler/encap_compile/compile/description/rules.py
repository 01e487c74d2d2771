"""The rules as the manifest has them: for people, and for `plan`, which compares them with those of other bundles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

from ...common import manifest
from .. import ir
from ..resolved import ConnectRule, EgressRule, IngressRule, Resolved
from ..spec import Match


def rule_summaries(resolved: Resolved, program: ir.Program) -> Iterator[manifest.RuleSummary]:
    """Every rule in the order written, egress first, the default after the last of them."""
    spec = resolved.spec
    received: dict[str, list[str]] = {}  # encapsulation -> what its stacks are known by
    for stack, known in zip(program.stacks, program.signatures, strict=True):
        received.setdefault(stack.encapsulation, []).append(signature_text(known))
    yield from (_egress(rule, spec.mtu.clamp_mss) for rule in resolved.egress)
    default = spec.egress.default
    yield manifest.RuleSummary("default", "egress", default, "egress.default", digest=_digest(default), action=default)
    yield from (_connect(rule) for rule in resolved.connect)
    yield from (_ingress(rule, spec.ingress.refuse, received[rule.decapsulate.name]) for rule in resolved.ingress)


def _egress(rule: EgressRule, clamps: bool) -> manifest.RuleSummary:
    prefixes = rule.match.destination.prefixes if rule.targets and rule.match.destination else ()
    tables = dict.fromkeys(target.table.name for target in rule.targets)
    return manifest.RuleSummary(
        rule.name,
        "egress",
        rule.text,
        rule.path,
        tuple(str(p) for p in prefixes),
        next(iter(tables), ""),
        rule.to.row or "" if rule.to else "",
        _digest(rule.text, rule.on_miss),
        _action(rule),
        _match(rule.match, bool(prefixes)),
        rule.on_miss if rule.to else "",
        tuple(tables)[1:],
        clamps and rule.encapsulates,
        rule.was,
    )


def _connect(rule: ConnectRule) -> manifest.RuleSummary:
    return manifest.RuleSummary(
        rule.name,
        "connect",
        rule.text,
        rule.path,
        digest=_digest(rule.text),
        action="choose" if rule.choose else "pass",
        match=_match(rule.match, False),
        was=rule.was,
    )


def _ingress(rule: IngressRule, refuse: str, received: Iterable[str]) -> manifest.RuleSummary:
    return manifest.RuleSummary(
        rule.name,
        "ingress",
        rule.text,
        rule.path,
        digest=_digest(rule.text),
        action="decapsulate",
        match={"received": tuple(received)},
        on_miss=refuse,
        was=rule.was,
    )


def signature_text(signature: ir.Signature) -> str:
    """What a stack is known by: outer family, IP protocols, and the UDP port if there is one."""
    port = f" {signature.port.number}" if signature.port else ""
    return f"{signature.family} {','.join(map(str, signature.protocols))}{port}"


def _action(rule: EgressRule) -> str:
    if rule.action:
        return rule.action
    return "encapsulate" if rule.to else "socket" if rule.socket else "reflect"


def _match(match: Match, destinations_told: bool) -> dict[str, tuple[str, ...]]:
    """A match for the loader, which compares it with those of other bundles."""
    prefixes = {"destination": None if destinations_told else match.destination, "source": match.source}
    found: dict[str, tuple[str, ...]] = {
        word: tuple(map(str, addresses.prefixes)) for word, addresses in prefixes.items() if addresses is not None
    }
    for word in ("protocol", "dscp"):
        found[word] = tuple(map(str, getattr(match, word)))
    for word in ("destination_port", "source_port", "mark"):
        ranges = getattr(match, word)
        found[word] = tuple(str(r.first) if r.first == r.last else f"{r.first}-{r.last}" for r in ranges)
    found["cgroup"] = match.cgroup
    return {word: values for word, values in found.items() if values}


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:16]
