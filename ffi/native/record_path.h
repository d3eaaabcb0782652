/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which paths cannot hold a secret although they have long words: names of packages, of libraries, of temporary files.
 * As the scanners of lib/record/redact in their mode for paths, each with fewer conditions. Included once, by
 * record_plain.h.
 */
#ifndef AGENTGUARD_RECORD_PATH_H
#define AGENTGUARD_RECORD_PATH_H

#include <stdint.h>
#include <string.h>

/* A part of a line. */
struct piece {
	const uint8_t *at;
	uint32_t bytes;
};

static inline int is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline int is_letter(uint8_t c)
{
	return (uint8_t)((c | 0x20) - 'a') < 26;
}

/* What a prefix is followed by; isOf of lib/record/redact/vendors.ts. */
enum alphabet { ALNUM, ALNUM_LINE, ALNUM_DASH, BASE64URL, UPPER, HEX, DOTTED, SLASHED };

static int is_of(enum alphabet alphabet, uint8_t c)
{
	switch (alphabet) {
	case UPPER:
		return is_digit(c) || (c >= 'A' && c <= 'Z');
	case HEX:
		return is_digit(c) || (c >= 'a' && c <= 'f');
	case ALNUM_LINE:
		return is_letter(c) || is_digit(c) || c == '_';
	case ALNUM_DASH:
		return is_letter(c) || is_digit(c) || c == '-';
	case BASE64URL:
		return is_letter(c) || is_digit(c) || c == '-' || c == '_';
	case DOTTED:
		return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
	case SLASHED:
		return is_letter(c) || is_digit(c) || c == '/';
	default:
		return is_letter(c) || is_digit(c);
	}
}

/* RULES of lib/record/redact/vendors.ts without the one that begins with a colon. */
static const struct vendor {
	const char *prefix;
	enum alphabet alphabet;
	uint32_t min; /* characters after the prefix */
} vendors[] = {
	{"AKIA", UPPER, 16},
	{"ASIA", UPPER, 16},
	{"ABIA", UPPER, 16},
	{"ACCA", UPPER, 16},
	{"ghp_", ALNUM, 30},
	{"gho_", ALNUM, 30},
	{"ghu_", ALNUM, 30},
	{"ghs_", ALNUM, 30},
	{"ghr_", ALNUM, 30},
	{"github_pat_", ALNUM_LINE, 22},
	{"glpat-", BASE64URL, 20},
	{"gldt-", BASE64URL, 20},
	{"glrt-", BASE64URL, 20},
	{"glcbt-", BASE64URL, 20},
	{"glptt-", BASE64URL, 20},
	{"glsoat-", BASE64URL, 20},
	{"gloas-", BASE64URL, 20},
	{"xoxb-", ALNUM_DASH, 12},
	{"xoxp-", ALNUM_DASH, 12},
	{"xoxa-", ALNUM_DASH, 12},
	{"xoxr-", ALNUM_DASH, 12},
	{"xoxs-", ALNUM_DASH, 12},
	{"xoxe-", ALNUM_DASH, 12},
	{"xapp-", ALNUM_DASH, 12},
	{"hooks.slack.com/services/", SLASHED, 20},
	{"sk-ant-", BASE64URL, 20},
	{"sk-proj-", BASE64URL, 20},
	{"sk-svcacct-", BASE64URL, 20},
	{"sk-admin-", BASE64URL, 20},
	{"sk-", BASE64URL, 20},
	{"AIza", BASE64URL, 35},
	{"ya29.", BASE64URL, 20},
	{"GOCSPX-", BASE64URL, 20},
	{"sk_live_", ALNUM, 16},
	{"sk_test_", ALNUM, 16},
	{"rk_live_", ALNUM, 16},
	{"rk_test_", ALNUM, 16},
	{"whsec_", ALNUM, 16},
	{"npm_", ALNUM, 30},
	{"SK", HEX, 32},
	{"SG.", DOTTED, 40},
	{"key-", HEX, 32},
	{"pypi-", BASE64URL, 50},
	{"hf_", ALNUM, 30},
	{"dop_v1_", HEX, 64},
	{"doo_v1_", HEX, 64},
	{"dor_v1_", HEX, 64},
	{"hvs.", BASE64URL, 20},
	{"hvb.", BASE64URL, 20},
	{"dapi", HEX, 32},
	{"dckr_pat_", BASE64URL, 20},
	{"glsa_", ALNUM_LINE, 30},
	{"shpat_", HEX, 32},
	{"shpss_", HEX, 32},
	{"shpca_", HEX, 32},
	{"shppa_", HEX, 32},
	{"lin_api_", ALNUM, 30},
	{"gsk_", ALNUM, 40},
	{"xai-", ALNUM, 40},
	{"nvapi-", BASE64URL, 40},
	{"r8_", ALNUM, 30},
	{"ATATT3", BASE64URL, 50},
	{"sbp_", HEX, 40},
	{"tskey-", ALNUM_DASH, 20},
	{"AGE-SECRET-KEY-1", UPPER, 50},
	{"Bearer ", DOTTED, 16},
	{"bearer ", DOTTED, 16},
};

