/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Keys and values of maps, and what is set before load. Part of the ABI: include agentguard_abi.h. */
#ifndef AGENTGUARD_STATE_H
#define AGENTGUARD_STATE_H

/* Which calls of a task wait for the guard. */
enum ag_held {
	AG_HELD_EXEC = 1, /* every program start needs a grant */
	AG_HELD_CALLS = 2,
	AG_HELD_NET = 4, /* every connection and message to an address needs a grant */
};

/* Before the record of a held call that was decided for itself. */
struct ag_decided {
	struct ag_record h;
	__u8 decision[AG_DECISION_BYTES];
	__u32 flags; /* enum ag_grant_flag */
	__u32 nr;
};

/* Task storage: which session a task belongs to. */
struct ag_scope {
	__u64 cgroup_id; /* the session's leaf, 0 without one */
	__u32 scope;
	__u32 reported; /* bits 1 << ag_coverage_kind */
	__u64 start_ns; /* of the process, as in records */
	__u32 held;     /* enum ag_held */
	__u32 reserved;
};

/*
 * One held call that was let go, by thread. `hash` and `name_hash` are SipHash-2-4 with the key of this load: who may
 * choose the arguments cannot find two lists with one hash.
 */
struct ag_grant {
	__u8 decision[AG_DECISION_BYTES];
	__u64 ino; /* of the image that must come up */
	__u64 hash;
	__u64 name_hash;  /* of the name in execve */
	__u64 expires_ns; /* CLOCK_BOOTTIME */
	__u32 dev;
	__u32 hashed_bytes; /* of argv */
	__u32 flags;        /* enum ag_grant_flag */
	__u32 nr;           /* the system call */
	__u64 script_ino;   /* of the script, where the image runs one */
	__u32 script_dev;
	__u32 action; /* with AG_GRANT_NET: enum ag_net_action, and where to as in struct ag_net */
	__u8 address[16];
	__u16 port;
	__u8 family;
	__u8 protocol;
	__u32 reserved;
};

/* A script that was let go and that its interpreter has not opened yet, by process. */
struct ag_script {
	__u64 ino;
	__u64 name_hash; /* of the name that the interpreter was given */
	__u32 dev;
	__u32 reserved;
};

/* Per CPU. */
struct ag_cpu {
	__u64 seq[AG_RING_COUNT];
	__u64 lost[AG_OP_COUNT][AG_LOSS_COUNT];
};

/* Bytes through one descriptor. */
struct ag_file_key {
	__u32 pid;
	__u32 fd;
};

struct ag_file_bytes {
	__u64 file; /* identity of the struct file */
	__u64 ino;
	__u64 read_bytes;
	__u64 written_bytes;
	__u32 dev;
	__u32 reserved;
};

/* Policy maps. Every key begins with the slot (0 or 1) of its generation. */
struct ag_exec_key {
	__u32 slot;
	__u32 base_name; /* 1: `path` is a base name */
	char path[AG_KEY_PATH_MAX];
};

struct ag_tree_key {
	__u32 prefix_bits;
	__u32 slot;
	char path[AG_KEY_PATH_MAX];
};

struct ag_exec_rule {
	__u32 verdict; /* enum ag_verdict */
	__s32 rule_index;
};

struct ag_v4_key {
	__u32 prefix_bits;
	__u32 slot;
	__u8 address[4];
};

struct ag_v6_key {
	__u32 prefix_bits;
	__u32 slot;
	__u8 address[16];
};

struct ag_port_key {
	__u32 prefix_bits;
	__u32 slot;
	__u8 port[2]; /* big endian */
	__u8 pad[2];
};

struct ag_rule_bits {
	__u64 word[AG_NET_WORDS];
};

/* Rules that the same names fulfil. */
struct ag_host_set {
	struct ag_rule_bits rules;
	struct ag_rule_bits except; /* rules whose exception they fulfil */
};

/* Protocols that rules tell apart. */
enum ag_protocol {
	AG_PROTOCOL_TCP = 0,
	AG_PROTOCOL_UDP = 1,
	AG_PROTOCOL_OTHER = 2,
	AG_PROTOCOL_COUNT = 3,
};

/* How the text of an ag_exec_key is compared. */
enum ag_name_kind {
	AG_NAME_PATH = 0,
	AG_NAME_BASE = 1,      /* the last component */
	AG_NAME_EXTENSION = 2, /* of the last component, with the dot */
};

/* What a guarded process may do with an object of the guard's own. */
enum ag_own_kind {
	AG_OWN_CLOSED = 1, /* nothing, nor with what is in it: state and runtime directory */
	AG_OWN_KEPT = 2,   /* read it: the policy, the executable */
};

