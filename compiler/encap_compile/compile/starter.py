"""The spec that `encap-compile init` writes: small, complete, and to be edited."""

SCHEMA = "encap.schema.json"  # written beside the spec: an editor takes the path from the spec's own folder
STARTER = (
    f"# yaml-language-server: $schema={SCHEMA}"
    + """
# IP in IP to two other sites. Compile: encap-compile {name}.yaml
apiVersion: encap/v1alpha1
name: {name}
kernel: "5.10"
host:
  uplink: device                                  # named on each machine: encapctl apply build/{name} --set uplink=eth0
  address: {{type: ip, default: uplink.address}}
attach: {{devices: [host.uplink]}}
encapsulations:
  ipip:                                           # as sent, outermost header first
    - ip: {{source: host.address, destination: endpoint.address}}
endpoints:
  sites:
    key: destination
    fields: {{address: ip}}
    encapsulation: ipip
    rows:
      - {{destination: 10.1.0.0/16, address: 192.0.2.10}}
      - {{destination: 10.2.0.0/16, address: 192.0.2.20}}
    capacity: 1000
egress:
  rules:
    - {{name: sites, match: {{destination: 10.0.0.0/8}}, to: sites}}
  default: pass
ingress:
  rules:
    - {{name: peers, decapsulate: ipip, from: sites.address}}
"""
)
