"""The whole program."""

from typing import NamedTuple

from .attribution import Attribution
from .conditions import PrefixSet
from .constants import ConstantGroup
from .counters import CounterMember, CounterSlot
from .egress import EgressProgram, NamedRow
from .fit import Fit
from .guard import Guard
from .ingress import Decapsulation, FlowTable, IngressProgram, IngressRule
from .layouts import Stack
from .learning import Reply
from .maps import AddressMap, HostMember, TableMap
from .own_stacks import Signature
from .packet import PacketNeeds


class Program(NamedTuple):
    name: str
    c_name: str
    titles: tuple[str, ...]  # a line for each encapsulation
    spec_file: str
    kernel: str
    compiler: str
    includes: tuple[str, ...]
    library: tuple[str, ...]  # headers of the library that read what the spec defines before them
    constants: tuple[ConstantGroup, ...]
    sets: tuple[PrefixSet, ...]
    named_rows: tuple[NamedRow, ...]
    named_stacks: tuple[Stack, ...]  # that rows or flows name
    stacks: tuple[Stack, ...]
    signatures: tuple[Signature, ...]  # of the stacks, one for each
    replies: tuple[Reply, ...]
    host: tuple[HostMember, ...]
    tables: tuple[TableMap, ...]
    unread_tables: tuple[TableMap, ...]  # compiled in and looked up by nothing: sets of addresses are taken from them
    address_maps: tuple[AddressMap, ...]
    counters: tuple[CounterMember, ...]
    counter_slots: tuple[CounterSlot, ...]
    counters_size: int  # bytes of each value of their map
    counter_entries: int  # of this map; in more than one, a rule's counter is found by its place
    packet: PacketNeeds
    egress: EgressProgram
    guard: Guard | None  # for other devices
    ingress: IngressProgram | None
    flows: FlowTable | None
    attribution: Attribution | None
    clamps: bool  # the MSS of the flows that are encapsulated
    fit: Fit | None

    @property
    def decapsulations(self) -> tuple[Decapsulation, ...]:
        return self.ingress.decapsulations if self.ingress else ()

    @property
    def parses(self) -> bool:
        """Whether any program looks into inner packets."""
        return self.egress.needed or any(d.parses for d in self.decapsulations)

    @property
    def ingress_rules(self) -> tuple[IngressRule, ...]:
        return self.ingress.rules if self.ingress else ()
