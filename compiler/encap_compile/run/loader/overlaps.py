"""Where bundles that run on one device meet: which rules take each other's packets, and who runs first.

A packet passes the programs of a hook one after the other. What the first one encapsulates, the next one sees as an
outer packet; what the first one drops or decapsulates, the next one never sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ...common.diagnostics import Diagnostic, Severity
from ...common.record import Record
from ..kernel.devices import Device, devices
from ..kernel.hooks.base import Hook, Point
from ..kernel.hooks.choose import KINDS
from .beside import ASKS, CAPTURES, Beside, Rule, planned, running
from .boxes import Box, Ranges, only, prefixes
from .desired import Desired
from .observe import Observed

OVERLAPS = frozenset({"H142", "H143", "H144", "H145"})
SHOWN = 5  # findings of one kind about one other bundle
INNER = {4: 4, 6: 41}  # IP version -> the protocol number of it within IP
_TERMINAL = ("pass", *CAPTURES)
_WHOLE = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}


class Pair(NamedTuple):
    """Two bundles in the order in which packets meet them, with the device of each, one above the other or the same."""

    first: Beside
    later: Beside
    devices: tuple[tuple[int, int], ...]

    @property
    def where(self) -> str:
        names = [(self.first.devices[one], self.later.devices[other]) for one, other in self.devices]
        return ", ".join(a if a == b else f"{a} and then {b}" for a, b in names)


class _Finding(Record):
    code: str
    words: str
    whole: bool  # nothing is left over for the other: an error


def check_overlaps(desired: Desired, observed: Observed) -> list[Diagnostic]:
    """Compare a bundle with each other one that runs in this network namespace. Raises KernelError."""
    others = running(desired)
    if not others or not any(rule.action for rule in desired.manifest.rules):
        return []  # a bundle of the first release, which tells nothing of its rules
    here = planned(desired, observed)
    found = []
    for other in others:
        checks: list[tuple[Point, Callable[[Pair], Iterator[_Finding]]]] = [
            (Point.EGRESS, _captured),
            (Point.EGRESS, _outer),
            (Point.INGRESS, _received),
        ]
        each = [list(check(pair)) for point, check in checks for pair in _pairs(here, other, desired, observed, point)]
        each.append(list(_chosen(here, other)))
        for findings in each:
            findings.sort(key=lambda f: not f.whole)
            found += [_diagnostic(f, other) for f in findings[:SHOWN]]
    return found


def _diagnostic(finding: _Finding, other: Beside) -> Diagnostic:
    fix = (
        f"`--replace {other.name}` takes over what it runs, `encapctl remove {other.name}` detaches it; else keep the "
        "rules apart"
    )
    severity = Severity.ERROR if finding.whole else Severity.WARNING
    return Diagnostic(finding.code, finding.words, help=fix, severity=severity)


def _pairs(here: Beside, other: Beside, desired: Desired, observed: Observed, point: Point) -> list[Pair]:
    """The two in the order they run, for devices that one packet passes; two pairs where the order differs."""
    every = {d.index: d for d in devices().values()}
    orders: dict[bool, list[tuple[int, int]]] = {}
    for mine in here.devices:
        for its in other.devices:
            if mine == its:
                first = _runs_first(here, other, desired, observed, Hook(mine, point))
            elif _above(every, mine, its) or _above(every, its, mine):
                # What leaves passes the upper device first, what arrives the lower one.
                first = _above(every, mine, its) is (point is Point.EGRESS)
            else:
                continue
            orders.setdefault(first, []).append((mine, its) if first else (its, mine))
    return [
        Pair(here, other, tuple(sorted(found))) if first else Pair(other, here, tuple(sorted(found)))
        for first, found in orders.items()
    ]


def _above(every: Mapping[int, Device], upper: int, lower: int) -> bool:
    """Whether packets of one device leave by another: a VLAN over it, the bond or bridge that it belongs to."""
    seen: set[int] = set()
    going = {upper}
    while going:
        seen |= going
        below = {every[n].lower for n in going if n in every and every[n].lower}
        below |= {d.index for d in every.values() if d.master in going and d.master_kind != "vrf"}
        if lower in below:
            return True
        going = below - seen
    return False


def _runs_first(here: Beside, other: Beside, desired: Desired, observed: Observed, hook: Hook) -> bool:
    programs = observed.hooks.get(hook, [])
    order = [p.program_id for p in programs]
    theirs = next((i for i, number in enumerate(order) if number in other.programs), None)
    ours = next((i for i, number in enumerate(order) if number in here.programs), None)
    if theirs is None or ours is not None:
        return ours is not None and (theirs is None or ours < theirs)
    # A new TCX program goes behind those that are there; a new filter precedes the others of its priority.
    kinds = list(KINDS)
    mine, its = kinds.index(desired.attach.name), kinds.index(programs[theirs].kind)
    return mine < its or (mine == its and desired.attach.name == "clsact")


def _captured(pair: Pair) -> Iterator[_Finding]:
    """H142: packets that the first one's rules take, and that rules of the later one are for."""
    first, later = pair.first.egress, pair.later.egress
    met: dict[int, list[int]] = {}
    for i, j in _meeting(first, later):
        met.setdefault(j, []).append(i)
    count = 0
    for j, early in sorted(met.items()):
        rule = later[j]
        if rule.action not in ASKS or rule.name == "default":
            continue
        before: list[Rule] = []
        for i in sorted(early):
            taker = first[i]
            both = taker.box.meets(rule.box) if taker.action in _TERMINAL else None
            if both is None:
                continue
            if taker.action in CAPTURES and not _decided(before, both) and not _decided(later[:j], both):
                word = "drops" if taker.action == "drop" else "takes"
                words = (
                    f"on {pair.where}, {pair.first.name} runs before {pair.later.name}: its rule {taker.name} "
                    f"({taker.place}) {word} {both.text()}, which rule {rule.name} ({rule.place}) of "
                    f"{pair.later.name} is for"
                )
                same = taker.text == rule.text or (taker.exact and rule.exact)
                yield _Finding("H142", words, same and taker.box.covers(rule.box))
                count += 1
            before.append(taker)
        if count > SHOWN:
            return


