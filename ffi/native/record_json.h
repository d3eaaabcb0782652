/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as JSON.stringify writes it becomes canonical (RFC 8785): the members of every object in order, all else as it
 * is. What is not plain fails, and lib/record does it: keys that are not ASCII, lone surrogates, depth, and texts that
 * may hold a secret. Included once, by record_draft.h.
 *
 * A line holds no raw line break, and the input ends with one: every loop below stops there, so none leaves the input.
 * What is written is never longer than what was read; sorting needs as much room again.
 */
#ifndef AGENTGUARD_RECORD_JSON_H
#define AGENTGUARD_RECORD_JSON_H

#include "record_plain.h"

#define DRAFT_DEPTH_MAX 16
#define DRAFT_KEYS_MAX 24

/* Members of a draft, in canonical order; their numbers are places in `draft.members`. */
enum draft_member {
	DRAFT_ACTION,
	DRAFT_DECISION,
	DRAFT_GAP,
	DRAFT_KIND,
	DRAFT_OUTCOME,
	DRAFT_PRINCIPAL,
	DRAFT_PROCESS,
	DRAFT_SESSION,
	DRAFT_TIME,
	DRAFT_MEMBERS,
};

/* Fields of the index; TERM_FIELDS of lib/record/terms.ts. */
enum draft_field { FIELD_TYPE = 1, FIELD_SESSION, FIELD_RULE, FIELD_VERDICT, FIELD_KIND, FIELD_END };

struct draft {
	const uint8_t *in;
	uint8_t *out;
	struct piece members[DRAFT_MEMBERS];
	struct piece fields[FIELD_END];
	struct piece decision_ids[2]; /* of the decision, of the outcome */
	double decision_key;
	uint64_t time_us;
	int redacted; /* texts must hold no secret */
	int failed;
};

/* What is read now, which says how texts are looked at. */
enum draft_part { PART_OTHER, PART_ACTION, PART_ACTION_TEXTS, PART_DECISION, PART_OUTCOME, PART_PROCESS };

static void put(struct draft *draft, const void *bytes, size_t count)
{
	memcpy(draft->out, bytes, count);
	draft->out += count;
}

/* A string: the inside is copied as it is; gives where that lies in the input. */
static struct piece copy_string(struct draft *draft)
{
	const uint8_t *start = ++draft->in, *at = start;
	struct piece none = {start, 0};

	for (;; at++) {
		if (*at >= ' ' && *at != '"' && *at != '\\')
			continue;
		if (*at == '"')
			break;
		if (*at < ' ') {
			draft->failed = 1;
			return none;
		}
		at++;
		/* JSON.stringify escapes a surrogate only where it stands alone. */
		if (!strchr("\"\\bfnrtu", *at) || *at == 0 || (*at == 'u' && (at[1] != '0' || at[2] != '0'))) {
			draft->failed = 1;
			return none;
		}
	}
	put(draft, start - 1, (size_t)(at - start) + 2);
	draft->in = at + 1;
	return (struct piece){start, (uint32_t)(at - start)};
}

static void copy_scalar(struct draft *draft)
{
	static const char *const words[] = {"true", "false", "null"};
	const uint8_t *at = draft->in;

	while (is_digit(*at) || *at == '-' || *at == '+' || *at == '.' || *at == 'e' || *at == 'E')
		at++;
	for (int i = 0; i < 3 && at == draft->in; i++)
		if (strncmp((const char *)at, words[i], strlen(words[i])) == 0)
			at += strlen(words[i]);
	if (at == draft->in)
		draft->failed = 1;
	put(draft, draft->in, (size_t)(at - draft->in));
	draft->in = at;
}

static void copy_value(struct draft *draft, int depth, int texts);

/* `words` says that the strings in it are those of a command, which are looked at. */
static void copy_array(struct draft *draft, int depth, int words)
{
	const uint8_t *start = draft->in;

	put(draft, draft->in++, 1);
	if (*draft->in == ']') {
		put(draft, draft->in++, 1);
		return;
	}
	while (!draft->failed) {
		int is_first = draft->in == start + 1;

		if (words && *draft->in != '"')
			draft->failed = 1;
		else if (words)
			draft->failed |= !is_plain_word(copy_string(draft), is_first);
		else
			copy_value(draft, depth + 1, PART_OTHER);
		if (draft->failed || (*draft->in != ',' && *draft->in != ']'))
			break;
		put(draft, draft->in, 1);
		if (*draft->in++ == ']')
			return;
	}
	draft->failed = 1;
}

struct member {
	struct piece key;
	uint32_t at, end; /* of key and value in the output, from where the object begins */
};

