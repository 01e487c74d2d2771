"""The resolved spec: references lead to what they name, and facts of its parts are worked out once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from encap_compile.compile import checks
from encap_compile.compile.description import describe
from encap_compile.compile.frontend.load import parse_spec
from encap_compile.compile.lower import lower
from encap_compile.compile.resolved import HostReference, Resolved, RowField, resolve
from encap_compile.compile.resolved.cgroups import Purpose

PACKAGE = Path(__file__).parents[2] / "compiler" / "encap_compile" / "compile"
HEAD = """
apiVersion: encap/v1alpha1
name: facts
kernel: "5.10"
host: {uplink: device, vtep: {type: ip, default: uplink.address}, mark: u32}
attach: {devices: [host.uplink], cgroup: /}
"""
OVERLAY = (
    HEAD
    + """
encapsulations:
  vxlan:
    - ip: {source: host.vtep, destination: endpoint.address}
    - udp: {destination_port: 4789, checksum: zero}
    - vxlan: {vni: endpoint.vni}
    - ethernet: {source: host.uplink.mac, destination: endpoint.mac}
  answer:
    - ip: {source: host.vtep, destination: received.ip.source}
    - udp: {destination_port: 4789, checksum: zero}
    - vxlan: {vni: received.vxlan.vni}
    - ethernet: {source: host.uplink.mac, destination: received.ethernet.source}
  six: [{ipv6: {source: host.vtep, destination: endpoint.far}}]
endpoints:
  sites:
    key: destination
    fields: {address: ip, vni: u24, mac: mac}
    encapsulation: vxlan
    rows: [{destination: 10.0.0.0/24, address: 192.0.2.1, vni: 1, mac: "02:00:00:00:00:01"}]
  tenants: {key: received.vxlan.vni, fields: {mark: u32}, rows: [{received.vxlan.vni: 1, mark: 7}]}
  exits: {fields: {far: ipv6}, encapsulation: six, rows: [{name: a, far: "2001:db8::1"}]}
egress:
  rules:
    - {name: back, match: {source: 10.9.0.0/16}, reflect: peers, with: answer}
    - {name: web, match: {destination: 10.0.0.0/8, protocol: tcp}, to: sites}
    - {name: six, match: {destination: "2001:db8:1::/48"}, to: exits/a}
  default: pass
ingress:
  rules:
    - name: peers
      decapsulate: vxlan
      from: sites.address
      lookup: tenants
      set_mark: endpoint.mark
      learn: {for: replies, capacity: 10, idle: 60s}
"""
)
EXITS = (
    HEAD
    + """
encapsulations:
  ipip: [{ip: {source: host.vtep, destination: endpoint.address}}]
  gre: [{ip: {source: host.vtep, destination: endpoint.address}}, {gre: {key: 7}}]
endpoints:
  exits: {fields: {address: ip}, encapsulation: ipip, rows: [{name: a, address: 192.0.2.1}]}
  others: {fields: {address: ip}, encapsulation: gre, rows: [{name: b, address: 192.0.2.2}]}
  teams: {key: cgroup, fields: {address: ip}, encapsulation: ipip, rows: [{cgroup: t.slice, address: 192.0.2.3}]}
egress:
  rules:
RULES
  default: pass
