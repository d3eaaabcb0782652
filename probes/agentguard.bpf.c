/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The probes: one object, so that all programs share their maps. */
#include "dispatch.h"
#include "dns.h"
#include "egress.h"
#include "iterator.h"
#include "look.h"
#include "self.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
