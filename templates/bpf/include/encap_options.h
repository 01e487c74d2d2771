/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Options of a header, read one after the other (Geneve: RFC 8926, section 3.5). Each has a head of
 * 32 bits: class, type, and at the end how many words of data follow.
 */
#pragma once

#include "encap_bpf.h"

/* No variable-length part is longer. */
#define OPTIONS_MOST 0xff

/*
 * How far the options of a packet were read. It stands in a map, and is volatile: the verifier does
 * not follow what is in a map, and so takes every turn of the loop that reads options for the same.
 * It would be lost otherwise, and clang would keep it in registers.
 */
struct cursor_in_options {
	volatile __u32 at; /* where the next option begins */
	volatile __u32 seen; /* a bit for each option of the spec */
};

/* A map with one value for each CPU to read options into, and where this CPU's is. */
#define DEFINE_OPTIONS(name)                                                                       \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                           \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, struct name##__received);                                            \
	} name##__scratch SEC(".maps");                                                            \
                                                                                                   \
	static __always_inline struct name##__received *name##__current(void)                      \
	{                                                                                          \
		__u32 only = 0;                                                                    \
                                                                                                   \
		return bpf_map_lookup_elem(&name##__scratch, &only);                               \
	}

/* The option that is read. */
struct option {
	const __be32 *word; /* its head, and behind it the data */
	__u32 head;
	__u32 size; /* bytes of the data */
};

/* Where the counters of what is wrong stand. */
struct wrong_options {
	__u32 truncated; /* the packet ends before */
	__u32 options; /* too long, repeated, or of another length than the spec's */
	__u32 critical; /* unknown, and must not be passed over */
};

/*
 * Find the option where the cursor stands, and move the cursor behind it: in a part of `length`
 * bytes from `offset` of the packet's data on. `words`: the bits of a head that count words.
 */
static __always_inline __u32 next_option(const struct __sk_buff *skb, __u32 offset, __u32 length,
	__u32 words, struct cursor_in_options *cursor, struct option *option,
	const struct wrong_options *refused)
{
	__u32 at = cursor->at & OPTIONS_MOST; /* for the verifier */

	option->word = packet_data(skb) + offset + at;
	/* Or clang computes a second pointer, for what is read: it would not be checked. */
	forget_value(option->word);
	if ((void *)(option->word + 1) > packet_end(skb))
		return refused->truncated;
	option->head = bpf_ntohl(*option->word);
	option->size = (option->head & words) * sizeof(*option->word);
	at += sizeof(*option->word) + option->size;
	if (at > length)
		return refused->options;
	cursor->at = at;
	return 0;
}

/* Read the data of an option of the spec, `size` bytes. `bit` is its own among those seen. */
static __always_inline __u32 read_option(const struct __sk_buff *skb, const struct option *option,
	__be32 *data, __u32 size, __u32 bit, struct cursor_in_options *cursor,
	const struct wrong_options *refused)
{
	const __be32 *from = option->word + 1;

	if (option->size != size || cursor->seen & bit)
		return refused->options;
	/* Else clang computes it a second time for the loop, and the check is of the first. */
	barrier_var(from);
	if ((void *)from + size > packet_end(skb))
		return refused->truncated;
	cursor->seen |= bit;
	for (__u32 i = 0; i < size / sizeof(*data); i++)
		data[i] = from[i];
	return 0;
}

/* Pass over an option that the spec does not list, unless its head has the bit `critical`. */
static __always_inline __u32 pass_over_option(
	const struct option *option, __u32 critical, const struct wrong_options *refused)
{
	return option->head & critical ? refused->critical : 0;
}
