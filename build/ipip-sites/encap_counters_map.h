/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The counters of a program, which status reads and adds up over the CPUs.
 *
 * Requires before the include:
 *   struct counters
 */
#pragma once

#include "encap_bpf.h"
#include "encap_counters.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

static __always_inline struct counters *counters_of_this_cpu(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&counters, &only);
}

/* The counter that stands at a place, or NULL. */
static __always_inline struct counter *counter_at(struct counters *first, __u32 place)
{
	if (place > sizeof(*first) - sizeof(struct counter)) /* for the verifier */
		return NULL;
	return (void *)first + place;
}
