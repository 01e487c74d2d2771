"""The two small programs that the benchmark needs, built by the pinned clang."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.pinned_compiler import BPF, compile_c

DROP = """
struct __sk_buff;
__attribute__((section("classifier"), used)) int drop(struct __sk_buff *skb) { return 2; /* TC_ACT_SHOT */ }
__attribute__((section("license"), used)) char _license[] = "GPL";
"""

# Making room for VXLAN over IPv4 and nothing else: what every program that encapsulates here must pay. The flags are
# FIXED_GSO, ENCAP_L3_IPV4, ENCAP_L4_UDP and ENCAP_L2(14).
MAKE_ROOM = """
typedef unsigned int u32; typedef unsigned long long u64; typedef int s32;
struct __sk_buff;
static long (*adjust_room)(struct __sk_buff *skb, s32 length, u32 mode, u64 flags) = (void *)50;
__attribute__((section("classifier"), used)) int make_room(struct __sk_buff *skb)
{
    return adjust_room(skb, 50, 1, 1 | 2 | 16 | 14ULL << 56) ? 2 : -1;
}
__attribute__((section("license"), used)) char _license[] = "GPL";
"""


def build_tool(cache: Path, name: str) -> Path:
    """A program of this folder; kept in `cache`, because building it takes longer than a round of measuring."""
    source, target = Path(__file__).with_name(f"{name}.c"), cache / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        cache.mkdir(parents=True, exist_ok=True)
        made = target.with_suffix(f".{os.getpid()}")
        compile_c(["-O2", "-s", source, "-o", made], cache / "zig")
        made.rename(target)
    return target


def build_program(folder: Path, name: str, text: str) -> Path:
    """A TC program as an object that the tc command loads."""
    source, target = folder / f"{name}.c", folder / f"{name}.o"
    source.write_text(text)
    compile_c(["-O2", "-c", source, "-o", target], folder / "zig", BPF)
    return target
