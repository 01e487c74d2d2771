"""What is wrong with a header's description, each with what to write instead. Checked when the catalogue is loaded.

What these rules forbid would not fail in the generator: it would overwrite a neighbouring field on the wire, put
padding into a struct, or count two refusals as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, combinations
from re import compile as pattern

from .field_mistakes import field_mistakes, variable_mistakes
from .model import Field, FromSpec, Header, InternetChecksum, NextProtocol, Scope, Space, Word

NAME = pattern(r"[a-z][a-z0-9]*(_[a-z0-9]*[a-z][a-z0-9]*)*")  # no `_2` at the end: that is a stack's second of a name
ALIGNED = {8: 1, 16: 2, 32: 4, 48: 2, 128: 4}  # bits of a struct member -> its alignment in bytes
WIDE = {48: "mac", 128: "ipv6"}  # bits of words that are one value -> its type
# Bytes: eight headers with the longest parts are less than one call of the helper adds (BPF_SKB_MAX_LEN_DIFF, 0xfff).
LONGEST = 256
SPACES = {Space.ETHERTYPE: 16, Space.IP_PROTOCOL: 8, Space.UDP_PORT: 16}
TAKEN = {
    "truncated",
    "length",
    "payload",
    "source",
    "match",
    "ecn",
    "gso",
    "pull_failed",
    "vlan",
}  # refusals of no header
_C_WORDS = """auto bool break case char const continue default do double else enum extern float for goto if inline int
long register restrict return short signed sizeof static struct switch typedef typeof union unsigned void volatile
while asm"""
C_WORDS = frozenset(_C_WORDS.split())
FAMILIES = ("ipv4", "ipv6")


def mistakes(header: Header) -> Iterator[str]:
    """Everything that is wrong with one description by itself, as `PLACE: what: what to write`."""
    yield from _names(header)
    if not header.words:
        yield "words: there are none: write at least one Word"
    for word in header.words:
        yield from _word(header, word)
    yield from _layout(header)
    if header.variable is not None:
        yield from variable_mistakes(header)
    yield from _neighbours(header)


def _names(header: Header) -> Iterator[str]:
    if not NAME.fullmatch(header.name) or header.name == "ip" or header.name in C_WORDS:
        yield f"name: `{header.name}` cannot be a header's: write lower case words joined by `_`, like `vxlan_gpe`"
    words = [w.name for w in header.words]
    fields = [f.name for f in header.everything()]
    for kind, names in (("word", words), ("field", fields)):
        for name in dict.fromkeys(names):
            if not NAME.fullmatch(name) or name in C_WORDS:
                yield f"{name}: cannot be a {kind}'s name: write lower case words joined by `_`"
            if names.count(name) > 1:
                yield f"{name}: two {kind}s of one name: rename one"
    reasons = [w.refusal or f"{header.name}_{w.name}" for w in header.words]
    reasons += [f.refusal for f in header.fields() if f.refusal]
    for reason in dict.fromkeys(reasons):
        if reasons.count(reason) > 1:
            yield f"{reason}: two refusals of one name share a counter: write another `refusal`"
        if reason in TAKEN:
            yield f'{reason}: is a refusal that every stack has: write `refusal="{header.name}_{reason}"`'
        if not NAME.fullmatch(reason):
            yield f"{reason}: cannot be a refusal: write lower case words joined by `_`"


def _word(header: Header, word: Word) -> Iterator[str]:
    if word.bits not in ALIGNED:
        yield (
            f"{word.name}: {word.bits} bits do not make a C member: make words of 8, 16, 32, 48 (a MAC address) or 128 "
            "bits (an IPv6 address)"
        )
    elif word.bits in WIDE:
        first = word.fields[0]
        if len(word.fields) > 1 or not isinstance(first.role, FromSpec) or first.role.type != WIDE[word.bits]:
            yield (
                f"{word.name}: a word of {word.bits} bits is one field of type {WIDE[word.bits]}: split it into words "
                "of 32, 16 and 8 bits"
            )
    for field in word.fields:
        yield from field_mistakes(header, word, field)


def _layout(header: Header) -> Iterator[str]:
    """No C compiler may put padding into the struct, whichever optional words there are."""
    optional = [w.optional_field for w in header.words if w.optional_field]
    if any(w.bits not in ALIGNED for w in header.words):
        return
    said = set()
    for given in chain.from_iterable(combinations(optional, n) for n in range(len(optional) + 1)):
        words = [w for w in header.words if not w.optional_field or w.optional_field in given]
        at = 0
        for word in words:
            need = ALIGNED[word.bits]
            if at % need and word.name not in said:
                said.add(word.name)
                yield (
                    f"{word.name}: stands at byte {at}, and a word of {word.bits} bits at a multiple of {need}: "
                    f"split it into words of {8 if at % 2 else 16} bits, or reorder what is before it"
                )
            at += word.size
        widest = max((ALIGNED[w.bits] for w in words), default=1)
        if at % widest and not said:
            said.add("")
            left = 8 * (at % widest)
            yield f"words: {at} bytes with a word of {8 * widest} bits: split that into words of {left} bits"
        if at > LONGEST:
            yield f"words: {at} bytes are more than a header can have: write at most {LONGEST}"


def _neighbours(header: Header) -> Iterator[str]:
    nexts = [f for f in header.fields() if isinstance(f.role, NextProtocol)]
    if len(nexts) > 1:
        yield f"{nexts[1].name}: a second field that names what follows: keep one NextProtocol"
    if not nexts and len(header.carries) != 1:
        yield 'carries: nothing names what follows: write a NextProtocol field, or carries=("ethernet",)'
    if not nexts and set(header.carries) & set(FAMILIES):
        yield "carries: an IP packet of either family may follow, and nothing names it: write a NextProtocol field"
    for field in header.fields():
        if isinstance(field.role, InternetChecksum):
            yield from _checksum(header, field, field.role)


def _checksum(header: Header, field: Field, role: InternetChecksum) -> Iterator[str]:
    """What the program cannot sum up yet."""
    if role.scope is not Scope.HEADER:
        over = "the payload" if role.scope is Scope.PAYLOAD else "the payload and a pseudo-header"
        yield (
            f"{field.name}: a checksum over {over} is neither sent nor checked by the program yet: "
            'where zero means none, write FromSpec("keyword", keywords=("zero",)); else the header cannot be sent yet'
        )
    elif header.variable is not None:
        yield f"{field.name}: a checksum over a variable-length part is not sent yet: leave `variable` out"
    elif any(w.bits in WIDE for w in header.words):
        yield f"{field.name}: a checksum over words of {' or '.join(map(str, WIDE))} bits is not sent yet: split them"
    elif sum(w.size for w in header.words) % 2:
        yield f"{field.name}: a checksum is over words of 16 bits: add 8 bits to the header"


def mistakes_together(known: Mapping[str, Header]) -> Iterator[tuple[str, str]]:
    """(header, mistake) of what one description says of others: numbers, names, refusals."""
    stated: dict[tuple[str, str], int] = {}
    for header in known.values():
        for field in header.fields():
            role = field.role
            if not isinstance(role, NextProtocol):
                continue
            for name, number in role.numbers.items():
                other = stated.setdefault((role.space, name), number)
                if other != number:
                    yield header.name, f"{field.name}: {name} is {number} here and {other} elsewhere: correct one"
    spaces = set(SPACES) | {space for space, _ in stated}
    for header in known.values():
        for space, number in header.announced_as.items():
            if space not in spaces:
                yield (
                    header.name,
                    f"announced_as: no header names another in the space `{space}`: one of {_listed(spaces)}",
                )
            elif not 0 <= number < 1 << SPACES.get(space, 32):  # type: ignore[call-overload]
                yield (
                    header.name,
                    f"announced_as: {number} is no number of {space}: write one of {SPACES[Space(space)]} bits",
                )
        for name in header.carries:
            if name not in known:
                yield header.name, f"carries: there is no header `{name}`: one of {_listed(known)}"
        for field in header.fields():
            if isinstance(field.role, NextProtocol):
                for mistake in _space(field.role, field.bits, header, known, spaces):
                    yield header.name, f"{field.name}: {mistake}"
    yield from _refusals(known)
    named = {name for h in known.values() for name in h.carries}
    for header in known.values():
        if not header.announced_as and header.name not in named and not any(name == header.name for _, name in stated):
            yield header.name, "announced_as: nothing can announce it: write the number that names it, by its space"


def _space(
    role: NextProtocol, bits: int, header: Header, known: Mapping[str, Header], spaces: set[str]
) -> Iterator[str]:
    """Every number of a space that a header claims."""
    if role.space not in spaces:
        yield f'the space `{role.space}` has no numbers: state them, like numbers={{"ipv4": 1, "ipv6": 2}}'
        return
    if role.numbers and role.space in SPACES:
        yield f"{role.space} is not the header's own: give each header its number in `announced_as`, or name the space"
    if role.space in SPACES and bits != SPACES[Space(role.space)]:
        yield f"{bits} bits, and {role.space} has {SPACES[Space(role.space)]}: make the field of that width"
    if role.settable and role.space != Space.UDP_PORT:
        yield "a spec can set a UDP port alone: leave `settable` out"
    numbers: dict[int, str] = {}
    for name, number in role.numbers.items():
        if name not in known:
            yield f"there is no header `{name}` to have a number: one of {_listed(known)}"
        if not 0 <= number < 1 << bits:
            yield f"the number {number} of {name} does not fit into {bits} bits: widen the field, or correct the number"
        if numbers.setdefault(number, name) != name:
            yield f"{number} is the number of {numbers[number]} and of {name}: correct one"
    inner = [f for f in FAMILIES if f in known and role.space in known[f].announced_as]
    if len(inner) == 1:
        other = FAMILIES[1 - FAMILIES.index(inner[0])]
        yield f"{inner[0]} has a number in {role.space} and {other} has none: state that too"
    missing = [n for n in header.carries if n in known and role.space not in known[n].announced_as]
    if missing:
        yield f"{missing[0]} has no number in {role.space}, which must name it: state it"


def _refusals(known: Mapping[str, Header]) -> Iterator[tuple[str, str]]:
    """A received packet's refusal is counted by name: two headers of one would share it."""
    said: dict[str, str] = {}
    for header in known.values():
        reasons = {w.refusal or f"{header.name}_{w.name}" for w in header.words}
        for reason in sorted(reasons | {f.refusal for f in header.fields() if f.refusal}):
            if said.setdefault(reason, header.name) != header.name:
                yield header.name, f"{reason}: {said[reason]} has a refusal of that name: write another `refusal`"


def _listed(names: object) -> str:
    return ", ".join(sorted(str(n) for n in names))  # type: ignore[attr-defined]
