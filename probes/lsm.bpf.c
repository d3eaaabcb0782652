/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Programs at security hooks, an object of its own: it is loaded where the kernel takes it, and shares the maps of
 * agentguard.bpf.c. What a rule forbids is refused with EPERM before it happens, on the kernel's own objects.
 */
#include "lsm_files.h"
#include "lsm_unix.h"
#include "lsm_programs.h"
#include "lsm_guard.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
