/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is asked of every hook about files: which rules speak of the file, and whether one of them refuses. */
#ifndef AGENTGUARD_LSM_DEED_H
#define AGENTGUARD_LSM_DEED_H

#include "lsm_own.h"

/* One action on a file, or on two. */
struct ag_deed {
	__u64 mnt, dentry, new_dentry;
	__u64 address; /* of a unix socket that is bound to no file */
	__u32 action, detail;
	__u32 own; /* the object counts under every name that it has */
};

/* Remembers the object of a file that gets another name: the rules of the old name go on to hold for it. */
static __always_inline bool ag_follow(struct ag_turn *t, __u64 dentry, __u32 others)
{
	struct ag_object_key key = {};
	struct ag_object fresh = {}, *known;
	int w;

	for (w = 0; w < AG_NET_WORDS; w++) {
		fresh.self.word[w] = t->l->names.word[w] | t->l->objects.word[w];
		fresh.below.word[w] = t->l->trees.word[w];
	}
	if (!(fresh.self.word[0] | fresh.self.word[1] | fresh.self.word[2] | fresh.self.word[3]))
		return true;
	if (!ag_object_key_of(&key, dentry, t->slot))
		return true;
	known = bpf_map_lookup_elem(&file_objects, &key);
	if (known) {
		ag_join(&known->self, &fresh.self);
		ag_join(&known->below, &fresh.below);
		return true;
	}
	return bpf_map_update_elem(&file_objects, &key, &fresh, BPF_ANY) == 0;
}

/* The first rule of all that were found that refuses the action; false where none does. */
static __always_inline bool ag_is_refused(struct ag_turn *t, const struct ag_file_policy *p, __u32 action)
{
	int w;

	if (action >= AG_FILE_ACTION_COUNT)
		return false;
	for (w = 0; w < AG_NET_WORDS; w++) {
		__u64 bits = (t->l->names.word[w] | t->l->objects.word[w]) & p->action[action].word[w];
		__u64 named = t->l->names.word[w] & bits;

		if (!bits)
			continue;
		if (!named)
			t->flags |= AG_REFUSED_OBJECT;
		t->rule_index = p->rule_index[(w * 64 + ag_lowest_bit(named ? named : bits)) & 255];
		return true;
	}
	if (!t->l->undecidable)
		return false;
	/* Nobody can tell whether a rule speaks of it. */
	t->flags |= AG_REFUSED_UNDECIDABLE;
	return true;
}

static __always_inline int ag_judge_file(struct ag_turn *t, struct ag_file_policy *p, const struct ag_deed *deed)
{
	struct ag_refused *r = (struct ag_refused *)t->s->record;
	__u32 at = sizeof(*r), bytes;
	struct ag_object_key key = {};

	t->l->dentry = deed->dentry;
	t->l->mnt = deed->mnt;
	bytes = ag_climb_path(t->level, at, t->slot) & (AG_PATH_MAX - 1);
	ag_match_file(t->level, at, bytes, t->slot, deed->own);
	r->path_bytes = bytes;
	r->new_path_bytes = 0;
	ag_object_key_of(&key, deed->dentry, 0);
	r->ino = key.ino;
	r->dev = key.dev;
	r->detail = deed->detail;
	r->target = 0;
	at += bytes;
	if (deed->new_dentry) {
		if (deed->action != AG_FILE_SYMLINK && !ag_follow(t, deed->dentry, 0)) {
			ag_count_loss(AG_OP_REFUSED, AG_LOSS_MAP_FULL);
			t->l->undecidable = 1;
		}
		t->l->dentry = deed->new_dentry;
		bytes = ag_climb_path(t->level, at, t->slot) & (AG_PATH_MAX - 1);
		ag_match_file(t->level, at, bytes, t->slot, 0);
		r->new_path_bytes = bytes;
		at += bytes;
	}
	if (!ag_is_refused(t, p, deed->action))
		return 0;
	ag_report_refusal(t, deed->action, at);
	return -AG_EPERM;
}

static __always_inline int ag_refuse_own(const struct ag_deed *deed)
{
	struct ag_assault assault = {
		.mnt = deed->mnt,
		.dentry = deed->dentry,
		.action = AG_FILE_OWN,
		.detail = deed->action,
	};

	ag_refuse_file(&assault);
	return -AG_EPERM;
}

/* Every hook about files ends here: the verifier looks at it once. */
__noinline int ag_decide_file(struct ag_deed *deed)
{
	struct ag_turn t = {.rule_index = -1};
	struct ag_file_policy *p;
	int verdict;

	if (!deed)
		return 0;
	p = ag_policy_for(&t, &file_policy);
	if (!t.scope)
		return 0;
	if (ag_is_own(deed->dentry, deed->action) || (deed->new_dentry && ag_is_own(deed->new_dentry, deed->action)))
		return ag_refuse_own(deed);
	if (!p || !p->rules)
		return 0;
	t.generation = p->generation;
	if (!ag_begin_turn(&t))
		return -AG_EPERM;
	verdict = ag_judge_file(&t, p, deed);
	ag_end_turn();
	return verdict;
}

/* The cheap answer first: most calls of a machine are nobody's. */
static __always_inline int ag_decide(struct ag_deed *deed)
{
	int verdict = ag_decide_file(deed);

	return verdict < 0 ? -AG_EPERM : 0;
}

#endif