"""
)


def resolved(text: str) -> Resolved:
    spec = parse_spec(text.encode(), "facts.yaml")
    found = checks.run(spec)
    assert not found.errors, found.errors
    return resolve(spec)


def exits(*rules: str) -> Resolved:
    return resolved(EXITS.replace("RULES", "\n".join(f"    - {{name: r{i}, {rule}}}" for i, rule in enumerate(rules))))


def test_references_lead_to_what_they_name() -> None:
    found = resolved(OVERLAY)
    back, web, six = found.egress
    (peers,) = found.ingress
    sites = found.tables["sites"]
    assert web.to is not None and web.to.table is sites and web.to.row is None
    assert six.to is not None and six.to.table is found.tables["exits"] and six.to.row == "a"
    assert sites.encapsulations == (found.encapsulations["vxlan"],)
    assert back.reflect is not None and back.reflect.rule is peers
    assert back.reflect.encapsulation is found.encapsulations["answer"]
    assert peers.decapsulate is found.encapsulations["vxlan"] and peers.lookup is found.tables["tenants"]
    assert isinstance(peers.source, RowField) and (peers.source.table, peers.source.type) == (sites, "ip")
    assert isinstance(peers.mark, RowField) and (peers.mark.table.name, peers.mark.type) == ("tenants", "u32")


def test_replies_mirror_what_came_in_unless_another_encapsulation_is_named() -> None:
    before, _, behind = OVERLAY.replace(", with: answer", "").partition("  answer:")
    (back, *_) = resolved(f"{before}  six:{behind.partition('  six:')[2]}").egress
    assert back.reflect is not None and back.reflect.encapsulation is back.reflect.rule.decapsulate


def test_who_uses_an_encapsulation_and_for_which_packets() -> None:
    found = resolved(OVERLAY).encapsulations
    vxlan, answer, six = found["vxlan"], found["answer"], found["six"]
    assert (vxlan.tables, vxlan.replies, vxlan.receivers) == (("sites",), (), ("peers",))
    assert (answer.tables, answer.replies, answer.receivers) == ((), ("back",), ())
    assert (vxlan.outer_families, vxlan.inner_families) == (("ipv4", "ipv6"), ("ipv4",))
    assert (six.outer_families, six.inner_families) == (("ipv6",), ("ipv6",))
    assert answer.inner_families == ("ipv4",)
    assert (vxlan.family_field, answer.family_field) == ("address", "")
    own, source = vxlan.host
    assert (own.own, own.value) == (True, HostReference(("vtep",), "ip"))
    assert (source.own, source.value) == (False, HostReference(("uplink", "mac"), "mac"))


def test_a_table_knows_who_comes_to_it() -> None:
    found = resolved(OVERLAY)
    sites, tenants = found.tables["sites"], found.tables["tenants"]
    assert (sites.led_to, sites.looked_up, sites.families) == (True, False, ("ipv4",))
    assert (tenants.led_to, tenants.looked_up, tenants.families) == (False, True, ("ipv4", "ipv6"))
    assert [(c.name, c.type, c.families) for c in sites.columns] == [("destination", "prefix", ("ipv4",))]
    assert [(c.name, c.type) for c in tenants.columns] == [("received.vxlan.vni", "u24")]
    assert [(f.table.name, f.field) for f in found.sources] == [("sites", "address")]
    assert [(f.table.name, f.field) for f in found.destinations] == [("exits", "far"), ("sites", "address")]


def test_a_table_that_no_rule_uses_is_none_of_the_program() -> None:
    rule = '    - {name: six, match: {destination: "2001:db8:1::/48"}, to: exits/a}\n'
    found = resolved(OVERLAY.replace(rule, ""))
    assert "exits" not in found.tables and not found.encapsulations["six"].used
    assert {t.name for t in lower(found, "0").program.tables} == {"sites", "tenants"}


def test_rows_of_several_encapsulations_need_the_fields_of_their_own() -> None:
    changes = {
        "{gre: {key: 7}}": "{gre: {key: endpoint.key}}",
        "exits: {fields: {address: ip}, encapsulation: ipip, rows: [{name: a, ": (
            "exits: {fields: {address: ip, key: u32}, encapsulation: [ipip, gre], "
            "rows: [{name: a, encapsulation: ipip, "
        ),
        "others: {fields: {address: ip}": "others: {fields: {address: ip, key: u32}",
        "{name: b, ": "{name: b, key: 1, ",
        "RULES": "    - {name: all, match: {destination: 10.0.0.0/8}, to: exits/a}",
    }
    text = EXITS
    for old, new in changes.items():
        text = text.replace(old, new)
    assert resolved(text).tables["exits"].needs == {"ipip": ("address",), "gre": ("address", "key")}


def test_cgroups_are_named_by_their_paths_with_what_for() -> None:
    found = exits(
        "match: {cgroup: b.slice}, action: pass",
        "match: {cgroup: [a.slice, a.slice/web], destination: 10.0.0.0/8}, to: exits/a",
        "socket: [exits]",
    )
    purposes = {named.path: named.purposes for named in found.cgroups}
    assert list(purposes) == ["", "a.slice", "a.slice/web", "b.slice"]
    assert purposes["b.slice"] == purposes["a.slice"] == purposes["a.slice/web"] == {Purpose.MATCHED}
    # The attached one holds all others: looked at there, none of their packets counts twice.
    assert purposes[""] == {Purpose.CHOOSING, Purpose.GUARDED}
    assert [named.level for named in found.cgroups] == [0, 1, 2, 1]
    assert found.guards and [t.name for t in found.socket_tables] == ["exits"]


def test_what_is_guarded_is_the_outermost_cgroup() -> None:
    found = exits("match: {cgroup: [a.slice/web, a.slice], destination: 10.0.0.0/8}, to: exits/a")
    guarded = {named.path for named in found.cgroups if Purpose.GUARDED in named.purposes}
    assert guarded == {"a.slice"}


def test_nothing_is_guarded_where_no_rule_that_attributes_packets_encapsulates() -> None:
    assert not exits("match: {cgroup: a.slice}, action: drop").guards
    assert not exits("match: {destination: 10.0.0.0/8}, to: exits/a").guards


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        # All packets of a flow meet the same of the two.
        ("destination: 10.1.0.0/16", "destination: 10.0.0.0/8", False),
        # One packet has the mark, another has not.
        ("destination: 10.1.0.0/16, mark: 7", "destination: 10.0.0.0/8", True),
        ("destination: 10.1.0.0/16, dscp: ef", "destination: 10.0.0.0/8", True),
        # No TCP flow is in both.
        ("destination: 10.1.0.0/16, mark: 7", "destination: 10.2.0.0/16", False),
        ("protocol: udp, mark: 7", "destination: 10.2.0.0/16", False),
    ],
)
def test_which_encapsulations_a_flow_can_take(first: str, second: str, together: bool) -> None:
    flows = exits(f"match: {{{first}}}, to: exits/a", f"match: {{{second}}}, to: others/b").flows
    assert flows["exits"] == ({"ipip", "gre"} if together else {"ipip"})
    assert flows["others"] == ({"ipip", "gre"} if together else {"gre"})


def test_what_is_in_no_program_is_described_where_a_set_is_filled_from_it() -> None:
    """A fixed table that only says who may send: no map, and its rows are in the bundle."""
    text = EXITS.replace("rows: [{name: b, address: 192.0.2.2}]", "fixed: true, rows: [{name: b, address: 192.0.2.2}]")
    text = text.replace("RULES", "    - {name: all, match: {destination: 10.0.0.0/8}, to: exits/a}")
    text += "ingress: {rules: [{name: in, decapsulate: gre, from: others.address}]}\n"
    found = resolved(text)
    lowered = lower(found, "0")
    assert [t.name for t in lowered.program.unread_tables] == ["others"]
    (others,) = (t for t in describe(found, lowered).manifest.tables if t.name == "others")
    assert (others.map, others.kind, others.file) == ("", "fixed", "others.csv")


RAW = {"rules", "endpoints", "encapsulations", "connect"}  # of `Spec`, `Egress` and `Ingress`


@pytest.mark.parametrize("path", sorted([*PACKAGE.glob("lower/*.py"), *PACKAGE.glob("description/*.py")]), ids=str)
def test_lowering_follows_no_reference_itself(path: Path) -> None:
    """It has the resolved rules, tables and encapsulations; those of the spec as written are for the checks."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in RAW:
            owner = ast.unparse(node.value)
            assert not owner.endswith(("spec", "spec.egress", "spec.ingress")), f"{path.name}:{node.lineno}: {owner}"
