"""The verifier's log becomes a line of the C and a part of the spec."""

from __future__ import annotations

from encap_compile.run.kernel.verifier import function_at, rejection, spec_path

C_TEXT = """\
/* encapsulations.vxlan: ipv4 / udp */
static int push(struct __sk_buff *skb)
{
	return 0;
}

/* the order of egress.rules */
SEC("tc")
int overlay_egress(struct __sk_buff *skb)
{
	/* egress.rules.web */
	if (port == 443)
		return push(skb);
	return data[100];
}
"""
NEW = """\
libbpf: prog 'overlay_egress': BPF program load failed: Permission denied
libbpf: prog 'overlay_egress': -- BEGIN PROG LOAD LOG --
func#0 @0
0: R1=ctx() R10=fp0
; return data[100]; @ overlay.bpf.c:14
3: (71) r0 = *(u8 *)(r1 +100)
invalid access to packet, off=100 size=1, R1(id=0,off=100,r=0)
R1 offset is outside of the packet
processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'overlay_egress': failed to load: -13
"""


def test_a_log_that_names_the_line() -> None:
    found = rejection(NEW, C_TEXT)
    assert found is not None
    assert (found.program, found.line, found.source) == ("overlay_egress", 14, "return data[100];")
    assert found.reason == "R1 offset is outside of the packet"


def test_a_log_of_an_older_kernel_has_only_the_text() -> None:
    found = rejection(NEW.replace(" @ overlay.bpf.c:14", ""), C_TEXT)
    assert found is not None and found.line == 14


def test_a_text_that_is_there_twice_is_no_place() -> None:
    found = rejection(NEW.replace(" @ overlay.bpf.c:14", ""), C_TEXT + "\treturn data[100];\n")
    assert found is not None and found.line == 0


def test_no_verifier_log() -> None:
    assert rejection("libbpf: elf: no such section\n", C_TEXT) is None


def test_the_part_of_the_spec_is_the_nearest_above_in_the_function() -> None:
    assert spec_path(C_TEXT, 14) == "egress.rules.web"
    assert spec_path(C_TEXT, 10) == "egress.rules"
    assert spec_path(C_TEXT, 4) == "encapsulations.vxlan"
    assert spec_path(C_TEXT.replace("egress.rules.web", "rule web"), 14) == "egress.rules"
    assert spec_path("}\nstatic int f(void)\n{\n}\n", 3) == ""


def test_the_function_of_a_line() -> None:
    assert function_at(C_TEXT, 14) == "overlay_egress"
    assert function_at(C_TEXT, 4) == "push"
