/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: what the launcher received itself, and what the guard passes on. */
#ifndef AG_LAUNCH_SIGNALS_H
#define AG_LAUNCH_SIGNALS_H

#include "launch_reap.h"

#include <signal.h>
#include <sys/signalfd.h>

/* Counts what the launcher received itself. The signals stay blocked, so that none of them acts. */
static void drain_signals(void)
{
	static struct signalfd_siginfo info[16];
	for (;;) {
		ssize_t got = read(signal_fd, info, sizeof info);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		int64_t now = now_ms();
		for (size_t i = 0; i < (size_t)got / sizeof info[0]; i++) {
			uint32_t signo = info[i].ssi_signo;
			if (signo == SIGCHLD || signo > SIGNALS_MAX)
				continue;
			if (now - received_ms[signo] > MATCH_MS)
				received[signo] = 0;
			received[signo]++;
			received_ms[signo] = now;
			/* A guard that was stopped handles older signals only from now on. */
			for (int other = 1; signo == SIGCONT && other <= SIGNALS_MAX; other++)
				if (received[other] > 0)
					received_ms[other] = now;
		}
	}
}

/*
 * Passes a signal of the guard on, unless it went to the whole group: then the command has it already. The command is
 * an unreaped child of this only thread, so that its pid is still its own: no pidfd is needed.
 */
static void forward(int signo)
{
	drain_signals();
	if (signo < 1 || signo > SIGNALS_MAX || command_ended)
		return;
	if (signo == SIGCONT) {
		/*
		 * Not counted: a stop signal removes a pending SIGCONT, and the launcher sends one to the guard too.
		 * What counts is whether the command has been continued; a late second SIGCONT would undo a new stop.
		 */
		reap();
		if (command_ended || now_ms() - continued_ms <= MATCH_MS)
			return;
	} else if (now_ms() - received_ms[signo] <= (received[signo] > 0 ? MATCH_MS : MERGE_MS)) {
		if (received[signo] > 0) /* else the kernel merged for the launcher what the guard got one by one */
			received[signo]--;
		if (getpgid(command_pid) == getpgrp()) /* a command in a group of its own got nothing */
			return;
	}
	/* Fails with EPERM when the command changed its user; a direct sender would have got that too. */
	(void)kill(command_pid, signo);
}

#endif
