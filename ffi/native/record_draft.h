/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One draft, a line of JSON, is taken apart into its members, each in canonical form. Only what is plain is done here;
 * lib/record does the rest. Included once, by record.c.
 */
#ifndef AGENTGUARD_RECORD_DRAFT_H
#define AGENTGUARD_RECORD_DRAFT_H

#include "record_json.h"

#define DRAFT_BYTES_MAX 262144 /* a longer line may give an entry over the bound: not here */
#define DRAFT_ROOM 512         /* what the recorder adds */
#define DRAFT_TIME_MAX 9007199254740991ull
#define DRAFT_ID_BYTES 26

static const char *const draft_names[DRAFT_MEMBERS] = {
	"action", "decision", "gap", "kind", "outcome", "principal", "process", "session_id", "time_us",
};

/* How the texts of an action must be looked at: its type may come behind them. */
static int action_part(struct draft *draft)
{
	const uint8_t *in = draft->in;
	struct piece type = {in, 0};

	if (!draft->redacted)
		return PART_ACTION;
	/* JSON.stringify keeps the order in which the guard makes actions: the type comes first. */
	if (strncmp((const char *)in, "{\"type\":\"", 9) != 0) {
		draft->failed = 1;
		return PART_ACTION;
	}
	type.at = in + 9;
	while (type.at[type.bytes] >= ' ' && type.at[type.bytes] != '"')
		type.bytes++;
	if (IS_ONE_OF(type, bare_actions))
		return PART_ACTION;
	draft->failed |= !IS_ONE_OF(type, plain_actions);
	return PART_ACTION_TEXTS;
}

/* A whole number of microseconds that an entry can carry. */
static void read_time(struct draft *draft)
{
	const uint8_t *at = draft->in;
	uint64_t value = 0;

	while (is_digit(*at) && at - draft->in < 17)
		value = value * 10 + (uint64_t)(*at++ - '0');
	draft->failed |= at == draft->in || (*at != ',' && *at != '}') || value > DRAFT_TIME_MAX;
	draft->time_us = value;
	draft->in = at;
}

static void read_member(struct draft *draft, int which)
{
	struct piece *member = draft->members + which, text;

	member->at = draft->out;
	switch (which) {
	case DRAFT_TIME:
		read_time(draft);
		break;
	case DRAFT_KIND:
	case DRAFT_SESSION:
		if (*draft->in != '"') {
			draft->failed = 1;
			break;
		}
		text = copy_string(draft);
		draft->fields[which == DRAFT_KIND ? FIELD_KIND : FIELD_SESSION] = text;
		break;
	case DRAFT_ACTION:
		copy_value(draft, 0, action_part(draft));
		break;
	case DRAFT_DECISION:
		copy_value(draft, 0, PART_DECISION);
		break;
	case DRAFT_OUTCOME:
		copy_value(draft, 0, PART_OUTCOME);
		break;
	case DRAFT_PROCESS:
		copy_value(draft, 0, PART_PROCESS);
		break;
	default:
		copy_value(draft, 0, PART_OTHER);
		break;
	}
	member->bytes = (uint32_t)(draft->out - member->at);
}

/*
 * Reads one line; its members are written behind each other at `draft->out`. Sets `failed` where lib/record must do it.
 */
static void read_draft(struct draft *draft)
{
	if (*draft->in++ != '{')
		draft->failed = 1;
	while (!draft->failed && *draft->in == '"') {
		struct piece name = {draft->in + 1, 0};
		int which = 0;

		while (name.at[name.bytes] >= ' ' && name.at[name.bytes] != '"')
			name.bytes++;
		while (which < DRAFT_MEMBERS && !piece_is(name, draft_names[which]))
			which++;
		draft->in = name.at + name.bytes;
		if (which == DRAFT_MEMBERS || draft->members[which].at || draft->in[0] != '"' || draft->in[1] != ':')
			break;
		draft->in += 2;
		read_member(draft, which);
		if (draft->failed)
			return;
		if (*draft->in == '}') {
			draft->failed |= draft->in[1] != '\n' || !draft->members[DRAFT_TIME].at ||
					 !draft->members[DRAFT_KIND].at;
			return;
		}
		if (*draft->in++ != ',')
			break;
	}
	draft->failed = 1;
}

#endif