/* Negative, zero or positive, by the bytes: the order of UTF-16 units where all are ASCII. */
static int compare_keys(struct piece a, struct piece b)
{
	uint32_t common = a.bytes < b.bytes ? a.bytes : b.bytes;
	int order = memcmp(a.at, b.at, common);

	return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* Puts members in order that were written as they came. The room behind the output holds them meanwhile. */
static void sort_members(struct draft *draft, uint8_t *start, struct member *members, int count)
{
	uint8_t *sorted = draft->out, *to = sorted;
	int order[DRAFT_KEYS_MAX];

	for (int i = 0; i < count; i++) {
		int at = i;

		for (; at > 0 && compare_keys(members[order[at - 1]].key, members[i].key) > 0; at--)
			order[at] = order[at - 1];
		order[at] = i;
		if (at > 0 && compare_keys(members[order[at - 1]].key, members[i].key) == 0)
			draft->failed = 1;
	}
	for (int i = 0; i < count; i++) {
		struct member *member = members + order[i];

		memcpy(to, start + member->at, member->end - member->at);
		to += member->end - member->at;
		*to++ = ',';
	}
	memcpy(start + 1, sorted, (size_t)(to - sorted) - 1);
}

static int is_plain_key(struct piece key)
{
	for (uint32_t i = 0; i < key.bytes; i++)
		if (key.at[i] >= 0x80 || key.at[i] == '\\')
			return 0;
	return 1;
}

/* Keeps what the index looks at. */
static void note_field(struct draft *draft, struct piece key, struct piece text, int part)
{
	if (part == PART_ACTION && piece_is(key, "type"))
		draft->fields[FIELD_TYPE] = text;
	if (part == PART_DECISION && piece_is(key, "rule"))
		draft->fields[FIELD_RULE] = text;
	if (part == PART_DECISION && piece_is(key, "verdict"))
		draft->fields[FIELD_VERDICT] = text;
	if ((part == PART_DECISION || part == PART_OUTCOME) && piece_is(key, "decision_id"))
		draft->decision_ids[part == PART_OUTCOME] = text;
}

/* Whether the redactor might change this text. */
static int may_change(struct piece key, struct piece text, int part)
{
	switch (part) {
	case PART_ACTION_TEXTS:
		if (IS_ONE_OF(key, own_members))
			return 0;
		return IS_ONE_OF(key, path_members) ? is_suspicious_path(text) : is_suspicious(text);
	case PART_DECISION:
		return piece_is(key, "reason") && is_suspicious(text);
	case PART_OUTCOME:
		return (piece_is(key, "error") || piece_is(key, "by")) && is_suspicious(text);
	case PART_PROCESS:
		return (piece_is(key, "exe") || piece_is(key, "cwd")) && is_suspicious_path(text);
	default:
		return 0;
	}
}

static void copy_member(struct draft *draft, struct piece key, int depth, int part)
{
	int texts = part == PART_ACTION_TEXTS;
	int words = (texts || (draft->redacted && part == PART_PROCESS)) && piece_is(key, "argv");

	if (*draft->in == '"') {
		struct piece text = copy_string(draft);

		if (draft->failed)
			return;
		note_field(draft, key, text, texts ? PART_ACTION : part);
		if (draft->redacted && may_change(key, text, part))
			draft->failed = 1;
	} else if (words && *draft->in == '[') {
		copy_array(draft, depth, 1);
	} else if (texts && (*draft->in == '[' || *draft->in == '{') && !IS_ONE_OF(key, own_members)) {
		draft->failed = 1; /* nothing that these actions have */
	} else {
		copy_value(draft, depth, PART_OTHER);
	}
}

static void copy_object(struct draft *draft, int depth, int part)
{
	struct member members[DRAFT_KEYS_MAX];
	uint8_t *start = draft->out;
	int count = 0, ordered = 1;

	put(draft, draft->in++, 1);
	if (*draft->in == '}') {
		put(draft, draft->in++, 1);
		return;
	}
	while (*draft->in == '"' && count < DRAFT_KEYS_MAX) {
		struct member *member = members + count++;

		member->at = (uint32_t)(draft->out - start);
		member->key = copy_string(draft);
		if (draft->failed || !is_plain_key(member->key) || *draft->in != ':')
			break;
		put(draft, draft->in++, 1);
		copy_member(draft, member->key, depth, part);
		member->end = (uint32_t)(draft->out - start);
		ordered &= count == 1 || compare_keys(members[count - 2].key, member->key) < 0;
		if (draft->failed || (*draft->in != ',' && *draft->in != '}'))
			break;
		put(draft, draft->in, 1);
		if (*draft->in++ == '}') {
			if (!ordered)
				sort_members(draft, start, members, count);
			return;
		}
	}
	draft->failed = 1;
}

static void copy_value(struct draft *draft, int depth, int part)
{
	if (depth >= DRAFT_DEPTH_MAX)
		draft->failed = 1;
	else if (*draft->in == '{')
		copy_object(draft, depth + 1, part);
	else if (*draft->in == '[')
		copy_array(draft, depth, 0);
	else if (*draft->in == '"')
		copy_string(draft);
	else
		copy_scalar(draft);
}

#endif
