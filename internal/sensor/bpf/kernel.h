/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel types that the sensor reads, each with only the fields that
 * it needs. preserve_access_index makes the loader find the true offsets in
 * the running kernel's BTF, so neither the order nor the size here matters.
 * A name with three underscores is a flavour: another shape of the same type
 * in other kernel versions.
 */
#ifndef SENSOR_KERNEL_H
#define SENSOR_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef _Bool bool;
enum { false = 0, true = 1 };

/* include/uapi/linux/bpf.h */
enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_PERCPU_ARRAY = 6, BPF_MAP_TYPE_LRU_HASH = 9, BPF_MAP_TYPE_RINGBUF = 27 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_AVAIL_DATA = 0 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr { u32 len; const unsigned char *name; };
struct super_block { u32 s_dev; unsigned long s_magic; };
struct inode { u16 i_mode; struct super_block *i_sb; unsigned long i_ino; };
struct dentry { struct dentry *d_parent; struct qstr d_name; struct inode *d_inode; struct super_block *d_sb; };
struct vfsmount { struct dentry *mnt_root; struct super_block *mnt_sb; };
struct mnt_namespace;
struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; struct mnt_namespace *mnt_ns; };
struct path { struct vfsmount *mnt; struct dentry *dentry; };
struct file { struct path f_path; struct inode *f_inode; u32 f_flags; };
/* Since 6.8: the overlay's own path of a file whose f_path is a layer's. */
struct backing_file { struct file file; struct path user_path; };

struct fdtable { u32 max_fds; struct file **fd; };
struct files_struct { struct fdtable *fdt; };
struct fs_struct { struct path root; struct path pwd; };
struct ns_common { u32 inum; };
struct mnt_namespace { struct ns_common ns; };
struct nsproxy { struct mnt_namespace *mnt_ns; };

struct kernfs_node { struct kernfs_node *parent; const char *name; u64 id; };
/* Since 6.15 the parent is behind RCU and has another name. */
struct kernfs_node___rcu { struct kernfs_node *__parent; };
struct cgroup_root { int hierarchy_id; };
struct cgroup { struct kernfs_node *kn; struct cgroup_root *root; };
struct cgroup_subsys_state { struct cgroup *cgroup; };
struct css_set { struct cgroup_subsys_state *subsys[1]; struct cgroup *dfl_cgrp; };
enum cgroup_subsys_id { pids_cgrp_id = 0 };

typedef struct { int counter; } atomic_t;
struct signal_struct { atomic_t live; };
struct mm_struct { unsigned long saved_auxv[1]; };
struct thread_info { unsigned long flags; u32 status; };
struct task_struct {
	struct thread_info thread_info;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct files_struct *files;
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct mm_struct *mm;
	struct signal_struct *signal;
};
struct vm_area_struct { struct file *vm_file; };
struct linux_binprm { struct file *file; const char *filename; const char *interp; };
struct io_kiocb { u8 opcode; };

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r10, r9, r8, cx, dx, si, di, bx, bp, orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs { u64 regs[31]; u64 orig_x0; int syscallno; };
#else
#error "unknown target"
#endif

#pragma clang attribute pop

#endif
