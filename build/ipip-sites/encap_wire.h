/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Headers on the wire, in network byte order. Written by `./dev regen` from the descriptions in
 * compiler/encap_compile/compile/headers/protocols/.
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"

/* Ethernet II: IEEE 802.3; RFC 894, RFC 2464 */
struct ethernet_header {
	struct mac_address destination;
	struct mac_address source;
	__be16 type;
};

/* Generic Network Virtualization Encapsulation: RFC 8926, section 3.4 */
struct geneve_header {
	__u8 version_length; /* version 2, option_length 6 */
	__u8 flags; /* control 1, critical 1, reserved1 6 */
	__be16 protocol;
	__be32 vni; /* vni 24, reserved2 8 */
};

/* Generic Routing Encapsulation: RFC 2784, RFC 2890 */
struct gre_header {
	/*
	 * checksum_present 1, routing_present 1, key_present 1, sequence_present 1, reserved0 2,
	 * reserved1 7, version 3
	 */
	__be16 flags_version;
	__be16 protocol;
};

/* Generic Routing Encapsulation: RFC 2784, RFC 2890 */
struct gre_key_header {
	/*
	 * checksum_present 1, routing_present 1, key_present 1, sequence_present 1, reserved0 2,
	 * reserved1 7, version 3
	 */
	__be16 flags_version;
	__be16 protocol;
	__be32 key;
};

/* Generic UDP Encapsulation: draft-ietf-intarea-gue-09, section 3 */
struct gue_header {
	__u8 version_length; /* variant 2, control 1, hlen 5 */
	__u8 protocol;
	__be16 flags;
};

/* Internet Protocol, version 4: RFC 791 */
struct ipv4_header {
	__u8 version_ihl; /* version 4, ihl 4 */
	__u8 tos; /* dscp 6, ecn 2 */
	__be16 total_length;
	__be16 id;
	__be16 fragment; /* reserved 1, df 1, mf 1, fragment_offset 13 */
	__u8 ttl;
	__u8 protocol;
	__sum16 checksum;
	__be32 saddr;
	__be32 daddr;
};

/* Internet Protocol, version 6: RFC 8200, section 3 */
struct ipv6_header {
	__be32 version_class_label; /* version 4, dscp 6, ecn 2, flow_label 20 */
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	struct ipv6_address saddr;
	struct ipv6_address daddr;
};

/* User Datagram Protocol: RFC 768 */
struct udp_header {
	__be16 source_port;
	__be16 destination_port;
	__be16 length;
	__be16 checksum;
};

/* Virtual eXtensible Local Area Network: RFC 7348, section 5 */
struct vxlan_header {
	__be32 flags; /* flags 8, reserved1 24 */
	__be32 vni; /* vni 24, reserved2 8 */
};
