/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which texts of a draft cannot hold a secret, so that the redactor need not look at them. Every answer but "plain" is
 * a guess that lib/record/redact settles. Included once, by record_json.h.
 */
#ifndef AGENTGUARD_RECORD_PLAIN_H
#define AGENTGUARD_RECORD_PLAIN_H

#include "record_path.h"

#define DRAFT_TEXT_MAX 65536 /* bytes of a text that is kept whole; TEXT_CHARS_MAX of the redactor */

static int piece_is(struct piece piece, const char *text)
{
	return piece.bytes == strlen(text) && memcmp(piece.at, text, piece.bytes) == 0;
}

/* Letters, digits, and what joins them: WORD of lib/record/redact/chars.ts. */
static inline int is_word(uint8_t c)
{
	return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '+';
}

/*
 * As `isSuspicious` of lib/record/redact/text.ts, on the inside of a JSON string; a backslash is suspicious, too. False
 * only where that one says false.
 */
static int is_suspicious(struct piece text)
{
	uint32_t run = 0, digits = 0;

	if (text.bytes > DRAFT_TEXT_MAX)
		return 1;
	for (uint32_t i = 0; i < text.bytes; i++) {
		uint8_t c = text.at[i];

		if (is_word(c)) {
			if (++run >= 16 || (is_digit(c) && ++digits >= 13))
				return 1;
			if (c == '-' && (run == 5 || (run == 1 && i > 0 && text.at[i - 1] <= ' ')))
				return 1;
		} else if (c == '@' || c == '=' || c == ':' || c == '\\') {
			return 1;
		} else {
			run = 0;
		}
	}
	return 0;
}

/* The same of a text that is read as a path. */
static int is_suspicious_path(struct piece text)
{
	return is_suspicious(text) && (text.bytes > DRAFT_TEXT_MAX || is_secret_path(text));
}

/* A word that names a file; isPathWord of lib/record/redact/redactor.ts. */
static int is_path_word(struct piece word)
{
	static const char *const fronts[] = {"/", "./", "../", "~/"};

	for (int i = 0; i < 4; i++)
		if (word.bytes >= strlen(fronts[i]) && memcmp(word.at, fronts[i], strlen(fronts[i])) == 0)
			return !memchr(word.at, ' ', word.bytes);
	return 0;
}

/* False for a word of a command that may be a flag or an assignment, whose neighbours then matter. */
static int is_plain_word(struct piece word, int is_first)
{
	if (word.bytes > 0 && word.at[0] == '-')
		return 0;
	return !(is_first || is_path_word(word) ? is_suspicious_path(word) : is_suspicious(word));
}

/* Actions whose members are known, and hold nothing to hide but in their paths and words. */
static const char *const plain_actions[] = {
	"exec",         "exec.failed", "file.read",  "file.write", "file.create", "file.truncate", "file.delete",
	"file.mkdir",   "file.rmdir",  "file.chmod", "file.chown", "file.mknod",  "file.rename",   "file.link",
	"file.symlink", "net.connect", "net.send",   "net.bind",   "net.listen",
};
/* Actions without a text of somebody else. */
static const char *const bare_actions[] = {
	"process.fork",
	"process.exit",
};
/* Members of an action that the guard writes itself: OWN_NAMES of the redactor, those of these actions. */
static const char *const own_members[] = {
	"type", "missing", "flags", "result", "errno", "mode", "owner", "protocol", "address", "host_source",
};

/* Members that hold a path: those of PATH_NAMES that these actions and processes have. */
static const char *const path_members[] = {
	"path", "requested_path", "new_path", "requested_new_path", "interpreter", "cwd", "exe",
};

static int is_one_of(struct piece piece, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (piece_is(piece, names[i]))
			return 1;
	return 0;
}
#define IS_ONE_OF(piece, names) is_one_of(piece, names, sizeof(names) / sizeof((names)[0]))

#endif
