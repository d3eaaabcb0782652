/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held changes that no rule can be about: done and answered here, before anybody else wakes up. It errs to one side:
 * whatever a rule, a limit of the command or the guard's own files could be about is TypeScript's, pinned already.
 */
#ifndef AG_HOLD_SERVE_H
#define AG_HOLD_SERVE_H

#include "hold_made.h"
#include "hold_names.h"
#include "watch.h"

#include <time.h>

/* How often a place may change between looking and doing, before the call is given up. */
#define AG_MOVES_MAX 8

enum ag_served {
	AG_SERVED,    /* its caller has the answer */
	AG_SERVE_NOT, /* it is TypeScript's */
	AG_SERVE_LEFT /* it was done, and its caller has gone without the result */
};

static struct ag_hold_session *find_session(struct ag_hold_state *state, int listener)
{
	for (int i = 0; i < AG_HOLD_SESSIONS_MAX; i++)
		if (state->sessions[i].listener == listener)
			return &state->sessions[i];
	return NULL;
}

/* What an open does; `file.create` of what is not there, else by its flags, and what may be read by it is. */
static uint32_t open_actions(const struct ag_pinned *p)
{
	const uint64_t flags = p->open_flags;
	uint32_t actions = 0;

	if (flags & O_PATH)
		return AG_FILE_READ;
	if (flags & O_CREAT && p->old.object < 0)
		return AG_FILE_CREATE;
	if (flags & O_TRUNC)
		actions |= AG_FILE_TRUNCATE;
	if ((flags & O_ACCMODE) != O_WRONLY)
		actions |= AG_FILE_READ;
	if ((flags & O_ACCMODE) != O_RDONLY)
		actions |= AG_FILE_WRITE;
	return actions;
}

/* Every action that rules may see in a change; another name for an object is all that can be done by it. */
static uint32_t actions_of(const struct ag_pinned *p)
{
	const uint32_t named = AG_FILE_READ | AG_FILE_WRITE | AG_FILE_CREATE;

	switch (p->action) {
	case AG_HOLD_OPEN:
		return open_actions(p);
	case AG_HOLD_DELETE:
		return AG_FILE_DELETE;
	case AG_HOLD_RMDIR:
		return AG_FILE_RMDIR;
	case AG_HOLD_MKDIR:
		return AG_FILE_MKDIR;
	case AG_HOLD_MKNOD:
		return AG_FILE_MKNOD;
	case AG_HOLD_CHMOD:
		return AG_FILE_CHMOD;
	case AG_HOLD_CHOWN:
		return AG_FILE_CHOWN;
	case AG_HOLD_TRUNCATE:
		return AG_FILE_TRUNCATE;
	case AG_HOLD_RENAME:
		return AG_FILE_RENAME | named;
	case AG_HOLD_LINK:
		return AG_FILE_LINK | named;
	default:
		return UINT32_MAX;
	}
}

/* What a change needs at its places of the limits that its command has, see lib/app/write_places.ts; 0: nothing. */
static uint32_t needed_places(const struct ag_pinned *p)
{
	if (p->action == AG_HOLD_CHMOD || p->action == AG_HOLD_CHOWN)
		return 0;
	if (p->action == AG_HOLD_TRUNCATE)
		return AG_PLACE_WRITE | AG_PLACE_WRITE_FILES;
	if (p->action != AG_HOLD_OPEN)
		return AG_PLACE_WRITE;
	if (p->open_flags & O_PATH)
		return 0;
	if (p->open_flags & O_CREAT && p->old.object < 0)
		return AG_PLACE_WRITE;
	return p->open_flags & (O_ACCMODE | O_TRUNC) ? AG_PLACE_WRITE | AG_PLACE_WRITE_FILES : 0;
}

static int is_within_places(const struct ag_hold_state *state, const struct ag_hold_session *session,
			    const struct ag_pinned *p)
{
	const struct ag_hold *hold = &state->hold;
	const struct ag_hold_text *path = &hold->change.path, *new_path = &hold->change.new_path;
	const uint32_t needed = needed_places(p);

	if (!session->places || !needed)
		return 1;
	return is_in_tree_of(session->places, needed, hold->text + path->at, path->bytes) &&
	       (!p->new_path || is_in_tree_of(session->places, needed, hold->text + new_path->at, new_path->bytes));
}

