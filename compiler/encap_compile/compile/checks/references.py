"""References in headers lead somewhere, and what is there fits."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ...common.values import BITS
from ..headers.catalogue import FAMILIES
from ..resolved.encapsulations import tables_of
from ..resolved.host import ATTRIBUTES as DEVICE_TYPES
from ..resolved.values import uses
from ..spec import Encapsulation, Reference, Spec
from .host_values import ATTRIBUTES, DEVICES

# Value type of a header field -> types that can be written into it without loss; and see `fitting`.
FITS = {
    "ip": ("ip",),
    "ipv4": ("ipv4",),
    "ipv6": ("ipv6",),
    "mac": ("mac",),
    "bytes": ("bytes",),
    "dscp": ("dscp",),
    "port": ("port", "u16"),
    "u16": ("u8", "u16", "port"),
    "bytes4": ("u8", "u16", "u20", "u24", "u32", "bytes4"),
    "bytes8": ("u8", "u16", "u20", "u24", "u32", "u64", "bytes8"),
}
PACKET_VALUES = {"dscp": "dscp", "ttl": "u8", "mark": "u32"}  # ttl is the hop limit in IPv6
HOST_TYPES = ("ip", "ipv4", "ipv6", "mac")  # of host values, besides numbers


def check(spec: Spec, findings: Findings) -> None:
    """E301 and E302 host values, E307 fields of rows, E332 types, E413 a reference where only keywords are."""
    for encapsulation in spec.encapsulations.values():
        for header, word, field, kind, value in uses(encapsulation):
            if not isinstance(value, Reference):
                continue
            what = f"{header.name}.{word}"
            if kind in ("keyword", "bit"):  # it decides what the header looks like
                keywords = ", ".join(f"`{k}`" for k in field.keywords or ("0", "1"))
                findings.error("E413", f"{what} is not given by a reference", value.place, f"it can be {keywords}")
            elif kind == "bytes" and value.root != "received":
                words = f"{what} is not given by a value of our own"
                findings.error("E413", words, value.place, f"reflect it unchanged: `received.{what}`")
            elif value.root == "host":
                found = host_type(spec, value, findings)
                if found is not None and not fits(found, kind, host=True):
                    _unfit(value, found, what, kind, findings)
            elif value.root == "received" and not (_arrives(spec, encapsulation) or _is_reflected(spec, encapsulation)):
                words = f"{what} is taken from a received packet, but no rule reflects with {encapsulation.name}"
                help = "name it in an egress rule: `reflect: INGRESS-RULE`, and `with` if it is not what came in"
                findings.error("E528", words, value.place, help)
            elif value.root == "packet":
                _packet(value, what, kind, findings)
            elif value.root == "endpoint":
                _endpoint(spec, encapsulation, value, what, kind, findings)


def _arrives(spec: Spec, encapsulation: Encapsulation) -> bool:
    """Whether it is decapsulated. If it is only that, what it would send means: anything may come."""
    return any(rule.decapsulate == encapsulation.name for rule in spec.ingress.rules)


def _is_reflected(spec: Spec, encapsulation: Encapsulation) -> bool:
    for rule in spec.egress.rules:
        if rule.reflect is None:
            continue
        came = next((r.decapsulate for r in spec.ingress.rules if r.name == rule.reflect.rule), None)
        if came is None:
            return True  # which rule was meant is another question
        if encapsulation.name in (rule.reflect.encapsulation or came, came):
            return True
    return False


def fits(found: str, kind: str, host: bool = False) -> bool:
    """Whether a value of type `found` can be given to a field of type `kind`."""
    # A host value of type ip is one address of each family; a header takes its own.
    narrower = found[:1] == "u" and BITS.get(found, 64) <= _number_bits(kind)
    return narrower or found in fitting(kind) or (host and found == "ip" and kind in FAMILIES)


def fitting(kind: str) -> tuple[str, ...]:
    """The types that people use for what fits a field of type `kind`. Of numbers, every narrower one does."""
    usual = tuple(t for t in ("u8", "u16", "u20", "u24", "u32") if BITS[t] <= _number_bits(kind) and t != kind)
    return FITS.get(kind, (*usual, kind))


def _number_bits(kind: str) -> int:
    """The bits of a number of type `kind`, or -1."""
    if kind.startswith("bytes"):
        return min(8 * int(kind[5:] or 0), 64) if kind in FITS else -1
    return BITS.get(kind, -1) if kind.startswith("u") else -1


def host_type(spec: Spec, reference: Reference, findings: Findings) -> str | None:
    """The type of `host.NAME` or `host.DEVICE.ATTRIBUTE`; None after a finding."""
    name, *rest = reference.path
    if name not in spec.host:
        help = did_you_mean(name, spec.host, f"declare it: `host: {{{name}: ...}}`")
        findings.error("E301", f"there is no host value `{name}`", reference.place, help)
        return None
    kind = spec.host[name].type
    if not rest:
        if kind in DEVICES:
            help = f"write `{reference}.mac`, or another of its attributes"
            findings.error("E332", f"`{reference}` is a device, and a value is needed here", reference.place, help)
            return None
        return kind
    if kind not in DEVICES or len(rest) > 1:
        words = f"`host.{name}` is of type {kind}, and has no `{'.'.join(rest)}`"
        findings.error("E302", words, reference.place, f"write `host.{name}`")
        return None
    if rest[0] not in DEVICE_TYPES:
        help = did_you_mean(rest[0], DEVICE_TYPES)
        if rest[0] in ATTRIBUTES:
            help = f"declare it: `host: {{address: {{type: ip, default: {name}.address}}}}`, and write `host.address`"
        findings.error("E302", f"a device has no `{rest[0]}` to refer to", reference.place, help)
        return None
    return DEVICE_TYPES[rest[0]]


def _packet(value: Reference, what: str, kind: str, findings: Findings) -> None:
    name = ".".join(value.path)
    if name not in PACKET_VALUES:
        help = did_you_mean(name, PACKET_VALUES)
        findings.error("E302", f"the inner packet has no `{name}` to refer to", value.place, help)
    elif not fits(PACKET_VALUES[name], kind):
        words = f"`{value}` is of type {PACKET_VALUES[name]}, which does not fit {what}, of type {kind}"
        findings.error("E332", words, value.place, f"it fits a field of type {PACKET_VALUES[name]}")


def _endpoint(
    spec: Spec, encapsulation: Encapsulation, value: Reference, what: str, kind: str, findings: Findings
) -> None:
    name, *rest = value.path
    for table in tables_of(spec, encapsulation.name):
        if rest and table.fields.get(name) is not None:
            words = f"`{value}`: a field of type {table.fields[name]} has no `{'.'.join(rest)}`"
            findings.error("E302", words, value.place, f"write `endpoint.{name}`")
            return
        if name not in table.fields:
            help = did_you_mean(name, table.fields)
            if help.startswith("known"):
                help = f"add it to the table's fields: `{name}: {kind}`"
            words = f"table {table.name}, whose rows take {encapsulation.name}, has no field `{name}`"
            related = ((table.place, "the table"),)
            findings.error("E307", words, value.place, help, related=related)
        elif not fits(table.fields[name], kind):
            _unfit(value, table.fields[name], what, kind, findings, f" in table {table.name}")


def _unfit(value: Reference, found: str, what: str, kind: str, findings: Findings, where: str = "") -> None:
    help = f"make its type {' or '.join(fitting(kind))}"
    if kind.startswith("bytes"):
        numbers = [t for t in fitting(kind) if t.startswith("u")]
        help = f"make its type {' or '.join(numbers)}" if numbers else "write a number, or `received`"
    if value.root == "host" and not any(t in HOST_TYPES or t[0] == "u" for t in fitting(kind)):
        help = f"no host value is of type {kind}: write it here, or name a field of rows of that type"
    if found == "ip" and kind in FAMILIES:
        help += ", or write `ip` instead of the header's name"
    elif kind == "ip" and found in FAMILIES:
        help += f", or write `{found}` instead of `ip`"
    words = f"`{value}` is of type {found}{where}, which does not fit {what}, of type {kind}"
    findings.error("E332", words, value.place, help)
