"""Nodes that the schema allows to a `Spec`: references, typed values, defaults."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...common.diagnostics import NOWHERE, Findings, Place
from ...common.documents.nodes import Node
from ...common.rows.prefixes import read_prefixes
from ...common.values import Prefix, ValueProblem, duration, prefix
from ..spec import (
    ROOTS,
    AddressSet,
    ConnectRule,
    Egress,
    Encapsulation,
    HeaderUse,
    HostValue,
    Ingress,
    Mtu,
    Receiving,
    Reference,
    Remember,
    RouteDevice,
    Scalar,
    Spec,
    Value,
)
from .files import beside, named_file
from .schema_parts import REMEMBERED, REMEMBERED_FOR
from .structure_rules import build_duration, connect_rules, egress_rules, ingress_rules
from .structure_tables import build_table
from .structure_tests import build_tests
from .structure_values import build_options, build_value, cgroup_path

OLDEST_KERNEL = (5, 10)


def build_spec(root: Node, path: str, sha256: str, findings: Findings) -> Spec:
    """The spec. After errors (E2, E3, E4, N9 in `findings`) parts of it are missing, and it must not be used."""
    sets = _sets(root, path, findings)
    kernel_node = root.get("kernel")
    return Spec(
        api_version=root.value["apiVersion"].value,
        name=root.value["name"].value,
        kernel=_kernel(kernel_node, findings),
        host=_host(root),
        attach=_attach(root.value["attach"].value["devices"], findings),
        cgroup=_attach_cgroup(root.value["attach"].get("cgroup"), findings),
        route_device=_route_device(root.value["attach"].get("route_device")),
        sets=sets,
        encapsulations={
            name: Encapsulation(
                name, tuple(_header(h, findings) for h in node.value), _key_place(root, "encapsulations", name)
            )
            for name, node in _members(root, "encapsulations")
        },
        endpoints={
            name: build_table(name, node, _key_place(root, "endpoints", name), path, findings)
            for name, node in _members(root, "endpoints")
        },
        connect=_connect(root, sets, findings),
        egress=_egress(root, sets, findings),
        ingress=_ingress(root, sets, findings),
        mtu=_mtu(root),
        receive=_receive(root),
        tests=build_tests(root.get("tests")),
        path=path,
        sha256=sha256,
        place=root.start,
        name_place=root.value["name"].place,
        kernel_place=kernel_node.place if kernel_node else root.start,
    )


def _members(root: Node, key: str) -> list[tuple[str, Node]]:
    node = root.get(key)
    return list(node.items()) if node else []


def _key_place(root: Node, section: str, name: str) -> Place:
    place: Place = root.value[section].keys[name]
    return place


def _kernel(node: Node | None, findings: Findings) -> tuple[int, int]:
    if node is None:
        return OLDEST_KERNEL
    major, minor = (int(part) for part in node.value.split("."))
    if (major, minor) < OLDEST_KERNEL:
        words = f"kernel {node.value} is older than 5.10"
        findings.error("E213", words, node.place, 'the programs need what came with 5.10: write `kernel: "5.10"`')
    return major, minor


def _host(root: Node) -> dict[str, HostValue]:
    found = {}
    for name, node in _members(root, "host"):
        place = _key_place(root, "host", name)
        if node.kind == "string":
            found[name] = HostValue(name, node.value, None, place)
            continue
        default = node.get("default")
        device, _, attribute = default.value.partition(".") if default else ("", "", "")
        parts = (device, attribute) if default else None
        default_place = default.place if default else place
        found[name] = HostValue(name, node.value["type"].value, parts, place, default_place)
    return found


def _attach(node: Node, findings: Findings) -> tuple[Reference, ...]:
    found = []
    for device in node.each():
        root, _, name = device.value.partition(".")
        if root != "host" or not name or "." in name:
            help = f"write `host.{device.value}`, and declare it: `host: {{{device.value}: device}}`"
            if not device.value.replace("-", "").replace("_", "").isalnum():
                help = "devices are host values: `host: {uplink: device}`, `attach: {devices: [host.uplink]}`"
            findings.error("E331", f"`{device.value}` is not a host value", device.place, help)
            continue
        found.append(Reference("host", (name,), device.place))
    return tuple(found)


def _route_device(node: Node | None) -> RouteDevice | None:
    return RouteDevice(node.value["name"].value, node.value["name"].place) if node else None


def _attach_cgroup(node: Node | None, findings: Findings) -> Value | None:
    if node is None:
        return None
    if node.value.startswith("host."):
        return build_value(node, findings)
    return Scalar("/" + "/".join(cgroup_path(node.value.strip("/"), node, findings)), node.place)


def _sets(root: Node, path: str, findings: Findings) -> dict[str, AddressSet]:
    found = {}
    for name, node in _members(root, "sets"):
        place = _key_place(root, "sets", name)
        if name in ("any", *ROOTS):
            findings.error("E310", f"`{name}` is reserved", place, "call the set something else")
        if node.kind == "object":
            file = named_file(node.value["file"], path, findings)
            prefixes = read_prefixes(beside(path, file), findings) if file else ()
            found[name] = AddressSet(name, prefixes, file, place)
        else:
            found[name] = AddressSet(name, _prefixes(node, findings), None, place)
    return found


def _prefixes(node: Node, findings: Findings) -> tuple[Prefix, ...]:
    found: dict[Prefix, Node] = {}
    for item in node.value:
        try:
            network = prefix(item.value)
        except ValueProblem as problem:
            findings.error(problem.code, problem.message, item.place, problem.help)
            continue
        if network in found:
            findings.warning("W510", f"{item.value} is in the list already", item.place, "keep one of them")
        found.setdefault(network, item)
    return tuple(found)


def _header(node: Node, findings: Findings) -> HeaderUse:
    ((name, fields),) = node.items()
    values = {key: build_value(value, findings) for key, value in fields.items() if value.kind != "array"}
    options = next((value for _, value in fields.items() if value.kind == "array"), None)  # whatever its name
    return HeaderUse(
        name,
        MappingProxyType(values),
        node.keys[name],
        MappingProxyType(dict(fields.keys)),
        build_options(options, name, findings) if options else (),
    )


def _address_fields(root: Node) -> dict[str, str]:
    """Every table with its first field that is an address, or with an empty text."""
    kinds = ("ip", "ipv4", "ipv6")
    return {
        name: next((field for field, kind in node.value["fields"].items() if kind.value in kinds), "")
        for name, node in _members(root, "endpoints")
    }


def _egress(root: Node, sets: Mapping[str, AddressSet], findings: Findings) -> Egress:
    node = root.get("egress")
    if node is None:
        return Egress((), "pass", "keep", root.start, root.start)
    rules = node.get("rules")
    next_hop, boot, unattached = node.get("next_hop"), node.get("boot"), node.get("unattached")
    return Egress(
        rules=egress_rules(rules.value, sets, _address_fields(root), findings) if rules else (),
        default=node.value["default"].value,
        next_hop=next_hop.value if next_hop else "keep",
        place=root.keys["egress"],
        default_place=node.value["default"].place,
        remember=_remember(node.get("remember"), findings),
        unattached=unattached.value if unattached else "drop",
        unattached_place=unattached.place if unattached else NOWHERE,
        segmentation="segmentation" not in node.value,
        boot=boot.value if boot else "open",
        boot_place=boot.place if boot else NOWHERE,
    )


def _remember(node: Node | None, findings: Findings) -> Remember:
    capacity, idle = (node.get("capacity"), node.get("idle")) if node else (None, None)
    return Remember(
        capacity.value if capacity else REMEMBERED,
        build_duration(idle, findings) if idle else duration(REMEMBERED_FOR),
        node.start if node else NOWHERE,
    )


def _connect(root: Node, sets: Mapping[str, AddressSet], findings: Findings) -> tuple[ConnectRule, ...]:
    node = root.get("connect")
    return connect_rules(node.value["rules"].value, sets, _address_fields(root), findings) if node else ()


def _mtu(root: Node) -> Mtu:
    node = root.get("mtu")
    clamp = node.get("clamp_mss") if node else None
    too_big, path = (node.get("too_big"), node.get("path")) if node else (None, None)
    return Mtu(
        clamp is None or clamp.value,
        too_big.value if too_big else "icmp",
        path.value if path else "learn",
        root.keys["mtu"] if node else NOWHERE,
    )


def _receive(root: Node) -> Receiving:
    node = root.get("receive")
    gro = node.get("gro") if node else None
    return Receiving(gro.value == "device", gro.place) if gro else Receiving()


def _ingress(root: Node, sets: Mapping[str, AddressSet], findings: Findings) -> Ingress:
    node = root.get("ingress")
    if node is None:
        return Ingress((), "drop", root.start)
    refuse = node.get("refuse")
    return Ingress(
        rules=ingress_rules(node.value["rules"].value, sets, _address_fields(root), findings),
        refuse=refuse.value if refuse else "drop",
        place=root.keys["ingress"],
    )
