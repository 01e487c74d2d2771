"""A stack of headers is one that can be sent and recognised."""

from __future__ import annotations

from ..diagnostics import Findings
from ..headers.catalogue import FAMILIES, headers
from ..headers.model import Length
from ..spec import Encapsulation, HeaderUse, Reference, Spec
from .common import IP_HEADERS, resolved


def check(spec: Spec, findings: Findings) -> None:
    """E405 to E407 the order of headers; E408, E409 the ends of the tunnel; N916 lengths per segment; N921 two IPs."""
    for encapsulation in spec.encapsulations.values():
        first = encapsulation.headers[0]
        if first.name not in IP_HEADERS:
            words = f"encapsulation {encapsulation.name} begins with {first.name}"
            help = "the outermost header is `ip`, `ipv4` or `ipv6`: add one before it"
            findings.error("E406", words, first.place, help)
        else:
            _ends(first, findings)
        _order(encapsulation, findings)
        if any(encapsulation.name in t.encapsulations for t in spec.endpoints.values()):
            _lengths(encapsulation, findings)


def _order(encapsulation: Encapsulation, findings: Findings) -> None:
    ip_first = encapsulation.headers[0].name in IP_HEADERS  # else E406 says it all
    for above, below in zip(encapsulation.headers, encapsulation.headers[1:], strict=False):
        if below.name in IP_HEADERS and not ip_first:
            continue
        if below.name in IP_HEADERS:
            words = f"`{below.name}` after another header: more than one outer IP header is not yet in this release"
            help = "the inner packet's own header is not part of the stack: end the stack before it"
            findings.error("N921", words, below.place, help)
        elif not any(a.may_precede(b) for a in resolved(above.name) for b in resolved(below.name)):
            findings.error("E405", f"{below.name} cannot follow {above.name}", below.place, _may_follow(above.name))
    last = encapsulation.headers[-1]
    if not any(a.may_precede(headers()[family]) for a in resolved(last.name) for family in FAMILIES):
        words = f"encapsulation {encapsulation.name} ends with {last.name}, which cannot carry an IP packet"
        findings.error("E407", words, last.place, _may_follow(last.name))


def _lengths(encapsulation: Encapsulation, findings: Findings) -> None:
    """A length that the kernel does not write anew in each segment is wrong in all but one of a super-packet."""
    for use in encapsulation.headers:
        for header in resolved(use.name):
            for field in header.fields():
                if isinstance(field.role, Length) and field.role.extent != "header" and not field.role.repaired:
                    name = f"{header.name}.{field.name}"
                    words = f"{name} differs per segment, and `segmentation: off` is not yet in this release"
                    help = "the kernel repairs the lengths of IP and UDP alone when it cuts a super-packet"
                    findings.error("N916", words, use.place, help)


def _may_follow(name: str) -> str:
    names = sorted({h.name for a in resolved(name) for h in headers().values() if a.may_precede(h)})
    return f"what {name} can carry: {', '.join(names)}" if names else f"nothing is known that {name} can carry"


def _ends(first: HeaderUse, findings: Findings) -> None:
    source, destination = first.values.get("source"), first.values.get("destination")
    if source is not None and not (isinstance(source, Reference) and source.root == "host"):
        help = "declare one: `host: {uplink: device, vtep: {type: ip, default: uplink.address}}`, `source: host.vtep`"
        findings.error("E408", "the outer source is not a host value", source.place, help)
    if first.name != "ip" or destination is None:
        return
    if not (isinstance(destination, Reference) and destination.root in ("endpoint", "received")):
        words = "under `ip` the destination decides the family, and this one is neither a row's nor received"
        help = "write `destination: endpoint.FIELD`, or `ipv4` or `ipv6` instead of `ip`"
        findings.error("E409", words, destination.place, help)
