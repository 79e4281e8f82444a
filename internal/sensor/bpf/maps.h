/* SPDX-License-Identifier: GPL-2.0 */
/* The maps, and the shapes that are shared with the Go side (decode.go). */
#ifndef SENSOR_MAPS_H
#define SENSOR_MAPS_H

#define PATH_BYTES 4096 /* the longest path that is reported whole */
#define NAME_BYTES 256  /* the longest name of one component, with its NUL */
#define LAZY_BYTES (1 << 20) /* as much may lie in the ring before user space is woken */
#define AUXV_BYTES 448  /* the largest saved_auxv that is read */

/* Ways in which a file was used. */
enum {
	KIND_EXEC = 1,
	KIND_INTERP = 2,
	KIND_MAP = 4,
	KIND_OPEN = 8,
	KIND_XMAP = 16, /* mapped executable; comes with KIND_MAP */
};

/* Flags of a process's mark. */
enum {
	MARK_JOINED = 1, /* it entered a container that was already running */
	MARK_CANARY = 2, /* it is the sensor's self-test */
};

/* Types of events. */
enum {
	EVENT_FILE = 1,
	EVENT_SCRIPT = 2, /* path: the name given to exec, a NUL, the directory it is relative to */
	EVENT_GROUP = 3,  /* a container's first exec; path: its control group */
	EVENT_PIVOT = 4,  /* a container's root has been made; path: its control group */
	EVENT_SAMPLE = 5, /* a mapping could not be read here: read the process's maps */
};

/* Flags of an event. */
enum {
	FLAG_JOINED = 1,
	FLAG_CANARY = 2,
	FLAG_CUT = 4,    /* the path is not whole */
	FLAG_MEMFD = 8,  /* a file without a directory entry (memfd) */
};

/* path holds names from the leaf up to the root, each followed by a slash. */
struct event {
	u64 time; /* CLOCK_MONOTONIC, ns */
	u64 group;
	u64 ino;
	u32 dev; /* the kernel's encoding: major << 20 | minor */
	u32 pid;
	u32 magic; /* the file system's */
	u8 type;
	u8 kinds;
	u8 flags;
	u8 pad;
	u32 len;
	char comm[16];
	char path[PATH_BYTES + 2 * NAME_BYTES];
};

/* What is known of one control group. The counters are of its processes. */
struct group {
	u64 first_exec;
	u32 first_pid;
	u32 dropped; /* set from user space: of no interest */
	u64 lost_ring;
	u64 lost_map;
	u64 lost_vanish;
	u64 lost_unknown;
	u64 uring_setup;
	u64 uring_open;
};

struct file_key { u64 group; u64 ino; u64 dev; };
struct mark { u64 group; u32 flags; u32 pad; };

/* Room to build one event in. busy guards against a second user of the same
 * processor's room, which can only be an interruption of the first. */
struct scratch {
	u32 busy;
	u32 cut;
	u64 dentry, mnt;
	struct event event;
	u64 auxv[AUXV_BYTES / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} events SEC(".maps");

/* Files seen, with the ways in which each was used. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, struct file_key);
	__type(value, u32);
} seen SEC(".maps");

/* Processes of containers, by process number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u32);
	__type(value, struct mark);
} marks SEC(".maps");

/* Control groups of containers, by kernfs node. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct group);
} groups SEC(".maps");

/* Control groups that are known to be no container's. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u8);
} hosts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} room SEC(".maps");

/* Losses that cannot be laid to one group; they count for all. */
u64 lost_anywhere = 0;

static __always_inline void count(u64 *n)
{
	__sync_fetch_and_add(n, 1);
}

#define LOSE(id, what) do { \
	u64 __id = (id); \
	struct group *__g = bpf_map_lookup_elem(&groups, &__id); \
	count(__g ? &__g->what : &lost_anywhere); \
} while (0)

static __always_inline struct scratch *take_room(void)
{
	u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&room, &zero);

	if (!s)
		return 0;
	if (__sync_fetch_and_add(&s->busy, 1)) {
		__sync_fetch_and_add(&s->busy, -1);
		return 0;
	}
	return s;
}

static __always_inline void leave_room(struct scratch *s)
{
	__sync_fetch_and_add(&s->busy, -1);
}

#endif
