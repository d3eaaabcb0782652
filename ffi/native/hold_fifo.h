/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a FIFO waits for whoever opens its other end, who may be held as well: it happens in a thread of its own,
 * with the caller's credentials. When the caller has gone, a signal ends that wait.
 */
#ifndef AG_HOLD_FIFO_H
#define AG_HOLD_FIFO_H

#include "hold_file.h"

#include <pthread.h>
#include <signal.h>

#define AG_FIFO_SIGNAL (SIGRTMAX - 3)

/* One that waits. `done` is written last by its thread and read first by the other. */
struct fifo_wait {
	pthread_t thread;
	int done;
	int result; /* descriptor or -errno */
	int object;
	int flags;
	struct ag_hold_call call;
	struct ag_hold_state self; /* credentials only */
};

static void on_fifo_signal(int signo)
{
	(void)signo; /* its only use is that open(2) returns */
}

static void *wait_for_fifo(void *argument)
{
	struct fifo_wait *wait = argument;
	int result = become_caller(&wait->self, &wait->call);
	char name[16];

	if (!result) {
		snprintf(name, sizeof name, "%d", wait->object);
		result = openat(wait->self.self_fd, name, wait->flags | O_CLOEXEC);
		result = result < 0 ? -errno : result;
	}
	become_self(&wait->self);
	wait->result = result;
	__atomic_store_n(&wait->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Starts to wait; 0 or -errno. `object` stays the caller's, and open until fifo_result says that it is over. */
static int start_fifo(const struct ag_hold_state *state, const struct ag_hold_call *call, int object, int flags,
		      struct fifo_wait **into)
{
	struct sigaction action = {.sa_handler = on_fifo_signal};
	struct fifo_wait *wait = calloc(1, sizeof *wait);
	sigset_t all, before;
	int failed;

	if (!wait)
		return -ENOMEM;
	wait->object = object;
	wait->flags = flags;
	wait->call = *call;
	wait->self.self_fd = state->self_fd;
	copy_credentials(&wait->self, state); /* a thread begins as the one that makes it */
	/* No other signal of this process is to end up there. */
	sigfillset(&all);
	sigdelset(&all, AG_FIFO_SIGNAL);
	failed = sigaction(AG_FIFO_SIGNAL, &action, NULL) != 0 ? errno : pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!failed) {
		failed = pthread_create(&wait->thread, NULL, wait_for_fifo, wait);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (failed) {
		free(wait);
		return -failed;
	}
	*into = wait;
	return 0;
}

/* -EAGAIN while it goes on; else what came of it, and the wait is gone. `give_up` ends it. */
static int fifo_result(struct fifo_wait **from, int give_up)
{
	struct fifo_wait *wait = *from;
	int result;

	if (!__atomic_load_n(&wait->done, __ATOMIC_ACQUIRE)) {
		if (give_up)
			pthread_kill(wait->thread, AG_FIFO_SIGNAL);
		return -EAGAIN;
	}
	pthread_join(wait->thread, NULL);
	result = wait->result;
	free(wait);
	*from = NULL;
	return result;
}

#endif
