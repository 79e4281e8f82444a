/*
 * The program of the sensor's tests: each sub-command uses files in one way.
 * It is built static, dynamic, against musl and for 32 bits. Every failed
 * call ends it with a message and code 1.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_memfd_create
#define SYS_memfd_create 319
#endif

struct how { uint64_t flags, mode, resolve; };

static long must(long r, const char *what)
{
	if (r == -1) {
		perror(what);
		exit(1);
	}
	return r;
}

static void reap(pid_t pid)
{
	int status;
	must(waitpid(pid, &status, 0), "waitpid");
	if (status)
		exit(1);
}

/* map FILE: the descriptor is gone before anything is done with the mapping. */
static void map(const char *file, int prot)
{
	int fd = must(open(file, O_RDONLY), file);
	void *at = mmap(0, 4096, prot, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		must(-1, "mmap");
	close(fd);
	munmap(at, 4096);
}

static void copy(const char *from, int to)
{
	char buf[65536];
	ssize_t n;
	int fd = must(open(from, O_RDONLY), from);
	while ((n = must(read(fd, buf, sizeof buf), "read")) > 0)
		must(write(to, buf, n), "write");
	close(fd);
}

/* uring FILE: opens a file by IORING_OP_OPENAT. */
static void uring(const char *file)
{
	struct io_uring_params p = { 0 };
	int ring = must(syscall(425, 4, &p), "io_uring_setup");
	char *sq = mmap(0, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqe = mmap(0, p.sq_entries * sizeof *sqe, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || sqe == MAP_FAILED)
		must(-1, "mmap");
	memset(sqe, 0, sizeof *sqe);
	sqe->opcode = IORING_OP_OPENAT;
	sqe->fd = AT_FDCWD;
	sqe->addr = (uintptr_t)file;
	sqe->open_flags = O_RDONLY;
	*(uint32_t *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	must(syscall(426, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0), "io_uring_enter");
}

/* exec-memfd FILE: executes a copy that has no name. */
static void exec_memfd(const char *file)
{
	char *argv[] = { "copy", "true", 0 }, *env[] = { 0 };
	int fd = must(syscall(SYS_memfd_create, "copy", 0), "memfd_create");
	copy(file, fd);
	fexecve(fd, argv, env);
	must(-1, "fexecve");
}

/* handle FILE: opens by handle; the file system must support it. */
static void handle(const char *file)
{
	struct { struct file_handle h; char room[128]; } h = { .h.handle_bytes = 128 };
	int id, dir = must(open(file, O_PATH), file);
	must(name_to_handle_at(AT_FDCWD, file, &h.h, &id, 0), "name_to_handle_at");
	close(dir);
	char parent[4096];
	strcpy(parent, file);
	*strrchr(parent, '/') = 0;
	dir = must(open(parent, O_RDONLY | O_DIRECTORY), parent);
	must(open_by_handle_at(dir, &h.h, O_RDONLY), "open_by_handle_at");
}

/* deep NAME: makes and opens a file whose path has 4,000 bytes, and one beyond that. */
static void deep(const char *base)
{
	char name[251];
	must(chdir(base), base);
	memset(name, 'd', 250);
	name[250] = 0;
	for (int i = 0; i < 20; i++) {
		if (i == 15)
			close(must(open("leaf", O_CREAT | O_RDWR, 0644), "leaf"));
		must(mkdir(name, 0755), name);
		must(chdir(name), name);
	}
	close(must(open("toodeep", O_CREAT | O_RDWR, 0644), "toodeep"));
}

/* passed FILE: one process opens, another maps what it was sent. */
static void passed(const char *file)
{
	int pair[2];
	char byte = 0, room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	pid_t pid = must(fork(), "fork");
	if (!pid) {
		int fd = must(open(file, O_RDONLY), file);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
		must(sendmsg(pair[1], &m, 0), "sendmsg");
		_exit(0);
	}
	must(recvmsg(pair[0], &m, 0), "recvmsg");
	int fd;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	if (mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		must(-1, "mmap");
	reap(pid);
}

/* jit FILE COUNT: threads that make memory executable while others map and unmap. */
static const char *jit_file;
static int jit_count;

static void *jit_main(void *number)
{
	for (int i = 0; i < jit_count; i++) {
		if ((intptr_t)number % 2) {
			map(jit_file, PROT_READ);
			continue;
		}
		void *at = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(mprotect(at, 65536, PROT_READ | PROT_EXEC), "mprotect");
		munmap(at, 65536);
	}
	return 0;
}

static void jit(const char *file, int count)
{
	pthread_t t[8];

	jit_file = file;
	jit_count = count;
	for (intptr_t i = 0; i < 8; i++)
		if (pthread_create(&t[i], 0, jit_main, (void *)i))
			exit(1);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], 0);
}

static void *thread_main(void *file)
{
	close(must(open(file, O_RDONLY), file));
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "true", *file = argc > 2 ? argv[2] : "";
	int count = argc > 3 ? atoi(argv[3]) : 1;

	if (strstr(argv[0], "true") || !strcmp(what, "true"))
		return 0;
#ifdef SYS_open
	if (!strcmp(what, "open"))
		must(syscall(SYS_open, file, O_RDONLY), file);
	else if (!strcmp(what, "creat"))
		must(syscall(SYS_creat, file, 0644), file);
	else
#endif
	if (!strcmp(what, "openat"))
		must(syscall(SYS_openat, AT_FDCWD, file, O_RDONLY), file);
	else if (!strcmp(what, "openat2")) {
		struct how how = { O_RDONLY, 0, 0 };
		must(syscall(SYS_openat2, AT_FDCWD, file, &how, sizeof how), file);
	} else if (!strcmp(what, "name")) /* names a file without opening it */
		must(open(file, O_PATH), file);
	else if (!strcmp(what, "handle"))
		handle(file);
	else if (!strcmp(what, "map"))
		map(file, PROT_READ);
	else if (!strcmp(what, "jit"))
		jit(file, count);
	else if (!strcmp(what, "passed"))
		passed(file);
	else if (!strcmp(what, "protect")) {
		int fd = must(open(file, O_RDONLY), file);
		void *at = mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
		must(mprotect(at, 4096, PROT_READ | PROT_EXEC), "mprotect");
	} else if (!strcmp(what, "memfd-protect")) { /* maps a memfd, then makes it executable */
		int fd = must(syscall(SYS_memfd_create, "late", 0), "memfd_create");
		copy(file, fd);
		void *at = mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
		must(mprotect(at, 4096, PROT_READ | PROT_EXEC), "mprotect");
	} else if (!strcmp(what, "thread")) {
		pthread_t t;
		if (pthread_create(&t, 0, thread_main, (void *)file) || pthread_join(t, 0))
			return 1;
	} else if (!strcmp(what, "flat")) { /* the same file over and over; prints nanoseconds of processor time per open */
		struct timespec a, b;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		for (int i = 0; i < count; i++)
			close(must(open(file, O_RDONLY), file));
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		printf("%f\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / count);
	} else if (!strcmp(what, "burst")) { /* many different files in a directory; prints seconds */
		struct timespec a, b;
		char name[32];
		must(chdir(file), file);
		for (int i = 0; i < count; i++) {
			sprintf(name, "f%d", i);
			must(mknod(name, S_IFREG | 0644, 0), name);
		}
		clock_gettime(CLOCK_MONOTONIC, &a);
		for (int i = 0; i < count; i++) {
			sprintf(name, "f%d", i);
			close(must(open(name, O_RDONLY), name));
			if (i == count / 2 && argc > 4)
				map(argv[4], PROT_READ | PROT_EXEC);
		}
		clock_gettime(CLOCK_MONOTONIC, &b);
		printf("%f\n", (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9);
	} else if (!strcmp(what, "spawn")) { /* many short lives of another program */
		for (int i = 0; i < count; i++) {
			pid_t pid = must(vfork(), "vfork");
			if (!pid) {
				execl(file, file, (char *)0);
				_exit(1);
			}
			reap(pid);
		}
	} else if (!strcmp(what, "time")) { /* time "" COUNT PROGRAM ARGS...: prints seconds per run */
		struct timespec a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		for (int i = 0; i < count; i++) {
			pid_t pid = must(vfork(), "vfork");
			if (!pid) {
				execv(argv[4], argv + 4);
				_exit(1);
			}
			reap(pid);
		}
		clock_gettime(CLOCK_MONOTONIC, &b);
		printf("%f\n", ((b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9) / count);
	} else if (!strcmp(what, "unshare")) { /* reads the file in new mount and pid namespaces */
		must(unshare(CLONE_NEWNS | CLONE_NEWPID), "unshare");
		pid_t pid = must(fork(), "fork");
		if (!pid) {
			close(must(open(file, O_RDONLY), file));
			_exit(0);
		}
		reap(pid);
	} else if (!strcmp(what, "bind")) { /* bind DIR ALIAS FILE */
		must(mount(file, argv[3], 0, MS_BIND, 0), "mount");
		map(argv[4], PROT_READ | PROT_EXEC);
	} else if (!strcmp(what, "overlay")) { /* overlay LOWER POINT FILE */
		char options[512];
		snprintf(options, sizeof options, "lowerdir=%s:/empty", file);
		must(mount("overlay", argv[3], "overlay", 0, options), "mount");
		map(argv[4], PROT_READ | PROT_EXEC);
	} else if (!strcmp(what, "chroot")) { /* chroot DIR FILE */
		must(chroot(file), "chroot");
		must(chdir("/"), "chdir");
		close(must(open(argv[3], O_RDONLY), argv[3]));
	} else if (!strcmp(what, "group")) { /* group DIR FILE: reads in a control group below its own */
		char procs[512], pid[16];
		must(mkdir(file, 0755), file);
		snprintf(procs, sizeof procs, "%s/cgroup.procs", file);
		int fd = must(open(procs, O_WRONLY), procs);
		must(write(fd, pid, sprintf(pid, "%d", getpid())), "write");
		execl("/bin/static", "/bin/static", "open", argv[3], (char *)0);
		must(-1, "execl");
	} else if (!strcmp(what, "copy-exec")) { /* executes a copy, then removes it */
		int fd = must(open("/tmp/copy", O_CREAT | O_WRONLY, 0755), "/tmp/copy");
		copy(file, fd);
		close(fd);
		pid_t pid = must(fork(), "fork");
		if (!pid) {
			execl("/tmp/copy", "/tmp/copy", "sleep", "", "1", (char *)0);
			_exit(1);
		}
		reap(pid);
	} else if (!strcmp(what, "memfd"))
		exec_memfd(file);
	else if (!strcmp(what, "uring"))
		uring(file);
	else if (!strcmp(what, "deep"))
		deep(file);
	else if (!strcmp(what, "sleep"))
		sleep(count);
#ifdef DYNAMIC
	else if (!strcmp(what, "dl")) { /* loads and unloads a library many times */
		for (int i = 0; i < count; i++) {
			void *lib = dlopen(file, RTLD_NOW);
			if (!lib) {
				fprintf(stderr, "%s\n", dlerror());
				return 1;
			}
			dlclose(lib);
		}
	}
#endif
	else
		return 2;
	return 0;
}
