// SPDX-License-Identifier: GPL-2.0
/*
 * The sensor: tells which files the processes of containers execute, map and
 * open, each file once. It needs no more than BTF tracepoints, so it loads on
 * kernels without kprobes and fentry, from 5.17 (bpf_loop, bpf_find_vma).
 *
 * A process is marked when it executes a program inside a container's control
 * group and mount namespace; marks pass on by fork. Whatever is not marked
 * (the host, a container runtime that sets a container up) is left at once.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "maps.h"
#include "syscalls.h"
#include "files.h"
#include "groups.h"

#define MAX_ERRNO 4095
#define EBUSY 16
#define PROT_EXEC 4
#define MAP_ANONYMOUS 0x20
#define IORING_OP_OPENAT 18
#define IORING_OP_OPENAT2 28

char LICENSE[] SEC("license") = "GPL";

static long identify_vma(struct task_struct *task, struct vm_area_struct *vma, struct ident *id)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);

	id->found = 2; /* a mapping without a file */
	if (file)
		identify(file, id);
	return 0;
}

/* The file behind a descriptor of the task. */
static __always_inline bool identify_fd(struct task_struct *task, u32 fd, struct ident *id)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **table = BPF_CORE_READ(fdt, fd), *file = 0;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return false;
	if (bpf_probe_read_kernel(&file, sizeof(file), &table[fd]) || !file)
		return false;
	identify(file, id);
	return true;
}

static __always_inline void on_mapping(struct task_struct *task, struct mark *m, u64 addr, u32 prot, u32 flags, u32 fd)
{
	struct ident id = {};
	u32 kinds = KIND_MAP;

	if (flags & MAP_ANONYMOUS)
		return;
	if (prot & PROT_EXEC)
		kinds |= KIND_XMAP;
	/* The descriptor may be another file's by now, the mapping is not. */
	bpf_find_vma(task, addr, identify_vma, &id, 0);
	if (id.found == 2)
		return;
	if (!id.found && !identify_fd(task, fd, &id)) {
		LOSE(m->group, lost_vanish);
		return;
	}
	note(m, &id, kinds);
}

/* The file of a mapping that becomes executable was seen when it was mapped.
 * While another thread changes the mappings they cannot be read here; then
 * user space looks at them a moment later, if there is anything to find. */
static __always_inline void on_protect(struct task_struct *task, struct mark *m, u64 addr, u32 prot)
{
	struct ident id = {};
	struct scratch *s;
	int i;

	if (!(prot & PROT_EXEC))
		return;
	for (i = 0; i < 4 && !id.found; i++)
		if (bpf_find_vma(task, addr, identify_vma, &id, 0) != -EBUSY)
			break;
	if (id.found == 1)
		note(m, &id, KIND_MAP | KIND_XMAP);
	if (id.found)
		return;
	s = take_room();
	if (!s) {
		LOSE(m->group, lost_unknown);
		return;
	}
	begin(s, EVENT_SAMPLE, m->group, m->flags);
	send(s);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = is_compat(task);
	enum call call = classify(call_number(regs), compat);
	struct ident id = {};
	struct args a;
	struct mark *m;
	u32 pid;

	if (call == CALL_NONE)
		return 0;
	if (compat ? (u32)ret >= (u32)-MAX_ERRNO : (u64)ret >= (u64)-MAX_ERRNO)
		return 0;
	if (call == CALL_PIVOT) {
		struct kernfs_node *kn = group_of(task);

		announce(kn, BPF_CORE_READ(kn, id), EVENT_PIVOT);
		return 0;
	}
	pid = bpf_get_current_pid_tgid() >> 32;
	m = bpf_map_lookup_elem(&marks, &pid);
	if (!m)
		return 0;

	switch (call) {
	case CALL_OPEN:
		if (m->flags & MARK_CANARY) {
			struct mark here = { .flags = m->flags };

			here.group = BPF_CORE_READ(group_of(task), id);
			if (identify_fd(task, ret, &id))
				note(&here, &id, KIND_OPEN);
			return 0;
		}
		if (!identify_fd(task, ret, &id))
			LOSE(m->group, lost_vanish);
		else if (!(id.flags & O_PATH))
			note(m, &id, KIND_OPEN);
		return 0;
	case CALL_MMAP:
		call_args(regs, compat, &a);
		on_mapping(task, m, compat ? (u32)ret : ret, a.a2, a.a3, a.a4);
		return 0;
	case CALL_MMAP_OLD: {
		/* struct mmap_arg_struct32 { addr, len, prot, flags, fd, offset } */
		u32 v[6] = {};

		call_args(regs, compat, &a);
		if (bpf_probe_read_user(v, sizeof(v), (void *)a.a0))
			LOSE(m->group, lost_unknown);
		else
			on_mapping(task, m, (u32)ret, v[2], v[3], v[4]);
		return 0;
	}
	case CALL_PROTECT:
		call_args(regs, compat, &a);
		on_protect(task, m, a.a0, a.a2);
		return 0;
	case CALL_USELIB:
		LOSE(m->group, lost_unknown);
		return 0;
	case CALL_URING:
		LOSE(m->group, uring_setup);
		return 0;
	default:
		return 0;
	}
}

