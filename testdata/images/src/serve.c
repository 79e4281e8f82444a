/* serve: the program inside the fixture images. It does what its arguments
 * say, in their order, and then answers HTTP on port 8080.
 *
 *   -open FILE   open and close a file
 *   -load LIB    dlopen
 *   -drop LIB    dlopen, then dlclose at once
 *   -memfd LIB   copy a library into a memfd and dlopen that
 *   -run PROG    run a program without arguments and wait for it
 *   -walk DIR    open every file below DIR
 *   -deep DIR    make a path longer than PATH_MAX below DIR and open its end
 *   -exit CODE   end here instead of serving
 *   -check       ask the server on port 8080 and end: 0 when it answers
 *
 * Built with -DSTATIC it has no dlopen; with -DGREETING it answers with what
 * libgreet says.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifndef STATIC
#include <dlfcn.h>
#endif

#ifdef GREETING
const char *greeting(void);
#else
static const char *greeting(void) { return "hello\n"; }
#endif

static void die(const char *what)
{
	fprintf(stderr, "serve: %s: %s\n", what, strerror(errno));
	exit(1);
}

#ifndef STATIC
static void load(const char *lib, int drop)
{
	void *handle = dlopen(lib, RTLD_NOW);

	if (!handle) {
		fprintf(stderr, "serve: %s\n", dlerror());
		exit(1);
	}
	if (drop)
		dlclose(handle);
}

static void load_from_memory(const char *lib)
{
	char path[64], buffer[65536];
	int from = open(lib, O_RDONLY | O_CLOEXEC);
	int to = memfd_create("copy", 0);
	ssize_t n;

	if (from < 0 || to < 0)
		die(lib);
	while ((n = read(from, buffer, sizeof buffer)) > 0)
		if (write(to, buffer, (size_t)n) != n)
			die("write");
	close(from);
	snprintf(path, sizeof path, "/proc/self/fd/%d", to);
	load(path, 0);
}
#endif

/* Descriptors all the way down: names may be of any length and any bytes. */
static long walk(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long opened = 0;
	struct dirent *e;
	DIR *dir;

	if (fd < 0 || !(dir = fdopendir(fd)))
		die(name);
	while ((e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (e->d_type == DT_DIR) {
			opened += walk(fd, e->d_name);
		} else {
			int file = openat(fd, e->d_name, O_RDONLY | O_CLOEXEC);

			if (file < 0)
				die(e->d_name);
			close(file);
			opened++;
		}
	}
	closedir(dir);
	return opened;
}

static void deep(const char *start)
{
	char name[201];
	int at = open(start, O_RDONLY | O_DIRECTORY), i;

	memset(name, 'd', 200);
	name[200] = 0;
	for (i = 0; i < 30; i++) {
		int next;

		if (mkdirat(at, name, 0755) && errno != EEXIST)
			die("mkdirat");
		next = openat(at, name, O_RDONLY | O_DIRECTORY);
		if (next < 0)
			die("openat");
		close(at);
		at = next;
	}
	if (openat(at, "end", O_RDWR | O_CREAT, 0644) < 0)
		die("end");
}

static void run(char *prog)
{
	char *argv[] = {prog, NULL};
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		execvp(prog, argv);
		die(prog);
	}
	waitpid(child, &status, 0);
	if (status) {
		fprintf(stderr, "serve: %s ended with %d\n", prog, status);
		exit(1);
	}
}

static struct sockaddr_in address(unsigned long host)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(8080)};

	a.sin_addr.s_addr = htonl(host);
	return a;
}

static int check(void)
{
	struct sockaddr_in a = address(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return connect(fd, (struct sockaddr *)&a, sizeof a) ? 1 : 0;
}

static void stop(int signal)
{
	(void)signal;
	_exit(0);
}

static void serve(void)
{
	struct sockaddr_in a = address(INADDR_ANY);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 16))
		die("listen");
	for (;;) {
		char request[4096], answer[512];
		int c = accept(fd, NULL, NULL);
		int n;

		if (c < 0)
			continue;
		if (read(c, request, sizeof request) > 0) {
			n = snprintf(answer, sizeof answer,
				     "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
				     strlen(greeting()), greeting());
			if (write(c, answer, (size_t)n) < 0)
				perror("serve: write");
		}
		close(c);
	}
}

int main(int argc, char **argv)
{
	int i;

	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	signal(SIGPIPE, SIG_IGN);
	for (i = 1; i < argc; i++) {
		char *arg = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(argv[i], "-check"))
			return check();
		if (!arg) {
			fprintf(stderr, "serve: %s wants an argument\n", argv[i]);
			return 2;
		}
		i++;
		if (!strcmp(argv[i - 1], "-open")) {
			int fd = open(arg, O_RDONLY);

			if (fd < 0)
				die(arg);
			close(fd);
		} else if (!strcmp(argv[i - 1], "-walk")) {
			printf("opened %ld files below %s\n", walk(AT_FDCWD, arg), arg);
			fflush(stdout);
		} else if (!strcmp(argv[i - 1], "-deep")) {
			deep(arg);
		} else if (!strcmp(argv[i - 1], "-run")) {
			run(arg);
		} else if (!strcmp(argv[i - 1], "-exit")) {
			return atoi(arg);
#ifndef STATIC
		} else if (!strcmp(argv[i - 1], "-load")) {
			load(arg, 0);
		} else if (!strcmp(argv[i - 1], "-drop")) {
			load(arg, 1);
		} else if (!strcmp(argv[i - 1], "-memfd")) {
			load_from_memory(arg);
#endif
		} else {
			fprintf(stderr, "serve: unknown argument %s\n", argv[i - 1]);
			return 2;
		}
	}
	serve();
	return 0;
}
