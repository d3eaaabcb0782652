/* SPDX-License-Identifier: Apache-2.0 */
/* The maps of the probes that concern held calls, for native code. All give 0 or -errno. */
#ifndef AG_HOLD_MAP_H
#define AG_HOLD_MAP_H

#include "hold_program.h"

int32_t ag_hold_grant(int32_t map, uint32_t thread, const void *value);
int32_t ag_hold_revoke(int32_t map, uint32_t thread);
int32_t ag_hold_grant_start(int32_t map, uint32_t thread, int32_t nr, const struct ag_hold_exec *exec);

#endif
