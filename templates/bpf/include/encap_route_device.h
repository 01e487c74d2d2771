/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What becomes of packets on the route device that are not encapsulated.
 *
 * Nothing arrives there but what its egress program redirected to it. The device is a tunnel
 * device, so what comes from the network to its port would otherwise be received by it, and by
 * local sockets, past every rule.
 *
 * A packet is known by its mark, a secret of the machine's boot. bpf_redirect to a device of the
 * same network namespace keeps the mark (skb_scrub_packet), and so does the tunnel device's receive
 * path: what comes from the network has no mark, or one that this host's own filters gave it. Those
 * would have to guess 32 bits. The guard clears the mark.
 *
 * Requires before the include:
 *   struct counters: egress, ingress; counters_of_this_cpu()
 *   struct host: redirect_mark
 */
#pragma once

#include "encap_bpf.h"
#include "encap_counters.h"

/*
 * Drop a packet that was routed to the device and that no rule encapsulates: it cannot go on to its
 * own destination, because the device leads nowhere else.
 */
static __always_inline int drop_unrouted(const struct __sk_buff *skb)
{
	struct counters *counters = counters_of_this_cpu();

	return counters ? drop(skb, &counters->egress.unrouted) : TC_ACT_SHOT;
}

/* Pass a packet that the egress program of this device redirected here, and drop all others. */
static __always_inline int admit_redirected(struct __sk_buff *skb)
{
	struct counters *counters = counters_of_this_cpu();

	if (!counters)
		return TC_ACT_SHOT;
	if (!host.redirect_mark || skb->mark != host.redirect_mark)
		return drop(skb, &counters->ingress.injected);
	skb->mark = 0;
	return TC_ACT_UNSPEC;
}
