/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held program starts that no rule can be about: granted and let go here, before anybody else wakes up. The probes
 * compare what comes up with the grant as they do with any other. It errs to one side: whatever a rule could be about
 * is TypeScript's, told already.
 */
#ifndef AG_HOLD_START_H
#define AG_HOLD_START_H

#include "hold_exec.h"
#include "hold_map.h"
#include "hold_serve.h"
#include "hold_start_names.h"

static int is_start(const struct ag_hold_call *call)
{
	return call->nr == SYS_execve || call->nr == SYS_execveat;
}

static struct start_name name_of(const struct ag_hold *hold, const struct ag_hold_text *text)
{
	return (struct start_name){hold->text + text->at, text->bytes};
}

/*
 * What the kernel itself finds when it goes on: there is nothing to decide. Should it find a program after all, that is
 * killed for want of a grant. KERNEL_FINDS of lib/app/held_execs.ts has the same.
 */
static int is_kernels(int error)
{
	switch (-error) {
	case ENOENT:
	case ENOTDIR:
	case EACCES:
	case ELOOP:
	case ENAMETOOLONG:
	case EFAULT:
	case EBADF:
	case ENOEXEC:
	case ESRCH:
	case E2BIG:
		return 1;
	default:
		return 0;
	}
}

/* Lets the kernel go on: 1, 0 where nobody waits any more, or -errno. */
static int let_go(int listener, const struct ag_hold_call *call)
{
	struct seccomp_notif_resp answer = {.id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 ? 1 : errno == ENOENT ? 0 : -errno;
}

/* Grants what was told and lets it go. Where no grant can be made it is TypeScript's to refuse. */
static int grant_start(struct ag_hold_state *state, int listener)
{
	const struct ag_hold_call *call = &state->hold.call;
	const uint32_t thread = state->grants_by_process ? call->tgid : call->tid;
	int done;

	if (ag_hold_grant_start(state->grants_fd, thread, call->nr, &state->hold.exec) != 0)
		return AG_SERVE_NOT;
	done = let_go(listener, call);
	if (done != 1)
		ag_hold_revoke(state->grants_fd, thread);
	return done < 0 ? done : AG_SERVED;
}

/* Serves the start that was received last, if it can: enum ag_served, or the -errno for which it cannot be answered. */
static int serve_start(struct ag_hold_state *state, int listener)
{
	const struct ag_hold_session *session = find_session(state, listener);
	const struct ag_hold *hold = &state->hold;
	const struct ag_hold_exec *exec = &hold->exec;
	int failed;

	if (!session || !session->serves || !state->starts || state->starts->all)
		return AG_SERVE_NOT;
	failed = tell_start(state);
	if (failed) {
		int done = is_kernels(failed) ? let_go(listener, &hold->call) : 0;
		return !is_kernels(failed) ? AG_SERVE_NOT : done < 0 ? done : AG_SERVED;
	}
	const struct start_names names = {name_of(hold, &exec->path), name_of(hold, &exec->cwd),
					  name_of(hold, &exec->requested), name_of(hold, &exec->interpreter)};
	if (!start_may_be_meant(state->starts, &names))
		return grant_start(state, listener);
	state->told = 1;
	return AG_SERVE_NOT;
}

#endif