/* Tells the name that was given to exec when the kernel executed something
 * else in its place: a script's interpreter, or one of binfmt_misc. */
static __always_inline void on_script(struct task_struct *task, struct mark *m, struct linux_binprm *bprm)
{
	struct scratch *s = take_room();
	struct file_key key = { .group = m->group, .dev = ~0ULL };
	struct group *g = bpf_map_lookup_elem(&groups, &key.group);
	struct dentry *dentry;
	struct vfsmount *mnt;
	u32 one = 1, i;
	u64 hash = 14695981039346656037ULL;
	long n;

	if (!s) {
		LOSE(m->group, lost_ring);
		return;
	}
	begin(s, EVENT_SCRIPT, m->group, m->flags);
	s->event.kinds = KIND_EXEC;
	n = bpf_probe_read_kernel_str(s->event.path, PATH_BYTES, BPF_CORE_READ(bprm, filename));
	if (n <= 1 || n > PATH_BYTES || (g && g->dropped)) {
		leave_room(s);
		if (n <= 1 || n > PATH_BYTES)
			LOSE(m->group, lost_unknown);
		return;
	}
	/* First sight by a hash of the name (its first 256 bytes and its
	 * length) and the directory that it is relative to. */
	for (i = 0; i < 256; i++) {
		if (i >= n)
			break;
		hash = (hash ^ (u8)s->event.path[i]) * 1099511628211ULL;
	}
	s->event.len = n;
	if (s->event.path[0] == '/') {
		dentry = BPF_CORE_READ(task, fs, root.dentry);
		mnt = BPF_CORE_READ(task, fs, root.mnt);
	} else {
		dentry = BPF_CORE_READ(task, fs, pwd.dentry);
		mnt = BPF_CORE_READ(task, fs, pwd.mnt);
		hash = ~hash;
	}
	hash ^= (u64)BPF_CORE_READ(dentry, d_inode, i_ino) << 1;
	key.ino = hash ^ (u64)n << 48;
	if (n <= 256) {
		if (bpf_map_lookup_elem(&seen, &key)) {
			leave_room(s);
			return;
		}
		bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
	}
	walk(s, dentry, mnt);
	send(s);
}

/* Finds the ELF interpreter: it is mapped where the auxiliary vector says. */
static __always_inline void on_interpreter(struct task_struct *task, struct mark *m)
{
	struct scratch *s = take_room();
	struct ident id = {};
	u64 base = 0;
	u32 size = bpf_core_field_size(struct mm_struct, saved_auxv);
	u32 i;

	if (!s) {
		LOSE(m->group, lost_unknown);
		return;
	}
	if (size > AUXV_BYTES)
		size = AUXV_BYTES;
	__builtin_memset(s->auxv, 0, sizeof(s->auxv));
	if (bpf_probe_read_kernel(s->auxv, size, (void *)BPF_CORE_READ(task, mm) + bpf_core_field_offset(struct mm_struct, saved_auxv))) {
		leave_room(s);
		LOSE(m->group, lost_unknown);
		return;
	}
	if (s->auxv[0] >> 32) { /* pairs of 32 bits: a compat program */
		for (i = 0; i < AUXV_BYTES / 8; i++)
			if ((u32)s->auxv[i] == AT_BASE) {
				base = s->auxv[i] >> 32;
				break;
			}
	} else {
		for (i = 0; i + 1 < AUXV_BYTES / 8; i += 2)
			if (s->auxv[i] == AT_BASE) {
				base = s->auxv[i + 1];
				break;
			}
	}
	leave_room(s);
	if (!base)
		return; /* static */
	bpf_find_vma(task, base, identify_vma, &id, 0);
	if (id.found == 1)
		note(m, &id, KIND_INTERP | KIND_MAP | KIND_XMAP);
	else
		LOSE(m->group, lost_unknown);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	u32 pid = task->tgid;
	struct mark *m = bpf_map_lookup_elem(&marks, &pid);
	struct ident id = {};
	bool script;

	if (m && (m->flags & MARK_CANARY))
		return 0;
	m = enter(task, pid, m);
	if (!m)
		return 0;
	script = BPF_CORE_READ(bprm, interp) != BPF_CORE_READ(bprm, filename);
	identify(BPF_CORE_READ(bprm, file), &id);
	note(m, &id, script ? KIND_INTERP : KIND_EXEC);
	if (script)
		on_script(task, m, bprm);
	on_interpreter(task, m);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 from = parent->tgid, to = child->tgid;
	struct mark *m, copy;

	if (from == to)
		return 0;
	m = bpf_map_lookup_elem(&marks, &from);
	if (!m)
		return 0;
	copy = *m;
	if (bpf_map_update_elem(&marks, &to, &copy, BPF_ANY))
		LOSE(copy.group, lost_map);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	u32 pid = task->tgid;

	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		bpf_map_delete_elem(&marks, &pid);
	return 0;
}

/* Opens through io_uring leave no descriptor that could be read here. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_uring, struct io_kiocb *req)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct mark *m = bpf_map_lookup_elem(&marks, &pid);
	u8 op;

	if (!m)
		return 0;
	op = BPF_CORE_READ(req, opcode);
	if (op == IORING_OP_OPENAT || op == IORING_OP_OPENAT2)
		LOSE(m->group, uring_open);
	return 0;
}
