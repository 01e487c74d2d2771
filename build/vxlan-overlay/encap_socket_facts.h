/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Facts of a packet's socket that rules and look-ups use. The flow table keeps them for packets
 * whose socket is gone.
 *
 * Requires before the include:
 *   SOCKET_FACTS: of the FACT_ flags below, the facts that the program uses
 */
#pragma once

#include "encap_bpf.h"

#define FACT_CGROUPS (1 << 0) /* the cgroups that rules match by */
#define FACT_CGROUP (1 << 1) /* the cgroup that a row is found by; only with FACT_CGROUPS */
#define FACT_CHOICE (1 << 2) /* the row that was chosen for the socket */

#if SOCKET_FACTS

struct socket_facts {
#if SOCKET_FACTS & FACT_CGROUPS
	__u64 cgroups; /* bits of those of the spec in which the socket was created, or above */
#endif
#if SOCKET_FACTS & FACT_CGROUP
	__u64 cgroup; /* the innermost of those that rows are found by, its kernel ID; 0: none */
#endif
#if SOCKET_FACTS & FACT_CHOICE
	__u64 choice; /* see struct socket_choice; 0: nothing chosen */
#endif
#if SOCKET_FACTS & FACT_CGROUPS
	__u32 names; /* meaning of the bits of `cgroups`, by the version that wrote them */
	__u32 pad;
#endif
};

#define SOCKET_FACTS_WORDS (sizeof(struct socket_facts) / sizeof(__u32))

/* Return whether there are facts that rules may use. */
static __always_inline bool has_facts(const struct socket_facts *facts)
{
#if SOCKET_FACTS & FACT_CGROUPS
	if (facts->cgroups)
		return true;
#endif
#if SOCKET_FACTS & FACT_CHOICE
	if (facts->choice)
		return true;
#endif
	return false;
}

#endif
