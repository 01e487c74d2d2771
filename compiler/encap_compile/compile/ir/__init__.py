"""The Program: everything decided, nothing optional, nothing to parse. Templates read only this and decide nothing.

`lower` builds it from a checked `Spec`. Names are C identifiers; widths are bits, sizes and offsets bytes; numbers
are in host byte order and become network order where the C says so. Named tuples, because as dataclasses they
would cost a fifth of a cold start; and annotations are not postponed, because a named tuple would compile each text.
"""

from .attribution import Attribution as Attribution
from .attribution import CgroupBit as CgroupBit
from .attribution import ConnectRule as ConnectRule
from .attribution import SocketRule as SocketRule
from .attribution import SocketTable as SocketTable
from .conditions import Condition as Condition
from .conditions import InCgroups as InCgroups
from .conditions import InPrefixes as InPrefixes
from .conditions import InPrefixMap as InPrefixMap
from .conditions import InRanges as InRanges
from .conditions import IsFamily as IsFamily
from .conditions import PrefixSet as PrefixSet
from .constants import ConstantGroup as ConstantGroup
from .constants import NamedConstant as NamedConstant
from .contract import ContractConnect as ContractConnect
from .contract import ContractRow as ContractRow
from .contract import ContractRule as ContractRule
from .contract import ContractTable as ContractTable
from .contract import SocketContract as SocketContract
from .counters import Counted as Counted
from .counters import CounterMember as CounterMember
from .counters import CounterSlot as CounterSlot
from .counters import Direction as Direction
from .counters import Outcome as Outcome
from .egress import Choice as Choice
from .egress import Dispatch as Dispatch
from .egress import EgressProgram as EgressProgram
from .egress import EgressRule as EgressRule
from .egress import Encapsulator as Encapsulator
from .egress import Signature as Signature
from .egress import TunnelEndpoint as TunnelEndpoint
from .egress import verb as verb
from .fit import Answer as Answer
from .fit import Fit as Fit
from .ingress import Decapsulator as Decapsulator
from .ingress import FlowTable as FlowTable
from .ingress import Identifier as Identifier
from .ingress import IngressProgram as IngressProgram
from .ingress import IngressRule as IngressRule
from .ingress import LengthCheck as LengthCheck
from .ingress import Mark as Mark
from .ingress import WordCheck as WordCheck
from .layouts import Layer as Layer
from .layouts import Option as Option
from .layouts import Options as Options
from .layouts import Part as Part
from .layouts import Stack as Stack
from .layouts import Tail as Tail
from .layouts import WordLayout as WordLayout
from .learning import Learn as Learn
from .learning import LearnedField as LearnedField
from .learning import LearnedOption as LearnedOption
from .levels import Level as Level
from .levels import level as level
from .levels import levels as levels
from .maps import AddressMap as AddressMap
from .maps import FixedRow as FixedRow
from .maps import HostMember as HostMember
from .maps import StructMember as StructMember
from .maps import TableMap as TableMap
from .packet import PacketNeeds as PacketNeeds
from .program import Program as Program
from .sources import ByInnerFamily as ByInnerFamily
from .sources import FromFlow as FromFlow
from .sources import FromHost as FromHost
from .sources import FromInner as FromInner
from .sources import FromRow as FromRow
from .sources import HeaderChecksum as HeaderChecksum
from .sources import LengthFrom as LengthFrom
from .sources import Literal as Literal
from .sources import Source as Source
