/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Socket options: an application selects the encapsulation for its own socket with setsockopt(),
 * and reads what is in force with getsockopt(). Options of a level other than SOCKET_LEVEL are
 * left alone.
 *
 * Provides handle_setsockopt() and handle_getsockopt(), each the whole program of its hook.
 *
 * Requires before the include:
 *   SOCKET_LEVEL: the level of setsockopt() that belongs to the spec
 *   OLDEST_KERNEL: see encap_socket.h; before 5.18 every error is EPERM, before 5.19 MPTCP sockets
 *     cannot choose
 *   struct host: `mtu`, and `netns_cookie` of the sockets that are managed, 0 if it is not known
 * and after it check_choice() and choice_overhead().
 */
#pragma once

#include "encap_choice.h"

/*
 * Return 0 if a rule lets the sockets of this program's cgroup make this choice, EPERM if only
 * other sockets may, or ENOENT.
 */
static int check_choice(__u64 choice);

/* Return how many bytes the chosen encapsulation adds; 0: there is no such row. */
static __u32 choice_overhead(__u64 choice);

/*
 * A request that is being parsed. It is in the storage of the socket, which the kernel has locked,
 * and not in a per-CPU map: these programs run in task context, and on preemptible kernels another
 * task may run them concurrently.
 */
struct socket_request {
	__u64 choice;
	/*
	 * The parser's state. In registers, the verifier would follow each value through the loop.
	 */
	__u32 length;
	__u32 slashes;
	__u32 table;
	__u32 row;
	char name[SOCKET_NAME_MAX + 7];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_request);
} socket_request SEC(".maps");

/*
 * Leave an option alone. A value longer than programs can see must be left with a length of zero.
 */
static __always_inline int not_ours(struct bpf_sockopt *option)
{
	if (option->optlen > SOCKOPT_SEEN)
		WRITE_ONCE(option->optlen, 0);
	return SOCKOPT_GO_ON;
}

/* Return whether the option is this program's, and the socket one that it manages. */
static __always_inline bool is_ours(struct bpf_sockopt *option)
{
	const struct bpf_sock *socket = (void *)option->sk;

	if (option->level != SOCKET_LEVEL || !socket ||
		(socket->family != AF_INET && socket->family != AF_INET6))
		return false;
	/*
	 * The cgroup may hold sockets of other network namespaces, whose packets never reach our
	 * devices.
	 */
	return !host.netns_cookie || bpf_get_netns_cookie(option) == host.netns_cookie;
}

/* Refuse an option with an error number. Before 5.18 a program cannot return one: each is EPERM. */
static __always_inline int refuse_option(int error)
{
	if (OLDEST_KERNEL >= KERNEL(5, 18))
		bpf_set_retval(-error);
	return SOCKOPT_REFUSE;
}

/* Copy the text of an option. Return false if it is too long. */
static __always_inline bool read_text(
	const struct bpf_sockopt *option, struct socket_request *request)
{
	const char *text = (void *)option->optval;

	request->length = option->optlen;
	if (request->length > SOCKET_NAME_MAX + 1)
		return false;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SOCKET_NAME_MAX + 1; i++) {
		char c = 0;

		barrier();
		/* For a short value the buffer is longer, 16 bytes at least: the length counts. */
		if (i < request->length) {
			if ((void *)(text + i + 1) > (void *)option->optval_end)
				return false;
			c = text[i];
		}
		request->name[i] = c;
	}
	return true;
}

/*
 * Read TABLE/ROW, with or without a final NUL, into `request->choice`: the hashes of both names, or
 * 0 for an empty text. Return false if it cannot be read.
 */
static __always_inline bool read_choice(
	const struct bpf_sockopt *option, struct socket_request *request)
{
	if (!read_text(option, request))
		return false;
	request->slashes = 0;
	request->table = FNV_BASIS;
	request->row = FNV_BASIS;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SOCKET_NAME_MAX + 1; i++) {
		__u8 c = request->name[i];

		barrier();
		if (!c) {
			if (i + 1 < request->length)
				return false; /* more text after a NUL */
		} else if (c == '/') {
			request->slashes++;
		} else if (request->slashes) {
			request->row = fnv1a(request->row, c);
		} else {
			request->table = fnv1a(request->table, c);
		}
	}
	request->choice = request->name[0] ? (__u64)request->table << 32 | request->row : 0;
	return !request->name[SOCKET_NAME_MAX] && request->slashes == (request->name[0] ? 1 : 0);
}

/*
 * Return the length of the socket's IP header. An IPv6 socket may carry IPv4 (RFC 4291, section
 * 2.5.5.2).
 */
static __always_inline __u32 ip_header_length(const struct bpf_sock *socket)
{
	if (socket->family == AF_INET ||
		(!socket->src_ip6[0] && !socket->src_ip6[1] &&
			socket->src_ip6[2] == bpf_htonl(0xffff)))
		return IPV4_HLEN;
	return IPV6_HLEN;
}

/*
 * Return whether the segments of a live connection still fit when they grow by `overhead`. Before
 * it is established, its MSS can still be lowered.
 */
static __always_inline bool segments_fit(
	const struct bpf_sock *socket, const struct socket_choice *before, __u32 overhead)
{
	const struct bpf_tcp_sock *tcp;

	if (socket->type != SOCK_STREAM || socket->state == TCP_CLOSE ||
		socket->state == TCP_LISTEN || socket->state == TCP_SYN_SENT ||
		(before && before->fits))
		return true;
	tcp = bpf_tcp_sock(socket);
	return tcp &&
		tcp->mss_cache + TCPOLEN_TIMESTAMP_ALIGNED + TCP_HLEN + ip_header_length(socket) +
			overhead <=
		host.mtu;
}

