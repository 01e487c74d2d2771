"""The C library: each header reads and compiles alone, and the C of a spec holds only what its spec decides."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from encap_compile.compile.render.line_length import COLUMNS
from encap_compile.compile.render.templates import TEMPLATES, included
from encap_compile.compile.render.wire import wire_header
from encap_compile.compile.toolchain.clang import FLAGS, find_clang
from encap_compile.compile.toolchain.clang_format import format_c

ROOT = Path(__file__).resolve().parents[2]
HEADERS = sorted((TEMPLATES / "include").glob("*.h"))

# What a header's contract wants defined before it is included, as some spec would.
KERNEL = {"OLDEST_KERNEL": "KERNEL(5, 19)"}
PACKET = {"PACKET_NEEDS": "(NEED_PROTOCOL | NEED_PORTS | NEED_DSCP | NEED_FRAGMENT | NEED_DISCOVERY)"}
OF_SOCKETS = {"PACKET_NEEDS": "(NEED_PROTOCOL | NEED_PORTS | NEED_MARK | NEED_FRAGMENT | NEED_SOCKET)"}
FACTS = {"SOCKET_FACTS": "(FACT_CGROUPS | FACT_CGROUP | FACT_CHOICE)"}
FLOWS = {**FACTS, "FLOW_BUCKETS": "8", "FLOWS_LEARN": "(FOR_REPLIES | FOR_FORWARDED)"}
CGROUPS = {**FACTS, "CGROUPS_MAX": "1024", "CGROUP_LEVELS": "0x6", "CGROUP_NAMES": "0x1"}
CONNECTIONS = {**OF_SOCKETS, **FLOWS, "SOCKETS_IDLE": "1000ULL", "CGROUP_NAMES": "0x1"}
ATTRIBUTION = {**CONNECTIONS, **CGROUPS, **KERNEL, "CHOOSING_CGROUPS": "(1ULL << 1)"}
MARKS = {"MARKS_SOCKETS": "1"}
SEES = {"SEES_IPV4": "1", "SEES_IPV6": "1"}
PORTS = {"SOURCE_PORTS": "49152, 65535"}
CLAMPS = {"SOCKETS_OVERHEAD": "50", "CLAMPS_MSS": "1", "CLAMPS_EVERY_SOCKET": "1"}
CONTRACTS: dict[str, dict[str, str]] = {
    "encap_egress.h": PACKET,
    "encap_encapsulate.h": {**PACKET, **PORTS, "ROUTED": "0", "ANSWERS_TOO_BIG": "1", "LEARNS_PATH_MTU": "1"},
    "encap_path_mtu.h": {**PACKET, **PORTS},
    "encap_count_too_big.h": PACKET,
    "encap_segmentation.h": PACKET,
    "encap_fit.h": {**PACKET, "FIT_ARRIVALS": "1", "FIT_MATCHES": "1"},
    "encap_decapsulate.h": {**KERNEL, "REFUSED": "TC_ACT_SHOT"},
    "encap_fragments.h": PACKET,
    "encap_link_local.h": PACKET,
    "encap_packet_mss.h": PACKET,
    "encap_too_big.h": {**PACKET, "ROUTED": "ROUTED_AT_DEVICE"},
    "encap_next_hop.h": {"ROUTED": "ROUTED_AT_DEVICE"},
    "encap_routed.h": {"ROUTED": "ROUTED_AT_DEVICE"},
    "encap_vlan.h": {**KERNEL, "REFUSED": "TC_ACT_SHOT"},
    "encap_packet.h": {**OF_SOCKETS, **FACTS},
    "encap_flows.h": FLOWS,
    "encap_learned.h": {**PACKET, **FLOWS},
    "encap_socket.h": KERNEL,
    "encap_socket_facts.h": FACTS,
    "encap_choice.h": KERNEL,
    "encap_cgroups.h": {**CGROUPS, **KERNEL},
    "encap_connections.h": CONNECTIONS,
    "encap_attribution.h": ATTRIBUTION,
    "encap_socket_mss.h": {**ATTRIBUTION, **SEES, **CLAMPS},
    "encap_netns.h": KERNEL,
    "encap_unattached.h": {**ATTRIBUTION, **MARKS, **SEES},
    "encap_socket_options.h": {**KERNEL, "SOCKET_LEVEL": "0x40000000"},
    "encap_connect.h": {**KERNEL, **OF_SOCKETS, **FACTS, **MARKS, "CONNECT_NESTED": "1"},
}

# What a spec declares before the rooms of the library. A contract names the ones that its header reads.
DECLARED = {
    "struct host": """
struct host {
	__u64 cgroups, netns_cookie, packet_netns_cookie, socket_netns_cookie;
	__u32 mtu, lookup_ifindex, route_device, uplink_ifindex, redirect_mark;
	__u32 flow_seed, cgroup_level, cgroup_levels, attached[64], initial_netns, no_tx_checksum;
	__u8 identity[32];
};
const volatile struct host host SEC(".rodata.host") = {};
""",
    "struct learned": "struct learned {\n\t__u32 rule;\n\t__u32 stack;\n};\n",
    "struct counters": """
struct counters {
	struct counter egress_default, egress_unattached;
	struct egress_outcomes egress;
	struct flow_outcomes flows;
	struct ingress_outcomes ingress;
};
""",
    "counters_of_this_cpu()": """
