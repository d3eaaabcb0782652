/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the record does with every entry, for a whole block of them in one call: their canonical text, the chain of
 * hashes over it, and the Merkle tree over these. lib/record does the same by itself, for whatever is out of the
 * ordinary; the tests compare the two. No state between calls, no memory but what the caller gives.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>

#include "sha256.h"
#include "record_index.h"

/* Separate the parts of a stored entry and end it; see lib/record/stored_text.ts. */
#define PART_SEPARATOR 0x1e
#define ENTRY_END '\n'

/* "prev":"<64 hex>" */
#define PREV_CHARS 73

static void put_prev(char text[PREV_CHARS], const uint8_t hash[SHA256_BYTES])
{
	static const char digits[16] = "0123456789abcdef";

	memcpy(text, "\"prev\":\"", 8);
	for (int i = 0; i < SHA256_BYTES; i++) {
		text[8 + 2 * i] = digits[hash[i] >> 4];
		text[9 + 2 * i] = digits[hash[i] & 15];
	}
	text[PREV_CHARS - 1] = '"';
}

/* "seq":<number>; gives its length. */
static size_t put_seq(char text[32], uint64_t seq)
{
	char digits[20];
	size_t count = 0, at = 6;

	do
		digits[count++] = (char)('0' + seq % 10);
	while ((seq /= 10) > 0);
	memcpy(text, "\"seq\":", 6);
	while (count > 0)
		text[at++] = digits[--count];
	return at;
}

/* One call of ag_record_write; ffi/record_calls.ts mirrors it. */
struct ag_record_job {
	/* given */
	uint32_t input_bytes;
	uint32_t output_bytes;
	uint32_t entries_max;
	uint32_t row_bytes_max; /* ends after the entry that brings the text to this */
	uint32_t redacted;      /* drafts whose texts may hold a secret are left to the caller */
	uint32_t boot_bytes;
	/* where to go on; changed */
	uint32_t input_at;
	uint32_t output_at;
	/* given back */
	uint32_t entries;
	uint32_t status;
	uint32_t terms;
	uint32_t decisions;
	double time_min; /* of the entries of this call, microseconds */
	double time_max;
};

enum ag_record_status {
	AG_RECORD_DONE,  /* no more lines, or enough of them */
	AG_RECORD_OTHER, /* the line at `input_at` is not for this code */
	AG_RECORD_FULL,  /* no room for the text of that line */
};

static void put_digits(uint8_t *to, uint64_t value, int count)
{
	while (count-- > 0) {
		to[count] = (uint8_t)('0' + value % 10);
		value /= 10;
	}
}

/* RFC 3339 UTC with microseconds, 27 characters. Days to a date: Howard Hinnant, chrono-compatible date algorithms. */
static void put_time(struct draft *draft)
{
	uint64_t seconds = draft->time_us / 1000000, days = seconds / 86400 + 719468, era = days / 146097;
	uint64_t of_era = days % 146097, of_day = seconds % 86400;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
	uint8_t *to = draft->out;

	memcpy(to, "0000-00-00T00:00:00.000000Z", 27);
	put_digits(to, year + era * 400 + (month >= 10), 4);
	put_digits(to + 5, month < 10 ? month + 3 : month - 9, 2);
	put_digits(to + 8, of_year - (153 * month + 2) / 5 + 1, 2);
	put_digits(to + 11, of_day / 3600, 2);
	put_digits(to + 14, of_day / 60 % 60, 2);
	put_digits(to + 17, of_day % 60, 2);
	put_digits(to + 20, draft->time_us % 1000000, 6);
	draft->out += 27;
}

static void put_text(struct draft *draft, const char *text)
{
	put(draft, text, strlen(text));
}

static void put_member(struct draft *draft, int which, const char *name)
{
	if (!draft->members[which].at)
		return;
	put_text(draft, name);
	put(draft, draft->members[which].at, draft->members[which].bytes);
	put(draft, ",", 1);
}

