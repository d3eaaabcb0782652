/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp listener by itself: tuning it, and answering. Nothing here knows of callers. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, uint64_t) /* Linux 6.6 */
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* The answer then wakes the caller on this CPU, which is where its memory is. Older kernels do without. */
int32_t ag_hold_tune(int32_t listener)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0 ? 0 : -errno;
}

/* True while the caller of a notification waits. */
int32_t ag_hold_valid(int32_t listener, const uint64_t *id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, id) == 0;
}

/*
 * Answers: `error` 0 lets the kernel go on with the call, else the call fails with it. -ENOENT where nobody waits any
 * more.
 */
int32_t ag_hold_answer(int32_t listener, const uint64_t *id, int32_t error)
{
	struct seccomp_notif_resp answer = {.id = *id, .error = -error};

	if (error == 0)
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 ? 0 : -errno;
}
