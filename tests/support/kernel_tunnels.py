"""The kernel's own tunnel devices, as `ip link add DEVICE type ...` makes them."""

from __future__ import annotations

GUE_PORT = 6080
_GUE = f"encap gue encap-sport auto encap-dport {GUE_PORT} noencap-csum noencap-remcsum"
TYPE = {
    "vxlan": "vxlan id {key} dstport 4789 local {local} remote {remote} nolearning udp6zerocsumrx",
    "vxlan-nocsum": "vxlan id {key} dstport 4789 local {local} remote {remote} nolearning "
    "noudpcsum udp6zerocsumtx udp6zerocsumrx",
    "ipip": "ipip local {local} remote {remote} mode ipip",
    "sit": "sit local {local} remote {remote} mode ip6ip",
    "ip6tnl-any": "ip6tnl local {local} remote {remote} mode any encaplimit none",
    "ip6tnl-ipip6": "ip6tnl local {local} remote {remote} mode ipip6 encaplimit none",
    "ip6tnl-ip6ip6": "ip6tnl local {local} remote {remote} mode ip6ip6 encaplimit none",
    "ip6tnl-any-limit": "ip6tnl local {local} remote {remote} mode any",
    "geneve": "geneve id {key} dstport 6081 remote {remote} udp6zerocsumrx",
    "geneve-nocsum": "geneve id {key} dstport 6081 remote {remote} noudpcsum",
    "ipip-gue": f"ipip local {{local}} remote {{remote}} mode ipip {_GUE}",
    "sit-gue": f"sit local {{local}} remote {{remote}} mode ip6ip {_GUE}",
    "ip6tnl-gue": f"ip6tnl local {{local}} remote {{remote}} mode any encaplimit none {_GUE}",
    "gre-gue": f"gre local {{local}} remote {{remote}} key {{key}} {_GUE}",
    "ip6gre-gue": f"ip6gre local {{local}} remote {{remote}} key {{key}} encaplimit none {_GUE}",
    "gre": "gre local {local} remote {remote} key {key}",
    "ip6gre": "ip6gre local {local} remote {remote} key {key} encaplimit none",
    "ip6gre-limit": "ip6gre local {local} remote {remote} key {key}",
}


def gue_port(verb: str, outer: int) -> str:
    """Where a namespace receives GUE is not the device's part: a line for `ip`, to add or delete it."""
    return f"fou {verb} port {GUE_PORT}{' gue' if verb == 'add' else ''}{' -6' if outer == 6 else ''}"
