/* SPDX-License-Identifier: GPL-2.0 */
/* From a struct file to an observation: identity, path, first sight. */
#ifndef SENSOR_FILES_H
#define SENSOR_FILES_H

#define S_IFMT 0170000
#define S_IFREG 0100000
#define O_PATH 010000000 /* asm-generic/fcntl.h: names a file, reads nothing */
#define MNT_NS_INTERNAL ((u64)-22) /* fs/mount.h: a mount that is in no namespace */

#define TMPFS_MAGIC 0x01021994
#define AT_BASE 7

struct ident {
	struct dentry *dentry;
	struct vfsmount *mnt;
	struct super_block *sb;
	u64 ino;
	u32 dev;
	u32 magic;
	u32 flags;
	u16 mode;
	u16 found;
};

/* A file mapped from an overlay is its layer's file, opened on a private mount;
 * since 6.8 the overlay's own path stands behind it. Which bit of f_mode says
 * so changed between versions, so the shape is tested instead: a path whose
 * mount and whose name are of the same file system. */
static __always_inline bool user_path(struct file *file, struct vfsmount *mnt, struct path *out)
{
	struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
	struct backing_file *b = (void *)file - bpf_core_field_offset(struct backing_file, file);
	struct super_block *sb;

	if (!bpf_core_field_exists(struct backing_file, user_path) || (u64)BPF_CORE_READ(m, mnt_ns) != MNT_NS_INTERNAL)
		return false;
	mnt = BPF_CORE_READ(b, user_path.mnt);
	sb = BPF_CORE_READ(mnt, mnt_sb);
	if (!sb || BPF_CORE_READ(b, user_path.dentry, d_sb) != sb)
		return false;
	out->mnt = mnt;
	out->dentry = BPF_CORE_READ(b, user_path.dentry);
	return true;
}

static __always_inline void identify(struct file *file, struct ident *id)
{
	struct path path = {};
	struct super_block *sb;
	struct dentry *dentry;
	struct vfsmount *mnt;
	struct inode *inode;

	id->flags = BPF_CORE_READ(file, f_flags);
	dentry = BPF_CORE_READ(file, f_path.dentry);
	mnt = BPF_CORE_READ(file, f_path.mnt);
	if (user_path(file, mnt, &path)) {
		dentry = path.dentry;
		mnt = path.mnt;
	}
	inode = BPF_CORE_READ(dentry, d_inode);
	if (!inode)
		inode = BPF_CORE_READ(file, f_inode);
	sb = BPF_CORE_READ(inode, i_sb);
	id->dentry = dentry;
	id->mnt = mnt;
	id->sb = sb;
	id->ino = BPF_CORE_READ(inode, i_ino);
	id->mode = BPF_CORE_READ(inode, i_mode);
	id->dev = BPF_CORE_READ(sb, s_dev);
	id->magic = BPF_CORE_READ(sb, s_magic);
	id->found = 1;
}

/* Kernel interfaces that look like files. Their content is no package's.
 * include/uapi/linux/magic.h */
static __always_inline bool is_pseudo(u32 magic)
{
	switch (magic) {
	case 0x9fa0:     /* proc */
	case 0x62656572: /* sysfs */
	case 0x27e0eb:   /* cgroup */
	case 0x63677270: /* cgroup2 */
	case 0x64626720: /* debugfs */
	case 0x74726163: /* tracefs */
	case 0x73636673: /* securityfs */
	case 0xf97cff8c: /* selinuxfs */
	case 0xcafe4a11: /* bpf */
	case 0x1cd1:     /* devpts */
	case 0x19800202: /* mqueue */
	case 0x50495045: /* pipefs */
	case 0x534f434b: /* sockfs */
	case 0x09041934: /* anonymous inodes */
	case 0x6e736673: /* nsfs */
	case 0x62656570: /* configfs */
		return true;
	}
	return false;
}

/* One step of the walk from a file up to the top of its mount namespace (not
 * to the process's root: behind a chroot the image's path is still wanted). */
static long walk_step(u32 i, u32 *unused)
{
	u32 zero = 0, off;
	struct scratch *s = bpf_map_lookup_elem(&room, &zero);
	struct dentry *d, *up;
	struct vfsmount *mnt;
	struct qstr name;
	u32 len;

	if (!s)
		return 1;
	d = (void *)s->dentry;
	mnt = (void *)s->mnt;
	if (d == BPF_CORE_READ(mnt, mnt_root)) {
		struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
		struct mount *parent = BPF_CORE_READ(m, mnt_parent);

		if (parent == m) {
			s->cut = 0;
			return 1;
		}
		s->dentry = (u64)BPF_CORE_READ(m, mnt_mountpoint);
		s->mnt = (u64)((void *)parent + bpf_core_field_offset(struct mount, mnt));
		return 0;
	}
	up = BPF_CORE_READ(d, d_parent);
	name.len = BPF_CORE_READ(d, d_name.len);
	name.name = BPF_CORE_READ(d, d_name.name);
	off = s->event.len;
	len = name.len;
	if (len > 255 || off + len + 1 > PATH_BYTES)
		return 1;
	off &= 8191;
	if (off > PATH_BYTES)
		return 1;
	len &= 255;
	if (bpf_probe_read_kernel(s->event.path + off, len, name.name))
		return 1;
	off += len;
	s->event.path[off] = '/';
	s->event.len = off + 1;
	if (up == d) /* no directory entry: a memfd, or a file opened by handle */
		return 1;
	s->dentry = (u64)up;
	return 0;
}