static __always_inline struct counters *counters_of_this_cpu(void)
{
	return NULL;
}
""",
}
DECLARED["counter_at()"] = """
static __always_inline struct counter *counter_at(struct counters *first, __u32 place)
{
	return (void *)first + place;
}
"""
BEFORE = ("encap_bpf.h", "encap_address.h", "encap_counters.h")  # what a spec includes before it declares these

# What the header declares and leaves to the spec.
PROTOTYPE = re.compile(r"^static (\w+) (\w+\([^;{]*\));$", re.MULTILINE)

WARNINGS = [
    "-Wshadow", "-Wundef", "-Wvla", "-Wcomma", "-Wstrict-prototypes", "-Wmissing-field-initializers",
    "-Wconditional-uninitialized", "-Wunreachable-code", "-Wconversion", "-Wno-sign-conversion",
    "-Wno-implicit-int-conversion", "-Wno-shorten-64-to-32",
]  # fmt: skip


def compile_alone(header: Path, tmp_path: Path) -> str:
    """Compile a file that includes nothing but the header, and say what clang finds."""
    text = header.read_text()
    contract = text.partition("#pragma once")[0]
    before = "".join(f"#define {name} {value}\n" for name, value in CONTRACTS.get(header.name, {}).items())
    contracts = [contract, *(text.partition("#pragma once")[0] for text in included(text).values())]
    declared = [text for name, text in DECLARED.items() if any(name in contract for contract in contracts)]
    if declared:
        before += "".join(f'#include "{name}"\n' for name in BEFORE) + "".join(declared)
    after = '#pragma clang diagnostic ignored "-Wunused"\n#pragma clang diagnostic ignored "-Wunused-parameter"\n'
    for kind, function in PROTOTYPE.findall("".join((text, *included(text).values()))):
        after += f"static {kind} {function}\n{{\n{'' if kind == 'void' else 'return 0;'}\n}}\n"
    source = tmp_path / "alone.c"
    source.write_text(f'{before}#include "{header.name}"\n{after}')
    command = [*find_clang().command, *FLAGS, *WARNINGS, "-nostdinc", f"-I{header.parent}", "-c", str(source)]
    done = subprocess.run([*command, "-o", str(tmp_path / "alone.o")], capture_output=True, text=True, cwd=tmp_path)
    return done.stderr


@pytest.mark.parametrize("header", HEADERS, ids=lambda h: h.stem)
def test_a_header_compiles_alone(header: Path, tmp_path: Path) -> None:
    assert compile_alone(header, tmp_path) == "", f"what {header.name} needs is in its contract and in CONTRACTS"


def test_a_contract_is_written_at_the_top() -> None:
    """Each constant with what it means, and none that the header does not need."""
    for name, constants in CONTRACTS.items():
        text = (TEMPLATES / "include" / name).read_text()
        top, _, rest = text.partition("#pragma once")
        rest += "".join(included(text).values())
        for constant in constants:
            included_there = "".join(included(rest).values())
            assert re.search(rf"\b{constant}\b", top + included_there), f"{name}: {constant} is not explained"
            assert re.search(rf"\b{constant}\b", rest + included_there), f"{name}: {constant} is not needed"


@pytest.mark.parametrize("header", HEADERS, ids=lambda h: h.stem)
def test_a_header_reads_well(header: Path) -> None:
    text = header.read_text()
    assert text.startswith("/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */\n/*\n * ")
    assert "\n#pragma once\n" in text
    assert format_c(text, TEMPLATES / "clang-format.yaml") == text
    assert [line for line in text.splitlines() if len(line.expandtabs(8)) > COLUMNS] == []
    assert "{%" not in text and "{{ " not in text, "a header is no template"


def test_headers_on_the_wire_are_the_catalogues() -> None:
    assert (TEMPLATES / "include" / "encap_wire.h").read_text() == wire_header(), "run ./dev regen"


def test_a_bundle_has_the_headers_that_its_c_includes() -> None:
    for bundle in (path.parent for path in ROOT.glob("build/*/manifest.json")):
        text = (bundle / f"{bundle.name}.bpf.c").read_text()
        there = {path.name: path.read_text() for path in bundle.glob("encap_*.h")}
        assert there == included(text)
        for name, header in there.items():
            assert set(re.findall(r'#include "(.+)"', header)) <= set(there), name


# Lines of the C of each example: no more than these. They fall with everything that the library takes over.
MOST_LINES = {
    "gre-tenants": 349,
    "gue-dsr": 185,
    "gue-edge": 377,
    "gwlb": 440,
    "ipip-sites": 265,
    "teams": 648,
    "tenants-by-cgroup": 291,
    "two-by-row": 468,
    "vxlan-overlay": 397,
    "vxlan-return": 339,
}
MOST_LINES_TOGETHER = 3748


def lines_of(name: str) -> list[str]:
    return (ROOT / "build" / name / f"{name}.bpf.c").read_text().splitlines()


@pytest.mark.parametrize("name", sorted(MOST_LINES))
def test_the_c_of_a_spec_is_short(name: str) -> None:
    assert len(lines_of(name)) <= MOST_LINES[name]


def test_the_examples_together_are_short() -> None:
    assert sorted(MOST_LINES) == sorted(path.stem for path in (ROOT / "examples").glob("*.yaml"))
    assert sum(len(lines_of(name)) for name in MOST_LINES) <= MOST_LINES_TOGETHER


@pytest.mark.parametrize("name", sorted(MOST_LINES))
def test_no_line_is_long(name: str) -> None:
    folder = ROOT / "build" / name
    for path in folder.glob("*.[ch]"):
        assert [line for line in path.read_text().splitlines() if len(line.expandtabs(8)) > COLUMNS] == [], path.name
