/* SPDX-License-Identifier: Apache-2.0 */
/* Which change a held system call asks for: numbers and order of arguments. */
#ifndef AG_HOLD_CALLS_H
#define AG_HOLD_CALLS_H

#include "hold_file.h"

/* The calls of both architectures that Bun runs on; those of x86-64 alone follow below. */
static int read_call_at(struct ag_pinned *p, const uint64_t *a)
{
	switch (p->call.nr) {
	case SYS_openat:
		p->action = AG_HOLD_OPEN;
		p->open_flags = a[2];
		p->mode = (uint32_t)a[3];
		break;
	case SYS_unlinkat:
		p->action = a[2] & AT_REMOVEDIR ? AG_HOLD_RMDIR : AG_HOLD_DELETE;
		return a[2] & ~(uint64_t)AT_REMOVEDIR ? -EINVAL : 0;
	case SYS_mkdirat:
		p->action = AG_HOLD_MKDIR;
		p->mode = (uint32_t)a[2];
		return 0;
	case SYS_mknodat:
		p->action = AG_HOLD_MKNOD;
		p->mode = (uint32_t)a[2];
		p->device = a[3];
		return 0;
	case SYS_fchmodat:
		p->action = AG_HOLD_CHMOD;
		p->mode = (uint32_t)a[2];
		p->follow = 1;
		return 0;
	case 452: /* fchmodat2, Linux 6.6 */
		p->action = AG_HOLD_CHMOD;
		p->mode = (uint32_t)a[2];
		p->flags = (uint32_t)a[3];
		p->follow = !(a[3] & AT_SYMLINK_NOFOLLOW);
		return a[3] & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ? -EINVAL : 0;
	case SYS_fchownat:
		p->action = AG_HOLD_CHOWN;
		p->uid = (uint32_t)a[2];
		p->gid = (uint32_t)a[3];
		p->flags = (uint32_t)a[4];
		p->follow = !(a[4] & AT_SYMLINK_NOFOLLOW);
		return a[4] & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ? -EINVAL : 0;
	default:
		return -ENOSYS;
	}
	return 0;
}

static int read_call_two(struct ag_pinned *p, const uint64_t *a)
{
	p->new_dirfd = (int32_t)a[2];
	p->new_path = a[3];
	switch (p->call.nr) {
#if defined(SYS_renameat)
	case SYS_renameat:
#endif
	case SYS_renameat2:
		p->action = AG_HOLD_RENAME;
		p->flags = p->call.nr == SYS_renameat2 ? (uint32_t)a[4] : 0;
		return 0;
	case SYS_linkat:
		p->action = AG_HOLD_LINK;
		p->flags = (uint32_t)a[4];
		p->follow = (a[4] & AT_SYMLINK_FOLLOW) != 0;
		return a[4] & ~(uint64_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) ? -EINVAL : 0;
	case SYS_symlinkat:
		p->action = AG_HOLD_SYMLINK;
		p->path = a[0];
		p->new_dirfd = (int32_t)a[1];
		p->new_path = a[2];
		return 0;
	default:
		return -ENOSYS;
	}
}

static int read_call_descriptor(struct ag_pinned *p, const uint64_t *a)
{
	p->path = 0;
	switch (p->call.nr) {
	case SYS_fchmod:
		p->action = AG_HOLD_CHMOD;
		p->mode = (uint32_t)a[1];
		return 0;
	case SYS_fchown:
		p->action = AG_HOLD_CHOWN;
		p->uid = (uint32_t)a[1];
		p->gid = (uint32_t)a[2];
		return 0;
	case SYS_ftruncate:
		p->action = AG_HOLD_TRUNCATE;
		p->length = a[1];
		return 0;
	default:
		return -ENOSYS;
	}
}

#if defined(__x86_64__)
/* Calls without a directory: the arguments begin with the name. */
static int read_call_plain(struct ag_pinned *p, const uint64_t *a)
{
	p->dirfd = p->new_dirfd = AT_FDCWD;
	p->path = a[0];
	switch (p->call.nr) {
	case SYS_open:
	case SYS_creat:
		p->action = AG_HOLD_OPEN;
		p->open_flags = p->call.nr == SYS_creat ? O_CREAT | O_WRONLY | O_TRUNC : a[1];
		p->mode = (uint32_t)(p->call.nr == SYS_creat ? a[1] : a[2]);
		return 0;
	case SYS_unlink:
		p->action = AG_HOLD_DELETE;
		return 0;
	case SYS_rmdir:
		p->action = AG_HOLD_RMDIR;
		return 0;
	case SYS_mkdir:
		p->action = AG_HOLD_MKDIR;
		p->mode = (uint32_t)a[1];
		return 0;
	case SYS_mknod:
		p->action = AG_HOLD_MKNOD;
		p->mode = (uint32_t)a[1];
		p->device = a[2];
		return 0;
	case SYS_chmod:
		p->action = AG_HOLD_CHMOD;
		p->mode = (uint32_t)a[1];
		p->follow = 1;
		return 0;
	case SYS_chown:
	case SYS_lchown:
		p->action = AG_HOLD_CHOWN;
		p->uid = (uint32_t)a[1];
		p->gid = (uint32_t)a[2];
		p->follow = p->call.nr == SYS_chown;
		return 0;
	case SYS_rename:
	case SYS_link:
	case SYS_symlink:
		p->action = p->call.nr == SYS_rename ? AG_HOLD_RENAME :
			    p->call.nr == SYS_link   ? AG_HOLD_LINK :
						       AG_HOLD_SYMLINK;
		p->new_path = a[1];
		return 0;
	default:
		return -ENOSYS;
	}
}
#endif

/* Reads what is asked for from the registers; -ENOSYS for a call that changes nothing that is known here. */
static int read_call(struct ag_pinned *p)
{
	const uint64_t *a = p->call.args;
	int found;

	p->old.parent = p->old.object = p->new.parent = p->new.object = -1;
	p->dirfd = (int32_t)a[0];
	p->path = a[1];
	found = read_call_at(p, a);
	if (found == -ENOSYS)
		found = read_call_two(p, a);
	if (found == -ENOSYS) {
		p->new_path = 0;
		found = read_call_descriptor(p, a);
	}
	if (found == -ENOSYS && p->call.nr == SYS_truncate) {
		p->action = AG_HOLD_TRUNCATE;
		p->dirfd = AT_FDCWD;
		p->path = a[0];
		p->length = a[1];
		p->follow = 1;
		found = 0;
	}
#if defined(__x86_64__)
	if (found == -ENOSYS)
		found = read_call_plain(p, a);
#endif
	if (!found && p->action == AG_HOLD_OPEN)
		p->follow = !(p->open_flags & O_NOFOLLOW) && (p->open_flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
	return found;
}

#endif
