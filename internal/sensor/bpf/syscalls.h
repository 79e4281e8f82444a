/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which system calls are of interest, by architecture and by ABI: a 32-bit
 * program on a 64-bit kernel uses other numbers and other registers.
 * Numbers: arch/x86/entry/syscalls/syscall_{32,64}.tbl,
 * include/uapi/asm-generic/unistd.h, arch/arm64/tools/syscall_32.tbl.
 */
#ifndef SENSOR_SYSCALLS_H
#define SENSOR_SYSCALLS_H

enum call {
	CALL_NONE = 0,
	CALL_OPEN,     /* returns a descriptor of a file */
	CALL_MMAP,     /* returns an address */
	CALL_MMAP_OLD, /* the same, its arguments in memory */
	CALL_PROTECT,  /* may make a mapping executable */
	CALL_USELIB,   /* maps a library by path, and names no descriptor */
	CALL_URING,    /* io_uring_setup */
	CALL_PIVOT,    /* pivot_root: a container's root has been made */
};

struct args { u64 a0, a2, a3, a4; };

#if defined(__TARGET_ARCH_x86)

#define TS_COMPAT 0x2             /* arch/x86/include/asm/thread_info.h */
#define X32_BIT 0x40000000UL

static __always_inline bool is_compat(struct task_struct *task)
{
	return task->thread_info.status & TS_COMPAT;
}

static __always_inline u32 call_number(struct pt_regs *regs)
{
	return regs->orig_ax & ~X32_BIT;
}

static __always_inline enum call classify(u32 nr, bool compat)
{
	if (compat)
		switch (nr) {
		case 5: case 8: case 295: case 342: case 437: return CALL_OPEN;
		case 192: return CALL_MMAP;
		case 90: return CALL_MMAP_OLD;
		case 125: case 380: return CALL_PROTECT;
		case 86: return CALL_USELIB;
		case 217: return CALL_PIVOT;
		case 425: return CALL_URING;
		default: return CALL_NONE;
		}
	switch (nr) {
	case 2: case 85: case 257: case 304: case 437: return CALL_OPEN;
	case 9: return CALL_MMAP;
	case 10: case 329: return CALL_PROTECT;
	case 134: return CALL_USELIB;
	case 155: return CALL_PIVOT;
	case 425: return CALL_URING;
	default: return CALL_NONE;
	}
}

static __always_inline void call_args(struct pt_regs *regs, bool compat, struct args *a)
{
	if (compat) {
		a->a0 = (u32)regs->bx;
		a->a2 = (u32)regs->dx;
		a->a3 = (u32)regs->si;
		a->a4 = (u32)regs->di;
		return;
	}
	a->a0 = regs->di;
	a->a2 = regs->dx;
	a->a3 = regs->r10;
	a->a4 = regs->r8;
}

#elif defined(__TARGET_ARCH_arm64)

#define TIF_32BIT (1UL << 22)     /* arch/arm64/include/asm/thread_info.h */

static __always_inline bool is_compat(struct task_struct *task)
{
	return task->thread_info.flags & TIF_32BIT;
}

static __always_inline u32 call_number(struct pt_regs *regs)
{
	return regs->syscallno;
}

static __always_inline enum call classify(u32 nr, bool compat)
{
	if (compat)
		switch (nr) {
		case 5: case 8: case 322: case 371: case 437: return CALL_OPEN;
		case 192: return CALL_MMAP;
		case 125: case 394: return CALL_PROTECT;
		case 86: return CALL_USELIB;
		case 218: return CALL_PIVOT;
		case 425: return CALL_URING;
		default: return CALL_NONE;
		}
	switch (nr) {
	case 56: case 265: case 437: return CALL_OPEN;
	case 222: return CALL_MMAP;
	case 226: case 288: return CALL_PROTECT;
	case 41: return CALL_PIVOT;
	case 425: return CALL_URING;
	default: return CALL_NONE;
	}
}

static __always_inline void call_args(struct pt_regs *regs, bool compat, struct args *a)
{
	a->a0 = regs->orig_x0;
	a->a2 = regs->regs[2];
	a->a3 = regs->regs[3];
	a->a4 = regs->regs[4];
}

#endif
#endif