/*
 * Record what the application chooses, and return 0. If the choice is refused, return the error;
 * the previous choice stays in force.
 */
static __always_inline int choose(struct bpf_sockopt *option, struct socket_request *request)
{
	const struct bpf_sock *socket = (void *)option->sk;
	struct socket_choice *before = bpf_sk_storage_get(&sockets, socket, NULL, 0);
	struct socket_choice *choice = before;
	const struct connect_decision *decision = NULL;
	__u32 overhead;
	int error;

	if (option->optname != SOCKOPT_CHOOSE || !read_choice(option, request))
		return EINVAL;
	if (request->choice) {
		error = check_choice(request->choice);
		if (error)
			return error;
		overhead = choice_overhead(request->choice);
		if (!overhead)
			return ENOENT;
		/* Before 5.19 a subflow does not lead to the MPTCP socket and its choice. */
		if (OLDEST_KERNEL < KERNEL(5, 19) && socket->protocol == IPPROTO_MPTCP)
			return EOPNOTSUPP;
		if (!segments_fit(socket, before, overhead))
			return EMSGSIZE;
		choice = bpf_sk_storage_get(&sockets, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (!choice)
			return ENOMEM;
	}
	if (!choice)
		return 0;
	/*
	 * Without an application's choice, the connect rules' decision is in force again; an
	 * application cannot clear that.
	 */
	if (!request->choice)
		decision =
			decision_in_force(socket, bpf_sk_storage_get(&connects, socket, NULL, 0));
	if (decision && choice->by_rule)
		return 0;
	if (socket->state == TCP_CLOSE || socket->state == TCP_LISTEN)
		choice->fits = false;
	choice->packets = 0;
	choice->bytes = 0;
	choice->last_recorded = 0;
	choice->listener_checked = true;
	__builtin_memcpy(choice->name, request->name, sizeof(choice->name));
	/* Table and row in one store: other CPUs send packets of the socket concurrently. */
	WRITE_ONCE(choice->choice, decision ? decision->choice : request->choice);
	WRITE_ONCE(choice->by_rule, decision != NULL);
	return 0;
}

static __always_inline int handle_setsockopt(struct bpf_sockopt *option)
{
	const struct bpf_sock *socket = (void *)option->sk;
	struct socket_request *request;
	int error;

	if (!is_ours(option))
		return not_ours(option);
	/* Our program of an inner cgroup has answered. */
	if (option->optlen < 0)
		return SOCKOPT_GO_ON;
	request = bpf_sk_storage_get(&socket_request, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	error = request ? choose(option, request) : ENOMEM;
	bpf_sk_storage_delete(&socket_request, socket);
	WRITE_ONCE(option->optlen, SOCKOPT_DONE);
	return error ? refuse_option(error) : SOCKOPT_GO_ON;
}

/* Write the status of a socket: the choice in force, who made it, and what was sent by it. */
static __always_inline void write_status(
	struct bpf_sockopt *option, struct socket_status *status, bool first_version)
{
	const struct bpf_sock *socket = (void *)option->sk;
	const struct socket_choice *choice = bpf_sk_storage_get(&sockets, socket, NULL, 0);
	__u32 state = SOCKET_CHOSE_NOTHING, overhead = 0, chosen_by = CHOSEN_BY_APPLICATION,
	      rule = 0;
	const struct connect_decision *decision;
	const char *name = NULL;
	__u64 chosen = 0;

	if (choice && choice->by_rule) {
		decision =
			decision_in_force(socket, bpf_sk_storage_get(&connects, socket, NULL, 0));
		if (decision) {
			chosen = decision->choice;
			name = decision->name;
			rule = decision->rule;
			chosen_by = CHOSEN_BY_RULE;
		}
	} else if (choice) {
		chosen = choice->choice;
		name = choice->name;
	}
	__builtin_memset(status, 0, SOCKET_STATUS_FIRST);
	if (chosen && choice && name) {
		overhead = choice_overhead(chosen);
		state = overhead ? SOCKET_CHOSE : SOCKET_CHOICE_GONE;
		status->packets = choice->packets;
		status->bytes = choice->bytes;
		__builtin_memcpy(status->name, name, sizeof(status->name));
	}
	status->size = first_version ? SOCKET_STATUS_FIRST : sizeof(*status);
	status->state = state;
	status->overhead = overhead;
	status->mss = host.mtu - overhead - ip_header_length(socket) - TCP_HLEN;
	if (first_version || (void *)(status + 1) > (void *)option->optval_end)
		return;
	status->chosen_by = chosen ? chosen_by : CHOSEN_BY_NOBODY;
	status->rule = rule;
}

static __always_inline int handle_getsockopt(struct bpf_sockopt *option)
{
	struct socket_status *status = (void *)option->optval;
	bool first_version;

	if (!is_ours(option))
		return not_ours(option);
	/*
	 * The kernel does not have the option: if there is no error, our program of an inner cgroup
	 * has answered.
	 */
	if (!option->retval)
		return SOCKOPT_GO_ON;
	if (option->optname != SOCKOPT_STATUS || option->optlen < (__s32)SOCKET_STATUS_FIRST ||
		(void *)status + SOCKET_STATUS_FIRST > (void *)option->optval_end)
		return refuse_option(EINVAL);
	first_version = option->optlen < (__s32)sizeof(*status);
	write_status(option, status, first_version);
	/* One by one: the verifier refuses the single store that clang would merge them into. */
	WRITE_ONCE(option->optlen,
		first_version ? (__s32)SOCKET_STATUS_FIRST : (__s32)sizeof(*status));
	WRITE_ONCE(option->retval, 0);
	return SOCKOPT_GO_ON;
}