/* True if a rule about one of the actions could be about the first or second place of a change. */
static int place_may_be_meant(const struct ag_hold_state *state, const struct ag_pinned *p, uint32_t actions,
			      int second)
{
	const struct ag_hold *hold = &state->hold;
	const struct ag_hold_change *c = &hold->change;
	const struct ag_hold_text *path = second ? &c->new_path : &c->path;
	const struct ag_hold_text *base = second ? &c->new_base : &c->base;
	const struct ag_hold_text *requested = second ? &c->new_requested : &c->requested;

	/* What was asked for is the path itself. */
	if ((second ? &p->new : &p->old)->straight && hold->text[requested->at] != '@' &&
	    ends_path(hold->text + path->at, path->bytes, hold->text + requested->at, requested->bytes))
		return is_needed(state->rules, actions, hold->text + path->at, path->bytes);
	return may_be_meant(state->rules, actions, hold->text + path->at, path->bytes, hold->text + base->at,
			    base->bytes, hold->text + requested->at, requested->bytes);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* True if one of several names of an object may be protected. */
static int may_be_linked(const struct ag_hold_state *state, const struct stat *info)
{
	if (S_ISDIR(info->st_mode) || info->st_nlink < 2)
		return 0;
	return !state->linked || now_ms() >= state->linked_until_ms ||
	       has_object(state->linked, info->st_dev, info->st_ino);
}

/* True if nothing that anybody could have to say is about a change that was pinned and told. */
static int goes_on(const struct ag_hold_state *state, const struct ag_hold_session *session, const struct ag_pinned *p)
{
	const int renames = p->action == AG_HOLD_RENAME || p->action == AG_HOLD_LINK;
	const int directory = p->old.object >= 0 && S_ISDIR(p->old.info.st_mode);

	/* What a symbolic link leads to, and a file without a name, have names that are not looked at here. */
	if (p->action == AG_HOLD_SYMLINK || (p->action == AG_HOLD_OPEN && (p->open_flags & O_TMPFILE) == O_TMPFILE) ||
	    state->hold.change.flags & AG_HOLD_UNHASHED)
		return 0;
	/* It would wait for whoever opens the other end. */
	if (p->action == AG_HOLD_OPEN && p->old.object >= 0 && S_ISFIFO(p->old.info.st_mode))
		return 0;
	/* Another of its names may be protected, or one below it. */
	if ((p->old.object >= 0 && may_be_linked(state, &p->old.info)) || (renames && directory))
		return 0;
	return is_within_places(state, session, p) && !place_may_be_meant(state, p, actions_of(p), 0) &&
	       !(p->new_path && place_may_be_meant(state, p, actions_of(p), 1));
}

/* Opens what is there. Where opens are watched, the guard's own would wait for another thread, too. */
static int perform_passed(struct ag_hold_state *state, struct ag_pinned *p, int listener, int *result)
{
	const struct ag_hold_text *path = &state->hold.change.path;
	int passed[AG_HOLD_SESSIONS_MAX], done;

	for (int i = 0; i < AG_HOLD_SESSIONS_MAX; i++)
		passed[i] = state->watches[i] ? ag_watch_pass(state->watches[i], p->old.object,
							      state->hold.text + path->at, path->bytes, &p->old.info) :
						0;
	done = perform(state, p, listener, result);
	for (int i = 0; i < AG_HOLD_SESSIONS_MAX; i++)
		if (passed[i])
			ag_watch_opened(state->watches[i], p->old.object, &p->old.info, passed[i]);
	return done;
}

/* True if a rule about reading could be about a name that an object has, or is about to get. */
static int is_watched(const struct ag_hold_state *state, struct ag_watch *w)
{
	const struct ag_hold *hold = &state->hold;
	const struct ag_hold_text *path = &hold->change.path, *new_path = &hold->change.new_path;

	return ag_watch_needs(w, hold->text + path->at, path->bytes) ||
	       ag_watch_needs(w, hold->text + new_path->at, new_path->bytes);
}

/* Gives an object another name: where one is watched nobody passes it over meanwhile. Marks are the guard's own. */
static int perform_barred(struct ag_hold_state *state, struct ag_pinned *p, int listener, int *result)
{
	struct ag_watch *barred[AG_HOLD_SESSIONS_MAX];
	int count = 0, done;

	for (int i = 0; i < AG_HOLD_SESSIONS_MAX; i++) {
		if (!state->watches[i] || !is_watched(state, state->watches[i]))
			continue;
		become_self(state);
		ag_watch_bar(state->watches[i], p->old.object, p->new.object, 0);
		barred[count++] = state->watches[i];
	}
	done = perform(state, p, listener, result);
	while (count > 0)
		ag_watch_unbar(barred[--count]);
	return done;
}

/*
 * Makes a new file and opens it. What somebody may put in its place meanwhile has a name that no rule is about whatever
 * an open does.
 */
static int perform_made(struct ag_hold_state *state, struct ag_pinned *p, int listener, int *result)
{
	const uint32_t opened = AG_FILE_READ | AG_FILE_WRITE | AG_FILE_CREATE | AG_FILE_TRUNCATE;
	int made = place_may_be_meant(state, p, opened, 0) ? 0 : make_unopened(state, p), done;

	if (made < 0)
		return made;
	done = made ? perform_passed(state, p, listener, result) : perform(state, p, listener, result);
	if (done != 0 || *result < 0)
		forget_made(state, p);
	return done;
}

static int is_watching(const struct ag_hold_state *state)
{
	for (int i = 0; i < AG_HOLD_SESSIONS_MAX; i++)
		if (state->watches[i])
			return 1;
	return 0;
}

static int perform_watched(struct ag_hold_state *state, struct ag_pinned *p, int listener, int *result)
{
	if (p->action == AG_HOLD_OPEN && !(p->open_flags & O_PATH) && is_watching(state))
		return p->old.object >= 0 ? perform_passed(state, p, listener, result) :
					    perform_made(state, p, listener, result);
	if (p->action == AG_HOLD_RENAME || p->action == AG_HOLD_LINK)
		return perform_barred(state, p, listener, result);
	return perform(state, p, listener, result);
}

static int answer_error(int listener, const struct ag_hold_call *call, int error)
{
	struct seccomp_notif_resp answer = {.id = call->id, .error = error};

	/* Nobody may wait any more. */
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 || errno == ENOENT ? AG_SERVED : -errno;
}

/* Serves the call that was received last, if it can: enum ag_served, or the -errno for which it cannot be answered. */
static int serve(struct ag_hold_state *state, int listener)
{
	const struct ag_hold_session *session = find_session(state, listener);

	/* Names are looked at as this thread sees them: the caller's root must be no other one. */
	if (!session || !session->serves || !state->rules || !state->view.outside)
		return AG_SERVE_NOT;
	for (int moves = 0; moves <= AG_MOVES_MAX; moves++) {
		int error, result, done;
		struct ag_pinned *p = read_change(state, &error);

		if (!p)
			return error == -ENOSYS ? AG_SERVE_NOT : answer_error(listener, &state->hold.call, error);
		error = pin_change(state, p, listener, 0);
		if (error) {
			drop_change(state, p);
			return answer_error(listener, &state->hold.call, error);
		}
		if (!goes_on(state, session, p)) {
			state->ahead = p;
			return AG_SERVE_NOT;
		}
		done = perform_watched(state, p, listener, &result);
		if (done == -ECANCELED)
			add_kept_bases(state, p); /* for the record; without it, the path alone says where */
		drop_change(state, p);
		if (done == -ECANCELED)
			return AG_SERVE_LEFT;
		if (done != -ESTALE)
			return done == 0 || done == -ENOENT ? AG_SERVED : done;
	}
	return answer_error(listener, &state->hold.call, -EAGAIN);
}

#endif