/* The stored form, as `textParts` and `storedText` of lib/record make it. */
static void put_entry(struct draft *draft, const uint8_t *boot, uint32_t boot_bytes, const uint8_t *id)
{
	put(draft, "{", 1);
	put_member(draft, DRAFT_ACTION, "\"action\":");
	put_text(draft, "\"boot_id\":");
	put(draft, boot, boot_bytes);
	put(draft, ",", 1);
	put_member(draft, DRAFT_DECISION, "\"decision\":");
	put_text(draft, "\"entry_id\":\"");
	put(draft, id, DRAFT_ID_BYTES);
	put_text(draft, "\",");
	put_member(draft, DRAFT_GAP, "\"gap\":");
	put_member(draft, DRAFT_KIND, "\"kind\":");
	put_member(draft, DRAFT_OUTCOME, "\"outcome\":");
	put_text(draft, "\x1e,");
	put_member(draft, DRAFT_PRINCIPAL, "\"principal\":");
	put_member(draft, DRAFT_PROCESS, "\"process\":");
	put_text(draft, "\x1e,");
	put_member(draft, DRAFT_SESSION, "\"session_id\":");
	put_text(draft, "\"time\":\"");
	put_time(draft);
	put_text(draft, "\"}\n");
}

/* Nothing is lost where a key comes twice; most often it is that of the entry before. */
static void add_decision(struct ag_record_job *job, double *decisions, double key)
{
	if (job->decisions == 0 || decisions[job->decisions - 1] != key)
		decisions[job->decisions++] = key;
}

/* Writes the entry of one line behind the others. Gives 0 where the line is not for this code. */
static int write_entry(struct ag_record_job *job, struct draft *draft, uint8_t *output, const uint8_t *boot,
		       const uint8_t *id)
{
	struct piece decision;
	uint32_t line_bytes = job->input_bytes - job->input_at;
	const uint8_t *line = draft->in, *line_end = memchr(line, '\n', line_bytes);

	line_bytes = (uint32_t)(line_end - line);
	if (line_bytes > DRAFT_BYTES_MAX)
		return 0;
	/* A draft that came from another thread has its class before it (lib/record/draft_line.ts). */
	draft->in += *line == 'o' || *line == 's' || *line == 'x';
	/* The members first, behind where the entry will stand, then the entry. */
	draft->out = output + job->output_at + line_bytes + DRAFT_ROOM;
	read_draft(draft);
	decision = draft->decision_ids[draft->decision_ids[0].at ? 0 : 1];
	draft->decision_key = decision.at ? id_key(decision) : 0;
	if (draft->failed || draft->decision_key < 0)
		return 0;
	draft->out = output + job->output_at;
	put_entry(draft, boot, job->boot_bytes, id);
	job->output_at = (uint32_t)(draft->out - output);
	job->input_at += line_bytes + 1;
	return 1;
}

/* Room for the entry of the next line and what is needed to make it. */
static int has_room(const struct ag_record_job *job, const uint8_t *line)
{
	const uint8_t *end = memchr(line, '\n', job->input_bytes - job->input_at);
	size_t bytes = (size_t)(end - line);

	return bytes > DRAFT_BYTES_MAX || 3 * bytes + 3 * DRAFT_ROOM <= job->output_bytes - job->output_at;
}

/*
 * Turns drafts, a line of JSON each, with or without its class, into stored entries, at most a block of them. `ids`
 * holds an id for each, `boot` the boot's id as JSON, up to 128 bytes; `terms` has room for TERMS_MAX, `decisions` for
 * BLOCK_ENTRIES. The input must end with a line break.
 */
void ag_record_write(struct ag_record_job *job, const uint8_t *input, uint8_t *output, const uint8_t *ids,
		     const uint8_t *boot, struct ag_record_term *terms, double *decisions)
{
	struct term_set set = {.list = terms};
	uint32_t row = job->output_at, max = job->entries_max < BLOCK_ENTRIES ? job->entries_max : BLOCK_ENTRIES;

	job->entries = job->terms = job->decisions = 0;
	job->status = AG_RECORD_DONE;
	if (job->input_bytes == 0 || input[job->input_bytes - 1] != '\n' || job->boot_bytes > 128)
		return;
	while (job->input_at < job->input_bytes && job->entries < max && job->output_at - row < job->row_bytes_max) {
		struct draft draft = {.in = input + job->input_at, .redacted = job->redacted != 0};
		double time;

		if (!has_room(job, draft.in)) {
			job->status = AG_RECORD_FULL;
			break;
		}
		job->status = AG_RECORD_OTHER;
		if (!write_entry(job, &draft, output, boot, ids + (size_t)job->entries * DRAFT_ID_BYTES))
			break;
		job->status = AG_RECORD_DONE;
		if (draft.decision_ids[0].at || draft.decision_ids[1].at)
			add_decision(job, decisions, draft.decision_key);
		for (uint32_t field = FIELD_TYPE; field < FIELD_END; field++)
			if (draft.fields[field].at)
				add_term(&set, input, field, draft.fields[field]);
		time = (double)draft.time_us;
		job->time_min = job->entries == 0 || time < job->time_min ? time : job->time_min;
		job->time_max = job->entries == 0 || time > job->time_max ? time : job->time_max;
		job->entries++;
	}
	job->terms = set.count;
}

