"""Two encapsulations that look the same when they arrive."""

from __future__ import annotations

from ..diagnostics import Findings
from ..headers.catalogue import settable
from ..headers.model import FromSpec, Receive
from ..spec import Encapsulation, HeaderUse, Scalar, Spec, Value
from .common import resolved


def check(spec: Spec, findings: Findings) -> None:
    """E513 for encapsulations that rules decapsulate."""
    names = dict.fromkeys(rule.decapsulate for rule in spec.ingress.rules)
    stacks = [spec.encapsulations[name] for name in names if name in spec.encapsulations]
    for i, second in enumerate(stacks):
        for first in stacks[:i]:
            if _alike(first, second):
                words = f"{first.name} and {second.name} cannot be told apart when they arrive"
                help = "give them different ports, keys or host values as source, or use one of them for both"
                rule = next(r for r in spec.ingress.rules if r.decapsulate == second.name)
                related = ((first.place, "the one"), (second.place, "the other"))
                findings.error("E513", words, rule.places["decapsulate"], help, related=related)


def _alike(first: Encapsulation, second: Encapsulation) -> bool:
    if len(first.headers) != len(second.headers):
        return False
    return all(_header_alike(a, b) for a, b in zip(first.headers, second.headers, strict=True))


def _header_alike(a: HeaderUse, b: HeaderUse) -> bool:
    common = {h.name for h in resolved(a.name)} & {h.name for h in resolved(b.name)}
    if not common:
        return False
    fields_a, fields_b = settable(a.name), settable(b.name)
    for word in fields_a.keys() & fields_b.keys():
        field = fields_a[word]
        given_a, given_b = a.values.get(word), b.values.get(word)
        if isinstance(field.role, FromSpec) and field.role.bare is not None:
            continue  # one port is one program's: what comes to it is taken for the first
        if isinstance(field.role, FromSpec) and field.role.optional and (given_a is None) != (given_b is None):
            return False  # the header has another length
        if field.receive is Receive.MATCH and not _may_be_equal(given_a, given_b):
            return False
        # Our own address, which their destination must be.
        if word == "source" and field.receive is Receive.EXCHANGE and given_a != given_b:
            return False
    return True


def _may_be_equal(a: Value | None, b: Value | None) -> bool:
    """Different literals differ; so does a literal from what varies, for which the order of rules decides."""
    if isinstance(a, Scalar) and isinstance(b, Scalar):
        return a.value == b.value
    return (isinstance(a, Scalar) or a is None) == (isinstance(b, Scalar) or b is None)
