/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names and objects a rule could be about. Errs to one side: what is not needed can match no rule, whoever asks
 * for it and whatever happened before. ffi/needed_table.ts writes the tables.
 */
#ifndef AG_NEEDED_NAMES_H
#define AG_NEEDED_NAMES_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 1048576

/* What a rule needs in a name. The numbers are those of KINDS in ffi/needed_table.ts. */
enum ag_needed_kind {
	AG_NEEDED_EXACT = 1, /* the whole name */
	AG_NEEDED_TREE,      /* a directory, for itself and everything below it */
	AG_NEEDED_BASE,      /* the last component */
	AG_NEEDED_COMPONENT, /* any component */
	AG_NEEDED_EXTENSION, /* the last component from its last dot on */
};

/* What is done to a file; bits of a table. FILE_ACTION_TYPES of lib/core has the same order. */
enum ag_file_action {
	AG_FILE_READ = 1 << 0,
	AG_FILE_WRITE = 1 << 1,
	AG_FILE_CREATE = 1 << 2,
	AG_FILE_TRUNCATE = 1 << 3,
	AG_FILE_DELETE = 1 << 4,
	AG_FILE_MKDIR = 1 << 5,
	AG_FILE_RMDIR = 1 << 6,
	AG_FILE_CHMOD = 1 << 7,
	AG_FILE_CHOWN = 1 << 8,
	AG_FILE_MKNOD = 1 << 9,
	AG_FILE_RENAME = 1 << 10,
	AG_FILE_LINK = 1 << 11,
	AG_FILE_SYMLINK = 1 << 12,
};

/* An entry of the table: a text of one kind, or an object. */
struct needed_entry {
	uint64_t hash; /* never 0 */
	uint64_t ino, dev;
	const char *text;
	uint32_t bytes;
	uint32_t kind;    /* enum ag_needed_kind; 0 for an object */
	uint32_t actions; /* enum ag_file_action: what a rule says of such names */
};

struct needed_table {
	uint32_t flags;  /* whose meaning is that of who uses the table */
	uint32_t all;    /* enum ag_file_action: a rule could be about every name */
	uint32_t places; /* power of two */
	uint32_t kinds;  /* bit for each kind that occurs */
	struct needed_entry *entries;
	char *memory; /* of the texts */
};

static uint64_t needed_hash(uint32_t kind, const char *text, size_t bytes)
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

static void put_entry(struct needed_table *table, const struct needed_entry *entry)
{
	uint32_t at = (uint32_t)entry->hash & (table->places - 1);

	while (table->entries[at].hash)
		at = (at + 1) & (table->places - 1);
	table->entries[at] = *entry;
	table->kinds |= 1u << entry->kind;
}

static void free_table(struct needed_table *table)
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
 * Makes a table of: flags, actions about which every name counts, number of texts, number of objects (4 bytes each);
 * then kind, actions, length (4 bytes each) and the bytes of every text; then device and inode (8 bytes each) of every
 * object. Null with errno.
 */
static struct needed_table *make_table(const uint8_t *bytes, uint32_t length)
{
	struct needed_table *table = calloc(1, sizeof *table);
	uint32_t texts, objects, at = 16;

	if (!table)
		return NULL;
	errno = EINVAL;
	if (length < 16)
		goto failed;
	table->flags = read_u32(bytes);
	table->all = read_u32(bytes + 4);
	texts = read_u32(bytes + 8);
	objects = read_u32(bytes + 12);
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
		struct needed_entry entry = {0};
		errno = EINVAL;
		if (length - at < 12)
			goto failed;
		entry.kind = read_u32(bytes + at);
		entry.actions = read_u32(bytes + at + 4);
		entry.bytes = read_u32(bytes + at + 8);
		at += 12;
		if (entry.kind < AG_NEEDED_EXACT || entry.kind > AG_NEEDED_EXTENSION || entry.bytes > length - at)
			goto failed;
		entry.text = table->memory + at;
		entry.hash = needed_hash(entry.kind, entry.text, entry.bytes);
		put_entry(table, &entry);
		at += entry.bytes;
	}
	for (uint32_t i = 0; i < objects; i++) {
		struct needed_entry entry = {0};
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

static inline int has_object(const struct needed_table *table, uint64_t dev, uint64_t ino)
{
	uint64_t hash = object_hash(dev, ino);

	for (uint32_t at = (uint32_t)hash;; at++) {
		const struct needed_entry *entry = &table->entries[at & (table->places - 1)];
		if (!entry->hash)
			return 0;
		if (entry->hash == hash && !entry->kind && entry->dev == dev && entry->ino == ino)
			return 1;
	}
}

/* A name of a kind that one of the actions counts for. One text has one entry of each kind. */
static int has_text(const struct needed_table *table, uint32_t actions, uint32_t kind, const char *text, size_t bytes)
{
	uint64_t hash;

	if (!(table->kinds & 1u << kind))
		return 0;
	hash = needed_hash(kind, text, bytes);
	for (uint32_t at = (uint32_t)hash;; at++) {
		const struct needed_entry *entry = &table->entries[at & (table->places - 1)];
		if (!entry->hash)
			return 0;
		if (entry->hash == hash && entry->kind == kind && entry->bytes == bytes && entry->actions & actions &&
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

/* True if the table has the absolute name as a tree, or one that it lies in. */
static int is_in_tree_of(const struct needed_table *table, uint32_t actions, const char *name, size_t bytes)
{
	if (has_text(table, actions, AG_NEEDED_TREE, "", 0) || has_text(table, actions, AG_NEEDED_TREE, name, bytes))
		return 1;
	for (size_t at = 1; at < bytes; at++)
		if (name[at] == '/' && has_text(table, actions, AG_NEEDED_TREE, name, at))
			return 1;
	return 0;
}

/* True if a rule about one of the actions could be about the absolute name. */
static int is_needed(const struct needed_table *table, uint32_t actions, const char *name, size_t bytes)
{
	const char *base = name + bytes, *dot = NULL;
	size_t from = 1;

	if (table->all & actions || bytes == 0 || name[0] != '/' || !is_plain(name, bytes))
		return 1;
	if (has_text(table, actions, AG_NEEDED_EXACT, name, bytes) || is_in_tree_of(table, actions, name, bytes))
		return 1;
	for (size_t at = 1; at <= bytes; at++) {
		if (at < bytes && name[at] != '/')
			continue;
		if (has_text(table, actions, AG_NEEDED_COMPONENT, name + from, at - from))
			return 1;
		base = name + from;
		from = at + 1;
	}
	for (const char *at = base; at < name + bytes; at++)
		if (*at == '.')
			dot = at;
	return has_text(table, actions, AG_NEEDED_BASE, base, (size_t)(name + bytes - base)) ||
	       (dot && has_text(table, actions, AG_NEEDED_EXTENSION, dot, (size_t)(name + bytes - dot)));
}

#endif
