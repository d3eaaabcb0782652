/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading a DNS message (RFC 1035 section 4): the question's name and the addresses of the answer. */
#ifndef AGENTGUARD_DNS_MESSAGE_H
#define AGENTGUARD_DNS_MESSAGE_H

#include "names.h"

#define AG_DNS_HEADER 12
#define AG_DNS_MASK (AG_DNS_MESSAGE - 1)
/* Labels and records of the answer section that are looked at. */
#define AG_DNS_STEPS 512
#define AG_DNS_TYPE_A 1
#define AG_DNS_TYPE_AAAA 28
#define AG_DNS_TYPE_ANY 255
#define AG_DNS_CLASS_IN 1

/* How reading ended. */
enum ag_dns_end {
	AG_DNS_OPEN = 0, /* more is there than is looked at */
	AG_DNS_DONE = 1,
	AG_DNS_MALFORMED = 2,
};

static __always_inline __u32 ag_u16_at(const struct ag_names_scratch *s, __u32 at)
{
	return s->message[at & AG_DNS_MASK] << 8 | s->message[(at & AG_DNS_MASK) + 1];
}

/* One byte of the question's name. */
static long ag_question_step(__u32 index, void *context)
{
	struct ag_names_scratch *s = *(struct ag_names_scratch **)context;
	__u32 at = AG_DNS_HEADER + index, c;

	if (at >= s->length)
		return 1;
	c = s->message[at & AG_DNS_MASK];
	if (!s->label) {
		s->at = at + 1;
		s->done = !c && index ? AG_DNS_DONE : AG_DNS_OPEN;
		s->label = c;
		if (!c || c > 63)
			return 1;
		if (index)
			s->record.name[(index - 1) & 255] = '.';
		return 0;
	}
	s->label--;
	if (c >= 'A' && c <= 'Z')
		c |= 0x20;
	if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
		return 1;
	s->record.name[(index - 1) & 255] = c;
	return 0;
}

/* Header and question: the name is in s->record then, s->at where the answers begin. Returns 0 for what is none. */
static __always_inline int ag_read_question(struct ag_names_scratch *s)
{
	__u32 type;

	/* A response (QR), of an ordinary query (OPCODE), without error (RCODE). */
	if (s->length < AG_DNS_HEADER || (s->message[2] & 0xf8) != 0x80 || (s->message[3] & 15))
		return 0;
	if (ag_u16_at(s, 4) != 1)
		return 0;
	s->left = ag_u16_at(s, 6);
	if (!s->left)
		return 0;
	s->label = 0;
	s->done = AG_DNS_OPEN;
	bpf_loop(AG_DNS_NAME_MAX + 2, ag_question_step, &s, 0);
	if (s->done != AG_DNS_DONE || s->at + 4 > s->length)
		return 0;
	s->record.name_length = s->at - AG_DNS_HEADER - 2;
	type = ag_u16_at(s, s->at);
	if (type != AG_DNS_TYPE_A && type != AG_DNS_TYPE_AAAA && type != AG_DNS_TYPE_ANY)
		return 0;
	if (ag_u16_at(s, s->at + 2) != AG_DNS_CLASS_IN)
		return 0;
	s->at += 4;
	s->done = AG_DNS_OPEN;
	return 1;
}

/* Keeps the address of one record. */
static __always_inline void ag_keep_answer(struct ag_names_scratch *s, __u32 data, __u32 bytes, __u32 ttl)
{
	__u32 count = s->record.count;
	struct ag_dns_answer *to;

	if (count >= AG_DNS_ANSWERS_MAX) {
		s->record.cut = 1;
		return;
	}
	to = &s->record.answer[count & (AG_DNS_ANSWERS_MAX - 1)];
	__builtin_memset(to, 0, sizeof(*to));
	if (bytes == 4) {
		bpf_probe_read_kernel(to->address, 4, s->message + (data & AG_DNS_MASK));
		to->family = 4;
	} else {
		bpf_probe_read_kernel(to->address, 16, s->message + (data & AG_DNS_MASK));
		to->family = 6;
		if (ag_is_mapped(to->address)) {
			__builtin_memcpy(to->address, to->address + 12, 4);
			__builtin_memset(to->address + 4, 0, 12);
			to->family = 4;
		}
	}
	s->record.count = count + 1;
	if (ttl < s->record.ttl_s)
		s->record.ttl_s = ttl;
}

/* One label of a record's name, or its end and the record. */
static long ag_answer_step(__u32 index, void *context)
{
	struct ag_names_scratch *s = *(struct ag_names_scratch **)context;
	__u32 at = s->at, c, type, bytes, ttl;

	if (at >= s->length)
		goto behind;
	c = s->message[at & AG_DNS_MASK];
	if (c && c < 64) {
		s->at = at + 1 + c;
		return 0;
	}
	if (c && c < 192) {
		s->done = AG_DNS_MALFORMED;
		return 1;
	}
	at += c ? 2 : 1;
	bytes = ag_u16_at(s, at + 8);
	if (at + 10 + bytes > s->length)
		goto behind;
	type = ag_u16_at(s, at);
	ttl = ag_u16_at(s, at + 4) << 16 | ag_u16_at(s, at + 6);
	s->at = at + 10 + bytes;
	if (ag_u16_at(s, at + 2) == AG_DNS_CLASS_IN &&
	    ((type == AG_DNS_TYPE_A && bytes == 4) || (type == AG_DNS_TYPE_AAAA && bytes == 16)))
		ag_keep_answer(s, at + 10, bytes, ttl);
	s->left--;
	if (s->left)
		return 0;
	s->done = AG_DNS_DONE;
	return 1;
behind:
	s->done = s->clipped ? AG_DNS_OPEN : AG_DNS_MALFORMED;
	return 1;
}

/* Reads the message in `s`. Returns 0 where nothing is to be learned. */
static __noinline int ag_read_message(struct ag_names_scratch *s)
{
	s->record.ttl_s = ~0u;
	s->record.count = 0;
	s->record.cut = 0;
	if (!ag_read_question(s))
		return 0;
	bpf_loop(AG_DNS_STEPS, ag_answer_step, &s, 0);
	if (s->done == AG_DNS_MALFORMED)
		return 0;
	if (s->done == AG_DNS_OPEN)
		s->record.cut = 1;
	return s->record.count;
}

#endif