def _decided(rules: Sequence[Rule], box: Box) -> bool:
    """Whether a rule before decides all of these packets."""
    return any(r.action in _TERMINAL and r.box.covers(box) for r in rules)


def _meeting(some: Sequence[Rule], others: Sequence[Rule]) -> set[tuple[int, int]]:
    """The pairs of rules whose destinations meet; sorted by where they begin, so that a thousand rules are quick."""
    everything = ((0, 1 << 140),)
    starts = [
        (low, high, side, i)
        for side, rules in enumerate((some, others))
        for i, rule in enumerate(rules)
        for low, high in rule.box.words.get("destination", everything)
    ]
    found: set[tuple[int, int]] = set()
    going: list[list[tuple[int, int]]] = [[], []]
    for low, high, side, i in sorted(starts):
        going[1 - side] = [(end, j) for end, j in going[1 - side] if end >= low]
        found |= {(i, j) if side == 0 else (j, i) for _, j in going[1 - side]}
        going[side].append((high, i))
    return found


def _outer(pair: Pair) -> Iterator[_Finding]:
    """H143: what one bundle has encapsulated is taken by the rules of the other, which sees it afterwards."""
    yield from _outer_of(pair.first, pair.later, pair)
    if pair.later.manifest.next_hop == "route":  # what is redirected passes the whole hook once more
        yield from _outer_of(pair.later, pair.first, pair)


def _outer_of(sender: Beside, other: Beside, pair: Pair) -> Iterator[_Finding]:
    if not any(rule.action in ("encapsulate", "socket", "reflect") for rule in sender.egress):
        return
    for signature in dict.fromkeys(sender.manifest.signatures.values()):
        family, protocols, _, port = _parts(signature)
        if _known_as_own(sender, other, signature):
            continue
        endpoints = sender.endpoints
        whole = prefixes([_WHOLE[family]])
        outer = (
            Box({"destination": whole}).narrowed(endpoints) if endpoints is not None else Box({"destination": whole})
        )
        if outer is None:
            continue  # no row of that family
        outer = only(outer, "protocol", _carried(sender, protocols))
        outer = only(outer, "destination_port", [port]) if port >= 0 else outer
        sources = _sources(sender, family)
        outer = Box({**outer.words, "source": sources}) if sources else outer
        for rule in other.egress:
            both = rule.box.meets(outer) if rule.action in _TERMINAL else None
            if both is None:
                continue
            whole_of_it = rule.box.covers(outer)
            if rule.action in CAPTURES and (whole_of_it or endpoints is not None):
                fate = "dropped" if rule.action == "drop" else "encapsulated once more"
                words = (
                    f"on {pair.where}, what {sender.name} has encapsulated ({signature_words(signature)}) is {fate} by "
                    f"rule {rule.name} ({rule.place}) of {other.name}"
                )
                yield _Finding("H143", words, whole_of_it)
                break
            if whole_of_it:
                break


