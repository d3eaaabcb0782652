/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of what was found out, one after the other in struct ag_hold. */
#ifndef AG_HOLD_TEXT_H
#define AG_HOLD_TEXT_H

#include "hold_resolve.h"

static int add_text(struct ag_hold *hold, struct ag_hold_text *text, const char *from, size_t bytes)
{
	if (bytes > AG_HOLD_TEXT_BYTES - hold->text_bytes)
		return -E2BIG;
	text->at = hold->text_bytes;
	text->bytes = (uint32_t)bytes;
	memcpy(hold->text + text->at, from, bytes);
	hold->text_bytes += (uint32_t)bytes;
	return 0;
}

static int add_path(struct ag_hold_state *state, struct ag_hold_text *text, int fd, uint32_t *flags)
{
	char path[AG_HOLD_PATH_BYTES];
	long length = path_of(state, fd, path, sizeof path, flags);

	return length < 0 ? (int)length : add_text(&state->hold, text, path, (size_t)length);
}

#endif