/* Appends the path of (dentry, mnt) to the event. */
static __always_inline void walk(struct scratch *s, struct dentry *dentry, struct vfsmount *mnt)
{
	u32 unused = 0;

	s->dentry = (u64)dentry;
	s->mnt = (u64)mnt;
	s->cut = 1;
	bpf_loop(PATH_BYTES, walk_step, &unused, 0);
	if (s->cut)
		s->event.flags |= FLAG_CUT;
}

static __always_inline void begin(struct scratch *s, u8 type, u64 group, u32 mark_flags)
{
	struct event *e = &s->event;

	e->time = bpf_ktime_get_ns();
	e->group = group;
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->ino = 0;
	e->dev = 0;
	e->magic = 0;
	e->type = type;
	e->kinds = 0;
	e->flags = 0;
	if (mark_flags & MARK_JOINED)
		e->flags |= FLAG_JOINED;
	if (mark_flags & MARK_CANARY)
		e->flags |= FLAG_CANARY;
	e->pad = 0;
	e->len = 0;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
}

/* Sends the event and gives the room back. What is merely opened or mapped can
 * wait until user space looks by itself: a wake-up for each of many files costs
 * the workload more than the rest. What was executed may be gone soon. */
static __always_inline void send(struct scratch *s)
{
	u32 len = s->event.len;
	u64 group = s->event.group;
	u64 wake = 0;
	long err;

	if (s->event.type == EVENT_FILE && !(s->event.kinds & (KIND_EXEC | KIND_INTERP | KIND_XMAP)) &&
	    bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) < LAZY_BYTES)
		wake = BPF_RB_NO_WAKEUP;
	if (len > sizeof(s->event.path))
		len = sizeof(s->event.path);
	err = bpf_ringbuf_output(&events, &s->event, __builtin_offsetof(struct event, path) + len, wake);
	leave_room(s);
	if (err)
		LOSE(group, lost_ring);
}

/* Records one use of a file; tells user space only what is new. */
static __always_inline void note(struct mark *m, struct ident *id, u32 kinds)
{
	struct file_key key = { .group = m->group, .ino = id->ino, .dev = id->dev };
	struct dentry *dentry = id->dentry;
	struct scratch *s;
	struct group *g;
	u32 all = kinds, *old;
	bool memfd;

	if ((id->mode & S_IFMT) != S_IFREG)
		return;
	if (m->flags & MARK_CANARY) /* device numbers of its files come again */
		key.dev |= bpf_get_current_pid_tgid() & ~0xffffffffULL;
	memfd = id->magic == TMPFS_MAGIC && BPF_CORE_READ(dentry, d_parent) == dentry;
	if (!(m->flags & MARK_CANARY)) {
		if (is_pseudo(id->magic))
			return;
		/* What is only opened on a tmpfs is no image's file, unless
		 * the image itself lies on one. */
		if (id->magic == TMPFS_MAGIC && kinds == KIND_OPEN) {
			struct task_struct *task = bpf_get_current_task_btf();

			if (memfd || BPF_CORE_READ(task, fs, root.dentry, d_inode, i_sb) != id->sb)
				return;
		}
	}
	old = bpf_map_lookup_elem(&seen, &key);
	if (old && (*old & kinds) == kinds)
		return;
	g = bpf_map_lookup_elem(&groups, &key.group);
	if (g && g->dropped)
		return;
	if (!old && bpf_map_update_elem(&seen, &key, &all, BPF_NOEXIST)) {
		old = bpf_map_lookup_elem(&seen, &key);
		if (!old) {
			LOSE(key.group, lost_map);
			return;
		}
	}
	if (old) {
		u32 before = __sync_fetch_and_or(old, kinds);

		if ((before & kinds) == kinds)
			return;
		all = before | kinds;
	}
	s = take_room();
	if (!s) {
		LOSE(key.group, lost_ring);
		return;
	}
	begin(s, EVENT_FILE, key.group, m->flags);
	s->event.ino = id->ino;
	s->event.dev = id->dev;
	s->event.magic = id->magic;
	s->event.kinds = all;
	walk(s, id->dentry, id->mnt);
	if (memfd) {
		s->event.flags |= FLAG_MEMFD;
		s->event.flags &= ~FLAG_CUT;
	}
	send(s);
}

#endif
