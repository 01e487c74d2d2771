"""What a program asks of a kernel."""

from __future__ import annotations

from .. import ir


def features(program: ir.Program) -> dict[str, str]:
    """What the program asks of a kernel, with the version that brought it."""
    found = {}
    if program.egress.encapsulators or program.ingress:
        found["bpf_skb_adjust_room for tunnels"] = "5.2"
    if program.egress.encapsulators:
        found["gso_size in __sk_buff"] = "5.7"
    if program.egress.looks_up_routes:
        found["bpf_fib_lookup"] = "4.18"
        found["bpf_jiffies64"] = "5.6"
        found["bpf_redirect_neigh"] = "5.10"
    if any("BPF_F_ADJ_ROOM_ENCAP_L2_ETH" in s.tc_flags for s in program.stacks):
        found["inner Ethernet in bpf_skb_adjust_room"] = "5.13"
    if program.decapsulations and program.ingress and program.ingress.family_change is ir.FamilyChange.FLAGS:
        found["BPF_F_ADJ_ROOM_DECAP_L3"] = "6.3"
    if program.attribution:
        found["socket storage in TC programs"] = "5.2"
    if program.attribution and program.attribution.levels:
        found["bpf_skb_ancestor_cgroup_id"] = "4.19"
    if program.attribution and program.attribution.rules:
        found["links to cgroup hooks"] = "5.7"
    if program.attribution and program.attribution.marks:
        found["socket storage in programs for new sockets"] = "5.9"
    if program.attribution and program.attribution.errno:
        found["bpf_set_retval"] = "5.18"
    if program.attribution and program.attribution.mptcp:
        found["bpf_skc_to_mptcp_sock"] = "5.19"
    return found