/* The second characters of prefixes by their first, as bits of the low six bits of each. */
#define SECOND(c) (1ull << ((c)&63))
static const uint64_t vendor_pairs[128] = {
	['A'] = SECOND('K') | SECOND('S') | SECOND('B') | SECOND('C') | SECOND('I') | SECOND('T') | SECOND('G'),
	['B'] = SECOND('e'),
	['G'] = SECOND('O'),
	['S'] = SECOND('K') | SECOND('G'),
	['b'] = SECOND('e'),
	['d'] = SECOND('o') | SECOND('a') | SECOND('c'),
	['g'] = SECOND('h') | SECOND('i') | SECOND('l') | SECOND('s'),
	['h'] = SECOND('o') | SECOND('f') | SECOND('v'),
	['k'] = SECOND('e'),
	['l'] = SECOND('i'),
	['n'] = SECOND('p') | SECOND('v'),
	['p'] = SECOND('y'),
	['r'] = SECOND('k') | SECOND('8'),
	['s'] = SECOND('k') | SECOND('h') | SECOND('b'),
	['t'] = SECOND('s'),
	['w'] = SECOND('h'),
	['x'] = SECOND('o') | SECOND('a'),
	['y'] = SECOND('a'),
};

/* Whether something that a vendor gives out may begin at the front of `text`. */
static int begins_vendor(struct piece text)
{
	if (text.bytes < 2 || text.at[0] >= 128 || !(vendor_pairs[text.at[0]] & SECOND(text.at[1])))
		return 0;
	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
		uint32_t length = (uint32_t)strlen(vendors[i].prefix), end = length + vendors[i].min, at = length;

		if (text.bytes < end || memcmp(text.at, vendors[i].prefix, length) != 0)
			continue;
		while (at < end && is_of(vendors[i].alphabet, text.at[at]))
			at++;
		if (at == end)
			return 1;
	}
	return 0;
}

#define EMAIL_DOMAIN_MAX 255

/* Whether the `@` at `at` may stand in an address; scanEmail of lib/record/redact/shapes.ts. */
static int is_address(struct piece text, uint32_t at)
{
	uint32_t end = at + 1, dot;
	uint8_t before = at > 0 ? text.at[at - 1] : '/';

	if (!is_letter(before) && !is_digit(before) && !strchr("-_.+%", before))
		return 0;
	while (end < text.bytes &&
	       (is_letter(text.at[end]) || is_digit(text.at[end]) || text.at[end] == '-' || text.at[end] == '.'))
		end++;
	if (end - at >= EMAIL_DOMAIN_MAX)
		return 1;
	while (text.at[end - 1] == '.')
		end--;
	for (dot = end; dot > at && text.at[dot - 1] != '.';)
		if (!is_letter(text.at[--dot]))
			return 0;
	return dot > at;
}

/* Long random words are of all three kinds of characters; digests are not. */
#define RANDOM_BYTES_MIN 32
#define CARD_DIGITS_MIN 13

/* What is counted on the way through a path. */
struct path_counts {
	uint32_t run;    /* letters, digits and plus signs in one piece */
	uint32_t kinds;  /* of characters in it: 1 small, 2 capital, 4 digits, 8 what is no hexadecimal digit */
	uint32_t digits; /* with single separators between them */
	uint32_t dashes;
};

/* Counts one more character. True where the piece may be random, a card's number or a key in PEM. */
static int is_telling(struct path_counts *counts, uint8_t c, uint8_t next)
{
	int letter = is_letter(c), digit = is_digit(c);

	counts->digits = digit ? counts->digits + 1 : ((c == '-' || c == ' ') && is_digit(next) ? counts->digits : 0);
	counts->dashes = c == '-' ? counts->dashes + 1 : 0;
	if (!letter && !digit && c != '+') {
		counts->run = counts->kinds = 0;
		return counts->dashes >= 5;
	}
	counts->run++;
	counts->kinds |= digit ? 4 : letter ? (c >= 'a' ? 1 : 2) : 8;
	counts->kinds |= letter && (c | 0x20) > 'f' ? 8 : 0;
	return counts->digits >= CARD_DIGITS_MIN || (counts->run >= RANDOM_BYTES_MIN && counts->kinds == 15);
}

/*
 * Whether a path, the inside of a JSON string, may hold a secret: false only where lib/record/redact finds nothing in
 * it when it reads it as a path.
 */
static int is_secret_path(struct piece text)
{
	struct path_counts counts = {0};

	for (uint32_t i = 0; i < text.bytes; i++) {
		uint8_t c = text.at[i], next = i + 1 < text.bytes ? text.at[i + 1] : 0;
		struct piece rest = {text.at + i, text.bytes - i};

		if (c == '=' || c == ':' || c == '\\' || (c == '@' && is_address(text, i)))
			return 1;
		if (is_telling(&counts, c, next) || begins_vendor(rest))
			return 1;
		if (c == 'e' && rest.bytes > 2 && memcmp(rest.at, "eyJ", 3) == 0)
			return 1;
	}
	return 0;
}

#endif
