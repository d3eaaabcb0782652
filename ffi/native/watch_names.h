/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names and objects a rule could be about. Errs to one side: what is passed over can match no rule, whoever opens
 * it and whatever happened before.
 */
#ifndef AG_WATCH_NAMES_H
#define AG_WATCH_NAMES_H

#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 1048576

/* An entry of the table: a text of one kind, or an object. */
struct watch_entry {
	uint64_t hash; /* never 0 */
	uint64_t ino, dev;
	const char *text;
	uint32_t bytes;
	uint32_t kind; /* enum ag_watch_kind; 0 for an object */
};

struct watch_table {
	uint32_t flags;  /* enum ag_watch_table_flag */
	uint32_t places; /* power of two */
	uint32_t kinds;  /* bit for each kind that occurs */
	struct watch_entry *entries;
	char *memory; /* of the texts */
};

static uint64_t watch_hash(uint32_t kind, const char *text, size_t bytes)
{
	uint64_t hash = 0xcbf29ce484222325ULL ^ kind;

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ULL;
	return hash ? hash : 1;
}

static uint64_t object_hash(uint64_t dev, uint64_t ino)
{
	uint64_t hash = (ino ^ dev << 40 ^ dev >> 24) * 0x9e3779b97f4a7c15ULL;

	hash ^= hash >> 29;
	return hash ? hash : 1;
}

static void put_entry(struct watch_table *table, const struct watch_entry *entry)
{
	uint32_t at = (uint32_t)entry->hash & (table->places - 1);

	while (table->entries[at].hash)
		at = (at + 1) & (table->places - 1);
	table->entries[at] = *entry;
	table->kinds |= 1u << entry->kind;
}

static void free_table(struct watch_table *table)
{
	if (!table)
		return;
	free(table->entries);
	free(table->memory);
	free(table);
}

static uint32_t read_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

/*
 * Makes a table of: flags, number of texts, number of objects (4 bytes each); then kind, length (4 bytes each) and the
 * bytes of every text; then device and inode (8 bytes each) of every object. Null with errno.
 */
static struct watch_table *make_table(const uint8_t *bytes, uint32_t length)
{
	struct watch_table *table = calloc(1, sizeof *table);
	uint32_t texts, objects, at = 12;

	if (!table)
		return NULL;
	errno = EINVAL;
	if (length < 12)
		goto failed;
	table->flags = read_u32(bytes);
	texts = read_u32(bytes + 4);
	objects = read_u32(bytes + 8);
	if (texts > ENTRIES_MAX || objects > ENTRIES_MAX)
		goto failed;
	for (table->places = 16; table->places < 2 * (texts + objects); table->places *= 2)
		;
	table->entries = calloc(table->places, sizeof *table->entries);
	table->memory = malloc(length);
	if (!table->entries || !table->memory)
		goto failed;
	memcpy(table->memory, bytes, length);
	for (uint32_t i = 0; i < texts; i++) {
		struct watch_entry entry = {0};
		errno = EINVAL;
		if (length - at < 8)
			goto failed;
		entry.kind = read_u32(bytes + at);
		entry.bytes = read_u32(bytes + at + 4);
		at += 8;
		if (entry.kind < AG_WATCH_EXACT || entry.kind > AG_WATCH_EXTENSION || entry.bytes > length - at)
			goto failed;
		entry.text = table->memory + at;
		entry.hash = watch_hash(entry.kind, entry.text, entry.bytes);
		put_entry(table, &entry);
		at += entry.bytes;
	}
	for (uint32_t i = 0; i < objects; i++) {
		struct watch_entry entry = {0};
		if (length - at < 16)
			goto failed;
		memcpy(&entry.dev, bytes + at, 8);
		memcpy(&entry.ino, bytes + at + 8, 8);
		entry.hash = object_hash(entry.dev, entry.ino);
		put_entry(table, &entry);
		at += 16;
	}
	return table;
failed:
	free_table(table);
	return NULL;
}

static int has_object(const struct watch_table *table, uint64_t dev, uint64_t ino)
{
	uint64_t hash = object_hash(dev, ino);

	for (uint32_t at = (uint32_t)hash;; at++) {
		const struct watch_entry *entry = &table->entries[at & (table->places - 1)];
		if (!entry->hash)
			return 0;
		if (entry->hash == hash && !entry->kind && entry->dev == dev && entry->ino == ino)
			return 1;
	}
}

static int has_text(const struct watch_table *table, uint32_t kind, const char *text, size_t bytes)
{
	uint64_t hash;

	if (!(table->kinds & 1u << kind))
		return 0;
	hash = watch_hash(kind, text, bytes);
	for (uint32_t at = (uint32_t)hash;; at++) {
		const struct watch_entry *entry = &table->entries[at & (table->places - 1)];
		if (!entry->hash)
			return 0;
		if (entry->hash == hash && entry->kind == kind && entry->bytes == bytes &&
		    memcmp(entry->text, text, bytes) == 0)
			return 1;
	}
}

/* Bytes that no rule can be about are nobody's UTF-8: TypeScript sees such names in another form. */
static int is_plain(const char *name, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if ((uint8_t)name[i] >= 0x80)
			return 0;
	return 1;
}

/* True if a rule could be about the absolute name. */
static int is_named(const struct watch_table *table, const char *name, size_t bytes)
{
	const char *base = name + bytes, *dot = NULL;
	size_t from = 1;

	if (bytes == 0 || name[0] != '/' || !is_plain(name, bytes))
		return 1;
	if (has_text(table, AG_WATCH_EXACT, name, bytes) || has_text(table, AG_WATCH_TREE, name, bytes) ||
	    has_text(table, AG_WATCH_TREE, "", 0))
		return 1;
	for (size_t at = 1; at <= bytes; at++) {
		if (at < bytes && name[at] != '/')
			continue;
		if (at < bytes && has_text(table, AG_WATCH_TREE, name, at))
			return 1;
		if (has_text(table, AG_WATCH_COMPONENT, name + from, at - from))
			return 1;
		base = name + from;
		from = at + 1;
	}
	for (const char *at = base; at < name + bytes; at++)
		if (*at == '.')
			dot = at;
	return has_text(table, AG_WATCH_BASE, base, (size_t)(name + bytes - base)) ||
	       (dot && has_text(table, AG_WATCH_EXTENSION, dot, (size_t)(name + bytes - dot)));
}

#endif