/*
 * The leaf hashes of stored entries (RFC 6962 section 2.1), each with the one before it in its text. Stops after `max`
 * of them, before one that is malformed or was pruned, and, where `expected` holds hashes, before one that differs from
 * its own. `prev` is the hash before the first. Gives how many there are in `leaves`.
 */
uint32_t ag_record_chain(const uint8_t *stored, uint32_t bytes, double first_seq, const uint8_t *prev,
			 const uint8_t *expected, uint8_t *leaves, uint32_t max)
{
	sha256_blocks_function blocks = sha256_best;
	const uint8_t *end = stored + bytes;
	uint64_t seq = (uint64_t)first_seq;
	char before[PREV_CHARS], number[32];
	struct sha256 hash;

	for (uint32_t n = 0; n < max; n++, seq++) {
		const uint8_t *stop = memchr(stored, ENTRY_END, (size_t)(end - stored)), *one, *two;

		if (!stop)
			return n;
		one = memchr(stored, PART_SEPARATOR, (size_t)(stop - stored));
		two = one ? memchr(one + 1, PART_SEPARATOR, (size_t)(stop - one - 1)) : NULL;
		if (!two)
			return n;
		put_prev(before, prev);
		sha256_begin(&hash);
		sha256_add(&hash, blocks, "", 1);
		sha256_add(&hash, blocks, stored, (size_t)(one - stored));
		sha256_add(&hash, blocks, before, PREV_CHARS);
		sha256_add(&hash, blocks, one + 1, (size_t)(two - one - 1));
		sha256_add(&hash, blocks, number, put_seq(number, seq));
		sha256_add(&hash, blocks, two + 1, (size_t)(stop - two - 1));
		sha256_end(&hash, blocks, leaves + (size_t)n * SHA256_BYTES);
		if (expected &&
		    memcmp(leaves + (size_t)n * SHA256_BYTES, expected + (size_t)n * SHA256_BYTES, SHA256_BYTES))
			return n;
		prev = leaves + (size_t)n * SHA256_BYTES;
		stored = stop + 1;
	}
	return max;
}

/* The hash of an inner node, which may take the place of a child. Source: RFC 6962 section 2.1. */
static void join(sha256_blocks_function blocks, const uint8_t *left, const uint8_t *right, uint8_t *out)
{
	struct sha256 hash;

	sha256_begin(&hash);
	sha256_add(&hash, blocks, "\1", 1);
	sha256_add(&hash, blocks, left, SHA256_BYTES);
	sha256_add(&hash, blocks, right, SHA256_BYTES);
	sha256_end(&hash, blocks, out);
}

/*
 * Adds leaves to a tree of `size`. `frontier` holds, by height, the last whole subtree of that height, 54 of 32 bytes.
 * The roots of subtrees of 256, 65,536, ... leaves that became whole go to `roots`, in the order in which they did, one
 * after the other: count / 255 + 7 have room there. Gives how many there are.
 */
uint32_t ag_record_grow(uint8_t *frontier, double size, const uint8_t *leaves, uint32_t count, uint8_t *roots)
{
	sha256_blocks_function blocks = sha256_best;
	uint8_t node[SHA256_BYTES];
	uint64_t at = (uint64_t)size;
	uint32_t found = 0;

	for (uint32_t n = 0; n < count; n++, at++) {
		uint32_t height = 0;

		memcpy(node, leaves + (size_t)n * SHA256_BYTES, SHA256_BYTES);
		for (uint64_t left = at; left & 1; left >>= 1) {
			join(blocks, frontier + height * SHA256_BYTES, node, node);
			if (++height % 8 == 0)
				memcpy(roots + (size_t)found++ * SHA256_BYTES, node, SHA256_BYTES);
		}
		memcpy(frontier + height * SHA256_BYTES, node, SHA256_BYTES);
	}
	return found;
}
