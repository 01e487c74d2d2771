/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * VLAN tags of inner frames: IEEE 802.1Q, 9.6. A tag of VLAN 0 names no VLAN and carries a
 * priority alone. Linux accepts such a frame as if it had no tag, and so does a program where it
 * decapsulates.
 */
#pragma once

#include "encap_bpf.h"

#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define VLAN_VID_MASK 0x0fff

struct vlan_tag {
	__be16 control; /* priority 3, drop eligible 1, VLAN 12 */
	__be16 type; /* what follows */
};
