/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where packets are sent by the route of their outer destination, and the route device: a device of
 * ours that inner packets are routed to. It has an instance of the egress program of its own, whose
 * `host.route_device` is its number.
 *
 * Requires before the include:
 *   ROUTED: of the flags below
 *   struct host: with ROUTED_AT_DEVICE route_device and redirect_mark
 */
#pragma once

#include "encap_bpf.h"

#define ROUTED_AT_UPLINKS (1 << 0) /* egress.next_hop: route */
#define ROUTED_AT_DEVICE (1 << 1) /* attach.route_device */

/* Whether this is the instance of the route device. */
static __always_inline bool on_route_device(void)
{
#if ROUTED & ROUTED_AT_DEVICE
	return host.route_device;
#else
	return false;
#endif
}

/*
 * Return the mark of a packet that is redirected to the ingress of its own device. The guard of the
 * route device lets in what has it: see encap_route_device.h.
 */
static __always_inline __u32 mark_of_redirected(void)
{
#if ROUTED & ROUTED_AT_DEVICE
	if (on_route_device())
		return host.redirect_mark;
#endif
	return 0;
}
