"""A stack of headers is one that can be sent and recognised."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ..headers.catalogue import FAMILIES, headers, instance_names, resolve
from ..headers.gso import Laid, segmentation
from ..headers.levels import per_segment
from ..headers.model import FromSpec, Opaque
from ..headers.variable import has_variable_part
from ..resolved.encapsulations import tables_of
from ..resolved.values import IP_HEADERS, headers_called, possible_families
from ..spec import Encapsulation, HeaderUse, Reference, Scalar, Spec


def check(spec: Spec, findings: Findings) -> None:
    """E403, E405 to E407 what can follow what; E408, E409 the tunnel endpoints; E560 per segment; N921 two IPs."""
    for encapsulation in spec.encapsulations.values():
        first = encapsulation.headers[0]
        if first.name not in IP_HEADERS:
            words = f"encapsulation {encapsulation.name} begins with {first.name}"
            help = "the outermost header is `ip`, `ipv4` or `ipv6`: add one before it"
            findings.error("E406", words, first.place, help)
        else:
            _outermost(first, bool(tables_of(spec, encapsulation.name)), findings)
        wrong = len(findings.all)
        _order(encapsulation, findings)
        _one_variable_part(encapsulation, findings)
        in_order = len(findings.all) == wrong
        for use in encapsulation.headers:
            _bare(use, findings)
        if in_order and spec.egress.segmentation and _is_sent(spec, encapsulation):
            _segments(encapsulation, spec.kernel, findings)


def _order(encapsulation: Encapsulation, findings: Findings) -> None:
    ip_first = encapsulation.headers[0].name in IP_HEADERS  # else E406 says it all
    for above, below in zip(encapsulation.headers, encapsulation.headers[1:], strict=False):
        if below.name in IP_HEADERS and not ip_first:
            continue
        if below.name in IP_HEADERS:
            words = f"`{below.name}` after another header: more than one outer IP header is not yet in this release"
            help = "the inner packet's own header is not part of the stack: end the stack before it"
            findings.error("N921", words, below.place, help)
        elif any(a.is_bare(_written(above)) for a in headers_called(above.name)):
            words = f"{below.name} cannot follow {above.name} without its header"
            findings.error("E405", words, below.place, "end the stack before it: only the inner packet can follow")
        elif opaque := _opaque_part(above):
            words = f"{below.name} cannot follow {above.name} with its `{opaque}`"
            findings.error("E405", words, below.place, "end the stack before it: only the inner packet can follow")
        elif not any(a.may_precede(b) for a in headers_called(above.name) for b in headers_called(below.name)):
            findings.error("E405", f"{below.name} cannot follow {above.name}", below.place, _may_follow(above.name))
    last = encapsulation.headers[-1]
    if not any(a.may_precede(headers()[family]) for a in headers_called(last.name) for family in FAMILIES):
        words = f"encapsulation {encapsulation.name} ends with {last.name}, which cannot carry an IP packet"
        findings.error("E407", words, last.place, _may_follow(last.name))


def _one_variable_part(encapsulation: Encapsulation, findings: Findings) -> None:
    """E405: the program keeps one length that differs by packet."""
    found = [u for u in encapsulation.headers if any(has_variable_part(u.values, h) for h in headers_called(u.name))]
    for use in found[1:]:
        words = f"{use.name} cannot follow {found[0].name}: each of them has a variable-length part"
        help = "a stack has one variable-length part at most in this release: leave one of the two headers out"
        findings.error("E405", words, use.place, help)


def _bare(use: HeaderUse, findings: Findings) -> None:
    """E403: nothing can be written into a header that has no bytes."""
    for header in headers_called(use.name):
        if not header.is_bare(_written(use)):
            continue
        for word, value in use.values.items():
            role = header.field(word).role
            if not (isinstance(role, FromSpec) and role.bare is not None):
                words = f"{use.name} has no `{word}` where it has no header"
                findings.error("E403", words, value.place, "leave it out, or what says so")


def _opaque_part(use: HeaderUse) -> str:
    """The name of the opaque variable-length part that a header has, or empty."""
    parts = [h.variable for h in headers_called(use.name) if h.variable and h.variable.name in use.values]
    return parts[0].name if parts and isinstance(parts[0].role, Opaque) else ""


def _written(use: HeaderUse) -> dict[str, object]:
    return {word: value.value for word, value in use.values.items() if isinstance(value, Scalar)}


def _is_sent(spec: Spec, encapsulation: Encapsulation) -> bool:
    """Whether packets leave with it: rows take it, or replies do."""
    reflected = [rule.reflect for rule in spec.egress.rules if rule.reflect is not None]
    replies = {reflect.encapsulation for reflect in reflected}
    replies |= {
        r.decapsulate for f in reflected for r in spec.ingress.rules if r.name == f.rule and not f.encapsulation
    }
    return bool(tables_of(spec, encapsulation.name)) or encapsulation.name in replies


def _segments(encapsulation: Encapsulation, kernel: tuple[int, int], findings: Findings) -> None:
    """A field that the kernel does not write in each segment is wrong in all but one of a GSO packet."""
    for family in possible_families(encapsulation):
        chain = [resolve(use.name, family) for use in encapsulation.headers]
        names = instance_names([h.name for h in chain])
        laid = [
            Laid(name, header, per_segment(present))
            for name, header, use in zip(names, chain, encapsulation.headers, strict=True)
            if (present := header.layout(_written(use)))
        ]
        found = segmentation(laid, kernel).per_segment
        if found:
            instance, _, field = found.partition(".")
            use = encapsulation.headers[names.index(instance)]
            what = f"`{field}` of this {use.name}" if field else f"what stands behind {use.name}"
            words = f"{encapsulation.name}: the kernel does not write {what} in each segment of a GSO packet"
            help = (
                "add `segmentation: off` under `egress:`, which drops GSO packets that would take this encapsulation, "
                "and let the device have none: `ip link set dev DEVICE gso_max_segs 1`"
            )
            findings.error("E560", words, use.place, help)
            return


def _may_follow(name: str) -> str:
    names = sorted({h.name for a in headers_called(name) for h in headers().values() if a.may_precede(h)})
    return f"what {name} can carry: {', '.join(names)}" if names else f"nothing is known that {name} can carry"


def _outermost(first: HeaderUse, has_rows: bool, findings: Findings) -> None:
    """`has_rows`: a table's rows take the encapsulation."""
    source, destination = first.values.get("source"), first.values.get("destination")
    if source is not None and not (isinstance(source, Reference) and source.root == "host"):
        help = "declare one: `host: {uplink: device, vtep: {type: ip, default: uplink.address}}`, `source: host.vtep`"
        findings.error("E408", "the outer source is not a host value", source.place, help)
    if first.name != "ip" or destination is None:
        return
    if isinstance(destination, Reference) and destination.root in ("endpoint", "received"):
        return
    if isinstance(destination, Reference) and destination.root == "host" and not has_rows:
        return  # what answers is of the family of what came in
    words = "under `ip` the destination decides the family, and this one is neither a row's nor received"
    help = "write `destination: endpoint.FIELD`, or `ipv4` or `ipv6` instead of `ip`"
    if isinstance(destination, Reference) and destination.root == "host":
        words = f"under `ip` the destination decides the family, and `{destination}` may have an address of each"
        help = "write `ipv4` or `ipv6` instead of `ip`, or `endpoint.FIELD`: only a reply takes the family that came in"
    findings.error("E409", words, destination.place, help)