/* An object that rules name, by what the kernel knows it by. */
struct ag_object_key {
	__u64 ino;
	__u32 dev;
	__u32 slot;
};

struct ag_object {
	struct ag_rule_bits self;  /* rules that hold for the object under every name */
	struct ag_rule_bits below; /* rules that hold for all that is below it */
	struct ag_exec_rule exec;  /* rule about the program, verdict 0: none */
};

/* What all file rules of one slot share: bit i is rule i. All of them refuse. */
struct ag_file_policy {
	__u32 generation;
	__u32 rules;
	__u32 objects; /* entries of file_objects when the slot was filled */
	__u32 reserved;
	struct ag_rule_bits action[AG_FILE_ACTION_COUNT];
	__s32 rule_index[AG_NET_RULES_MAX];
};

/* An address as a key; the slot is 0 where there is only one. */
struct ag_address_key {
	__u32 slot;
	__u32 family; /* 4 or 6 */
	__u8 address[16];
};

/* Names of one address that fulfil the same rules. */
struct ag_name_cell {
	__u64 expires_ns; /* CLOCK_BOOTTIME; 0: empty, 1: being written, all bits set: never */
	__u32 set;        /* of host_sets */
	__u32 reserved;
};

/* The names of an address. */
struct ag_address_names {
	__u32 generation; /* of the policy that the sets belong to; another one's entry says nothing */
	__u32 special;    /* 1: an address for special purposes, which no name makes permitted */
	struct ag_name_cell cell[AG_NAME_CELLS];
};

/*
 * A host name from its end, in lower case: "moc.elpmaxe.ipa" and a NUL for api.example.com itself, "moc.elpmaxe." for
 * all that is below example.com.
 */
struct ag_host_key {
	__u32 prefix_bits;
	__u32 slot;
	char name[AG_HOST_KEY_BYTES];
};

/* What user space asks to be learned, as the data of a packet behind 14 bytes; family 0: nothing. */
struct ag_teach {
	__u64 expires_ns;
	struct ag_address_key address; /* with the slot whose rules are meant */
	__u32 name_length;
	char name[256]; /* lower case, without the final dot */
};

/* What all network rules of one slot share: bit i is rule i. */
struct ag_net_policy {
	__u32 generation;
	__u32 rules;
	__u32 deny_by_default[AG_NET_ACTION_COUNT];
	__u32 names; /* 1: some rule asks for a host */
	__u32 reserved;
	struct ag_rule_bits action[AG_NET_ACTION_COUNT];
	struct ag_rule_bits protocol[AG_PROTOCOL_COUNT];
	struct ag_rule_bits deny;
	struct ag_rule_bits allow;
	struct ag_rule_bits except;
	struct ag_rule_bits except_protocol[AG_PROTOCOL_COUNT];
	struct ag_rule_bits any_host;        /* rules that ask for no host */
	struct ag_rule_bits any_host_except; /* rules whose exception asks for none */
	/* Rules, and exceptions, that a name of a special-purpose address does not fulfil: it permits alone. */
	struct ag_rule_bits public_host;
	struct ag_rule_bits public_host_except;
	__s32 rule_index[AG_NET_RULES_MAX];
};

struct ag_exec_policy {
	__u32 generation;
	__u32 rules;
	__u32 deny_by_default;
	__u32 reserved;
};

/* Set before load; the verifier prunes by it. */
struct ag_config {
	__u32 self;      /* the guard in the initial pid namespace: the first instruction of each program excludes it */
	__u32 has_cast;  /* 1 where the running kernel has bpf_rdonly_cast (Linux 6.2) */
	__u32 pid_level; /* depth of the guard's pid namespace; 0: the initial one */
	__u32 reserved;
	__u64 key[2]; /* of the hashes in grants: random, never told */
};

/* The guard as the kernel numbers it, see ag_whoami. */
struct ag_self_number {
	__u32 tgid; /* in the initial pid namespace */
	__u32 level;
};

/* What user space may change while the programs run. */
struct ag_control {
	__u32 slot;          /* active policy slot */
	__u32 agents;        /* 1: look for [[agent]] programs among processes in no scope */
	__u32 keeps_cgroups; /* 1: guarded processes change no cgroup */
	__u32 reserved;
	__u64 netns; /* the guard's struct net: answers elsewhere are not believed. Written by ag_teach */
};

/* One task as the iterator reports it. */
struct ag_task {
	__u64 start_ns;
	__u64 parent_start_ns;
	__u64 cgroup_id;
	__u32 pid;
	__u32 ppid;
	__u32 uid;
	__u32 scope; /* 0: in none */
};

#endif
