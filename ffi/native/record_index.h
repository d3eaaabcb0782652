/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the index must know of entries: `indexedOf` and `idKey` of lib/record/terms.ts. Included once, by record.c.
 */
#ifndef AGENTGUARD_RECORD_INDEX_H
#define AGENTGUARD_RECORD_INDEX_H

#include "record_draft.h"

/* A value that the index holds: where it lies in the input. */
struct ag_record_term {
	uint32_t field;
	uint32_t at;
	uint32_t bytes;
};

#define BLOCK_ENTRIES 256
#define TERMS_MAX (BLOCK_ENTRIES * (FIELD_END - 1))
#define TERM_SLOTS 4096 /* a power of two, over three times TERMS_MAX */

/* The value of a digit of a ULID, or -1. */
static int ulid_digit(uint8_t c)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* `idKey` of lib/record/terms.ts; negative for a text that is left to the caller. */
static double id_key(struct piece id)
{
	uint64_t ms = 0;
	uint32_t hash = 0x811c9dc5;
	int is_ulid = id.bytes == DRAFT_ID_BYTES && id.at[0] <= '7';

	for (uint32_t i = 0; i < id.bytes; i++) {
		int digit = ulid_digit(id.at[i]);

		if (id.at[i] >= 0x80 || id.at[i] == '\\')
			return -1;
		is_ulid &= digit >= 0;
		if (i < 10)
			ms = ms * 32 + (uint64_t)(digit < 0 ? 0 : digit);
		hash = (hash ^ id.at[i]) * 0x01000193;
	}
	return is_ulid ? (double)ms : (double)((1ull << 50) + hash);
}

/* Terms of this call, each once. */
struct term_set {
	uint16_t slots[TERM_SLOTS]; /* place in the list, from 1 */
	struct ag_record_term *list;
	uint32_t count;
};

static void add_term(struct term_set *set, const uint8_t *input, uint32_t field, struct piece value)
{
	uint32_t hash = field;

	for (uint32_t i = 0; i < value.bytes; i++)
		hash = (hash ^ value.at[i]) * 0x01000193;
	hash ^= hash >> 15;
	for (uint32_t slot = hash;; slot++) {
		uint16_t *place = set->slots + slot % TERM_SLOTS;
		const struct ag_record_term *known = set->list + *place - 1;

		if (*place == 0) {
			set->list[set->count++] =
				(struct ag_record_term){field, (uint32_t)(value.at - input), value.bytes};
			*place = (uint16_t)set->count;
			return;
		}
		if (known->field == field && known->bytes == value.bytes &&
		    memcmp(input + known->at, value.at, value.bytes) == 0)
			return;
	}
}

#endif
