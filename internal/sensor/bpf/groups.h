/* SPDX-License-Identifier: GPL-2.0 */
/* Which container a process belongs to: the walk of its control group. */
#ifndef SENSOR_GROUPS_H
#define SENSOR_GROUPS_H

#define DEEPEST 32  /* levels of control groups that are walked */
#define ID_CHARS 64 /* container engines name groups with 64 hexadecimal digits */

/* The control group that holds the task: the version 2 hierarchy where the
 * pids controller lives there, else the one of the pids controller. */
static __always_inline struct kernfs_node *group_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *css = 0;
	struct cgroup *cgrp;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return BPF_CORE_READ(set, dfl_cgrp, kn);
	bpf_probe_read_kernel(&css, sizeof(css),
		(void *)set + bpf_core_field_offset(struct css_set, subsys) +
		bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id) * sizeof(css));
	cgrp = BPF_CORE_READ(css, cgroup);
	if (BPF_CORE_READ(cgrp, root, hierarchy_id) == 0)
		cgrp = BPF_CORE_READ(set, dfl_cgrp);
	return BPF_CORE_READ(cgrp, kn);
}

static __always_inline struct kernfs_node *parent_of(struct kernfs_node *kn)
{
	struct kernfs_node___rcu *rcu = (void *)kn;

	if (bpf_core_field_exists(rcu->__parent))
		return BPF_CORE_READ(rcu, __parent);
	return BPF_CORE_READ(kn, parent);
}

struct climb { struct kernfs_node *kn; u32 long_name; u32 done; };

/* Appends one name of the group's path to the event under construction. */
static long climb_step(u32 i, struct climb *c)
{
	u32 zero = 0, off;
	struct scratch *s = bpf_map_lookup_elem(&room, &zero);
	struct kernfs_node *kn = c->kn, *up = parent_of(kn);
	const char *name;
	long n;

	if (!s || !up) {
		c->done = 1;
		return 1;
	}
	off = s->event.len;
	if (off > PATH_BYTES)
		return 1;
	name = BPF_CORE_READ(kn, name);
	n = bpf_probe_read_kernel_str(s->event.path + off, NAME_BYTES, name);
	if (n <= 0 || n > NAME_BYTES)
		return 1;
	off += n;
	if (off > PATH_BYTES + NAME_BYTES || off == 0)
		return 1;
	s->event.path[off - 1] = '/';
	s->event.len = off;
	if (n - 1 >= ID_CHARS)
		c->long_name = 1;
	c->kn = up;
	return 0;
}

/* Writes the group's path into the event; true when it may be a container's:
 * some name on the way is as long as a container's ID. */
static __always_inline bool climb(struct scratch *s, struct kernfs_node *kn)
{
	struct climb c = { .kn = kn };

	bpf_loop(DEEPEST, climb_step, &c, 0);
	return c.long_name;
}

/* Announces the group when it may be a container's; with EVENT_GROUP also
 * enters it among the groups, this process as its first. */
static __always_inline bool announce(struct kernfs_node *kn, u64 id, u8 type)
{
	struct scratch *s;
	bool may;
	u8 one = 1;

	if (bpf_map_lookup_elem(&hosts, &id))
		return false;
	s = take_room();
	if (!s) {
		count(&lost_anywhere);
		return false;
	}
	begin(s, type, id, 0);
	may = climb(s, kn);
	if (!may) {
		leave_room(s);
		bpf_map_update_elem(&hosts, &id, &one, BPF_ANY);
		return false;
	}
	if (type == EVENT_GROUP) {
		struct group fresh = { .first_exec = s->event.time, .first_pid = s->event.pid };

		if (bpf_map_update_elem(&groups, &id, &fresh, BPF_NOEXIST))
			count(&lost_anywhere);
	}
	send(s);
	return true;
}

/* True when the task was put into a mount namespace of its own by whoever
 * started it: the mark of a container's process. A runtime that executes
 * itself inside the container's control group still shares its parent's. */
static __always_inline bool left_parent(struct task_struct *task)
{
	struct mnt_namespace *own = BPF_CORE_READ(task, nsproxy, mnt_ns);

	return own != BPF_CORE_READ(task, real_parent, nsproxy, mnt_ns);
}

/* Decides at an exec whether the process begins to belong to a container.
 * Returns its mark, or null when it belongs to none. */
static __always_inline struct mark *enter(struct task_struct *task, u32 pid, struct mark *old)
{
	struct kernfs_node *kn = group_of(task);
	u64 id = BPF_CORE_READ(kn, id);
	struct mark m = { .group = id };

	if (old && old->group == id)
		return old;
	if (bpf_map_lookup_elem(&hosts, &id) || !left_parent(task))
		return old;
	if (bpf_map_lookup_elem(&groups, &id))
		m.flags = MARK_JOINED;
	else if (!announce(kn, id, EVENT_GROUP))
		return old;
	if (bpf_map_update_elem(&marks, &pid, &m, BPF_ANY)) {
		LOSE(id, lost_map);
		return old;
	}
	return bpf_map_lookup_elem(&marks, &pid);
}

#endif