def _carried(sender: Beside, protocols: list[int]) -> list[int]:
    """Of the protocols that name the inner family (IP in IP), those of families that the rules encapsulate."""
    if protocols != list(INNER.values()):
        return protocols
    boxes = [r.box for r in sender.egress if r.action in ("encapsulate", "socket", "reflect")]
    families = {family for box in boxes for family in box.families}
    return [number for family, number in INNER.items() if family in families]


def _known_as_own(sender: Beside, other: Beside, signature: str) -> bool:
    """Whether the other takes the sender's packets for encapsulated already: all of stack and addresses fit."""
    if signature not in other.manifest.signatures.values() or not other.manifest.own_addresses:
        return False
    mine = frozenset[str]().union(*sender.own.values())
    theirs = frozenset[str]().union(*other.own.values())
    if not mine <= theirs or sender.endpoints is None or other.endpoints is None:
        return False
    return Box({"destination": other.endpoints}).covers(Box({"destination": sender.endpoints}))


def _sources(sender: Beside, family: str) -> Ranges:
    version = ":" if family == "ipv6" else "."
    return prefixes(address for own in sender.own.values() for address in own if version in address)


def _received(pair: Pair) -> Iterator[_Finding]:
    """H144: both look for the same stack on the same own address; the first one decides."""
    theirs = [rule for rule in pair.later.manifest.rules if rule.direction == "ingress"]
    for rule in (r for r in pair.first.manifest.rules if r.direction == "ingress"):
        shared = next(
            (r for r in theirs if set(r.match.get("received", ())) & set(rule.match.get("received", ()))), None
        )
        if shared is None or not any(_same_address(pair, one, other) for one, other in pair.devices):
            continue
        signature = next(s for s in rule.match["received"] if s in shared.match["received"])
        drops = rule.on_miss == "drop"
        what = "drops what fits none of its own rules" if drops else "takes what fits its own rules"
        words = (
            f"on {pair.where}, both {pair.first.name} (rule {rule.name}, {rule.place}) and {pair.later.name} (rule "
            f"{shared.name}, {shared.place}) receive {signature_words(signature)}: {pair.first.name} runs first and "
            f"{what}"
        )
        yield _Finding("H144", words, drops)
        return


def _same_address(pair: Pair, one: int, other: int) -> bool:
    some, others = pair.first.own.get(one), pair.later.own.get(other)
    return not some or not others or bool(some & others)


def _chosen(here: Beside, other: Beside) -> Iterator[_Finding]:
    """H145: connect rules of both choose for the same sockets."""
    for rule in here.connect:
        for theirs in other.connect:
            if rule.action == theirs.action == "choose" and rule.box.meets(theirs.box) is not None:
                words = (
                    f"rule {rule.name} ({rule.place}) and rule {theirs.name} ({theirs.place}) of {other.name} choose "
                    "for the same sockets: the program that runs first at egress decides"
                )
                yield _Finding("H145", words, False)
                return


def signature_words(signature: str) -> str:
    """`UDP port 4789 over IPv4`, for people."""
    family, _, words, port = _parts(signature)
    over = f"over IP{family.removeprefix('ip')}"
    return f"UDP port {port} {over}" if port >= 0 else f"IP protocol {words.replace(',', ' or ')} {over}"


def _parts(signature: str) -> tuple[str, list[int], str, int]:
    family, protocols, *port = signature.split()
    return family, [int(p) for p in protocols.split(",")], protocols, int(port[0]) if port else -1
