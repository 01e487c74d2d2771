/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connect rules: select an encapsulation for a socket when it connects. The application's choice
 * takes precedence until the application clears it.
 *
 * Provides connect_ipv4() and connect_ipv6(), each the whole program of its hook, and choose_row()
 * for the rules.
 *
 * Requires before the include:
 *   CONNECT_NESTED: 1 if programs of the spec run both in a cgroup and in one below it, else 0
 *   MARKS_SOCKETS: 1 if sockets are marked, see encap_netns.h, else 0
 *   OLDEST_KERNEL: see encap_socket.h
 *   struct host: `cgroups`, bits of the cgroups that this program's cgroup is or is below;
 *     `identity` of the spec; without MARKS_SOCKETS `netns_cookie`, 0 if it is not known
 *   PACKET_NEEDS: see encap_packet.h
 *   struct counters, counters_of_this_cpu()
 * and after it apply_connect_rules().
 */
#pragma once

#include "encap_choice.h"
#include "encap_packet.h"
#if MARKS_SOCKETS
#include "encap_netns.h"
#endif

/*
 * Apply the rules in the order written: the first that matches the packet the socket is about to
 * send fills in its decision. A rule that chooses nothing fills in nothing.
 */
static void apply_connect_rules(
	const struct packet *packet, struct counters *counters, struct connect_decision *decided);

/* Return whether the socket belongs to our network namespace. */
static __always_inline bool is_own_socket_address(struct bpf_sock_addr *address)
{
#if MARKS_SOCKETS
	return is_own_netns(bpf_get_netns_cookie(address));
#else
	return !host.netns_cookie || bpf_get_netns_cookie(address) == host.netns_cookie;
#endif
}

/* Choose a row for the socket, by the hashes of table, row and rule. `name` is TABLE/ROW. */
static __always_inline void choose_row(struct connect_decision *decided, __u32 table, __u32 row,
	__u32 rule, const char *name, __u32 size)
{
	decided->choice = (__u64)table << 32 | row;
	decided->rule = rule;
	__builtin_memcpy(decided->name, name, size);
}

/*
 * Return whether a program of an inner cgroup has already decided. Those run first and know all
 * cgroups of the socket, so none of our rules comes before the one they applied.
 */
static __always_inline bool decided_within(
	const struct connect_decision *latest, const struct connect_decision *decided)
{
	return latest->made && latest->version == decided->version &&
		(latest->cgroups & ~decided->cgroups) && latest->port == decided->port &&
		latest->peer.word[0] == decided->peer.word[0] &&
		latest->peer.word[1] == decided->peer.word[1] &&
		latest->peer.word[2] == decided->peer.word[2] &&
		latest->peer.word[3] == decided->peer.word[3];
}

/*
 * Record what the rules decide for a socket that connects. Each connect() is decided again. If a
 * decision cannot be recorded, the socket must not connect: it would send unencapsulated.
 */
static __always_inline int record_decision(
	struct bpf_sock_addr *address, const struct connect_decision *decided)
{
	const struct bpf_sock *socket = (void *)address->sk;
	/*
	 * The connecting socket is a subflow; the application uses the options of the MPTCP socket.
	 */
	void *mptcp = mptcp_socket(socket);
	struct connect_decision *latest, *other, *written;
	struct connect_decisions *decisions;
	struct socket_choice *choice;
	bool chosen;

	if (mptcp)
		choice = bpf_sk_storage_get(&sockets, mptcp, NULL, 0);
	else
		choice = bpf_sk_storage_get(&sockets, socket, NULL, 0);
	chosen = choice && choice->choice && !choice->by_rule;
	/*
	 * If nothing was chosen before and nothing is now, no record is needed, except with MPTCP,
	 * where further subflows must not decide differently, and for programs of outer cgroups.
	 */
	if (!CONNECT_NESTED && !decided->choice && !mptcp && !(choice && choice->by_rule) &&
		!chosen)
		return CONNECT_GO_ON;
	if (mptcp) {
		choice = bpf_sk_storage_get(&sockets, mptcp, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		decisions = bpf_sk_storage_get(&connects, mptcp, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	} else {
		choice = bpf_sk_storage_get(&sockets, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		decisions =
			bpf_sk_storage_get(&connects, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	}
	if (!choice || !decisions)
		return CONNECT_REFUSE;
	if (mptcp) {
		__u64 subflow = bpf_get_socket_cookie(address);

		if (decisions->subflow && decisions->subflow != subflow)
			return CONNECT_GO_ON;
		decisions->subflow = subflow;
	}
	/* connect() may still fail: the decision for the current association must stay. */
	latest = &decisions->decision[decisions->latest & 1];
	if (CONNECT_NESTED && decided_within(latest, decided))
		return CONNECT_GO_ON;
	other = &decisions->decision[~decisions->latest & 1];
	written = !latest->made || (is_peer(socket, other) && !is_peer(socket, latest)) ? latest
											: other;
	written->made = false; /* packets are sent concurrently */
	barrier();
	*written = *decided;
	barrier();
	written->made = true;
	if (written == other)
		decisions->latest++;
	if (chosen)
		return CONNECT_GO_ON;
	if (socket->type == SOCK_STREAM)
		choice->fits = false;
	choice->packets = 0;
	choice->bytes = 0;
	choice->last_recorded = 0;
	choice->listener_checked = true;
	choice->by_rule = true;
	barrier();
	__builtin_memcpy(choice->name, decided->name, sizeof(choice->name));
	/* For programs of the first version, which do not know decisions. */
	WRITE_ONCE(choice->choice, decided->choice);
	return CONNECT_GO_ON;
}

/* Decide for a socket that connects to `packet->daddr`. */
static __always_inline int decide_connect(struct bpf_sock_addr *address, struct packet *packet)
{
	struct counters *counters = counters_of_this_cpu();
	const struct bpf_sock *socket = (void *)address->sk;
	struct connect_decision decided = {};

	if (!counters)
		return CONNECT_REFUSE;
	/*
	 * The cgroup may hold sockets of other network namespaces, whose packets never reach our
	 * devices.
	 */
	if (!socket || !is_own_socket_address(address))
		return CONNECT_GO_ON;
	packet->protocol = address->protocol;
	packet->destination_port = address->user_port;
	if (PACKET_NEEDS & NEED_MARK)
		packet->mark = socket->mark;
	decided.peer = packet->daddr;
	decided.port = packet->destination_port;
	if (CONNECT_NESTED) {
		decided.cgroups = host.cgroups;
		__builtin_memcpy(
			&decided.version, (const void *)host.identity, sizeof(decided.version));
	}
	apply_connect_rules(packet, counters, &decided);
	return record_decision(address, &decided);
}

static __always_inline int connect_ipv4(struct bpf_sock_addr *address)
{
	struct packet packet = {.is_ipv4 = true, .daddr = mapped_ipv4(address->user_ip4)};

	return decide_connect(address, &packet);
}

/*
 * An IPv6 socket may connect to an IPv4 address, which is mapped then (RFC 4291, section 2.5.5.2).
 */
static __always_inline int connect_ipv6(struct bpf_sock_addr *address)
{
	struct packet packet = {};

	for (int i = 0; i < 4; i++)
		packet.daddr.word[i] = address->user_ip6[i];
	packet.is_ipv4 = is_mapped_ipv4(&packet.daddr);
	return decide_connect(address, &packet);
}
