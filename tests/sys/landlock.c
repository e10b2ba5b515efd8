/*
 * landlock.c - what landlock.c promises: what no rule allows is refused, by this
 * machine's kernel if it has Landlock, and what a rule allows works.
 *
 * A child that has the rules makes one attempt, and its exit status is the errno
 * of that.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/landlock.h"
#include "tests/test.h"

enum {
	OPEN_PORT = 40123, /* any two; it does not matter who listens there */
	OTHER_PORT = 40124,
	NO_RULES = 255 /* exit status: the kernel refused the rules */
};

typedef void (*rules_of)(struct landlock *);
typedef int (*attempt_of)(const char *);

static char directory[64];
static int level; /* the kernel's ABI, as far as the room knows it */

/* ------------------------------------------------------------ a small world */

static int
put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	size_t n = strlen(text);
	int bad = fd < 0 || write(fd, text, n) != (ssize_t)n;

	(void)close(fd);
	return bad;
}

/* Each test has a directory of its own for the current one. */
static int
enter(void **state)
{
	struct landlock l;

	(void)state;
	if (landlock_begin(&l, LANDLOCK_ABSTRACT_REFUSED)) {
		level = l.abi;
		(void)close(l.fd);
	}
	strcpy(directory, "/tmp/ntpd-landlock-XXXXXX");
	return mkdtemp(directory) == NULL || chdir(directory) != 0 ||
	    mkdir("conf", 0755) != 0 || mkdir("state", 0755) != 0 ||
	    mkdir("more", 0755) != 0 || mkdir("run", 0755) != 0 ||
	    mkdir("other", 0755) != 0 || mkdir("listed", 0755) != 0 ||
	    mkdir("listed/d", 0755) != 0 || put("conf/ntpd.conf", "conf") ||
	    put("state/drift", "1") || put("run/pid", "1") ||
	    put("other/secret", "no") || put("hosts", "alone") ||
	    put("log", "") || put("other/answers", "linked") ||
	    symlink("other/answers", "resolv") != 0 ||
	    symlink("ntpd.conf", "conf/inside") != 0 ||
	    symlink("../other/secret", "conf/outside") != 0;
}

static int
leave(void **state)
{
	char command[80];

	(void)state;
	(void)snprintf(command, sizeof command, "rm -r %s", directory);
	return chdir("/") != 0 || system(command) != 0;
}

/* What a daemon could have. */
static void
daemon_rules(struct landlock *l)
{
	landlock_path(l, "conf", LANDLOCK_READ_BELOW);
	landlock_path(l, "hosts", LANDLOCK_READ_FILE);
	landlock_path(l, "resolv", LANDLOCK_READ_FILE);
	landlock_path(l, "state", LANDLOCK_STATE);
	landlock_path(l, "more", LANDLOCK_STATE);
	landlock_path(l, "run", LANDLOCK_REMOVE);
	landlock_path(l, "log", LANDLOCK_WRITE_FILE);
	landlock_path(l, "/dev/null", LANDLOCK_WRITE_FILE);
	landlock_path(l, "missing", LANDLOCK_READ_FILE);
	landlock_path(l, "listed", LANDLOCK_LIST_BELOW);
	landlock_port(l, OPEN_PORT, LANDLOCK_CONNECT);
	landlock_port(l, OTHER_PORT, LANDLOCK_BIND);
}

static void
no_rules(struct landlock *l)
{
	(void)l;
}

static void
restrict_by(rules_of rules, enum landlock_abstract abstract)
{
	struct landlock l;

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!landlock_begin(&l, abstract))
		_exit(NO_RULES);
	rules(&l);
	if (landlock_end(&l) != level)
		_exit(NO_RULES);
}

static int
fate(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), NO_RULES);
	return WEXITSTATUS(status);
}

/* The errno of the attempt under one or two sets of rules; 0: it succeeded. */
static int
under(rules_of outer, rules_of inner, attempt_of attempt, const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		restrict_by(outer, LANDLOCK_ABSTRACT_REFUSED);
		if (inner != NULL)
			restrict_by(inner, LANDLOCK_ABSTRACT_REFUSED);
		_exit(attempt(path));
	}
	return fate(pid);
}

/* ----------------------------------------------------------------- attempts */

static int
opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

static int
reads(const char *path)
{
	return opened(path, O_RDONLY);
}

static int
writes(const char *path)
{
	return opened(path, O_WRONLY);
}

static int
creates(const char *path)
{
	return opened(path, O_WRONLY | O_CREAT | O_EXCL);
}

static int
lists(const char *path)
{
	return opened(path, O_RDONLY | O_DIRECTORY);
}

/* As the daemon writes its drift file. */
static int
replaces(const char *path)
{
	return file_write(path, "2.000\n", 6) == 0 ? 0 : errno;
}

static int
empties(const char *path)
{
	return truncate(path, 0) == 0 ? 0 : errno;
}

static int
removes(const char *path)
{
	return unlink(path) == 0 ? 0 : errno;
}

static int
moves_drift_to(const char *path)
{
	return rename("state/drift", path) == 0 ? 0 : errno;
}

static int
links_drift_to(const char *path)
{
	return link("state/drift", path) == 0 ? 0 : errno;
}

static int
makes_directory(const char *path)
{
	return mkdir(path, 0755) == 0 ? 0 : errno;
}

static int
makes_link(const char *path)
{
	return symlink("/etc/shadow", path) == 0 ? 0 : errno;
}

static int
makes_fifo(const char *path)
{
	return mkfifo(path, 0644) == 0 ? 0 : errno;
}

static int
executes(const char *path)
{
	(void)execl(path, path, (char *)NULL);
	return errno;
}

static struct sockaddr_un
unix_name(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	(void)snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	if (*path == '@')
		sun.sun_path[0] = '\0';
	return sun;
}

static int
makes_socket(const char *path)
{
	struct sockaddr_un sun = unix_name(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0 ? 0 : errno;
}

static int
calls(const char *path)
{
	struct sockaddr_un sun = unix_name(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0 ? 0 :
								       errno;
}

static int
over_tcp(int port, int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Whatever the network says, Landlock has let it through. */
	return call(fd, (struct sockaddr *)&to, sizeof to) < 0 &&
		errno == EACCES ?
	    EACCES :
	    0;
}

static int
connects(const char *port)
{
	return over_tcp(atoi(port), connect);
}

static int
binds(const char *port)
{
	return over_tcp(atoi(port), bind);
}

static int
signals_parent(const char *unused)
{
	(void)unused;
	return kill(getppid(), 0) == 0 ? 0 : errno;
}

/* TIOCOUTQ asks nothing of the caller, and no driver of a plain device has
 * it. */
static int
controls_device(const char *path)
{
	int n, fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 || ioctl(fd, TIOCOUTQ, &n) == 0 ? 0 : errno;
}

/* ------------------------------------------------------- which rights there are */

static void
each_level_adds_its_rights(void **state)
{
	static const struct landlock_handled want[] = {
		{ 0, 0, 0 },
		{ 0x1fff, 0, 0 },
		{ 0x3fff, 0, 0 }, /* refer */
		{ 0x7fff, 0, 0 }, /* truncate */
		{ 0x7fff, 3, 0 }, /* bind and connect */
		{ 0xffff, 3, 0 }, /* ioctl of devices */
		{ 0xffff, 3, 3 }, /* abstract sockets and signals */
		{ 0xffff, 3, 3 },
	};
	struct landlock_handled h;

	(void)state;
	for (int abi = 0; abi < (int)LEN(want); abi++) {
		h = landlock_handled(abi, LANDLOCK_ABSTRACT_REFUSED);
		assert_int_equal(h.files, want[abi].files);
		assert_int_equal(h.ports, want[abi].ports);
		assert_int_equal(h.scopes, want[abi].scopes);
		h = landlock_handled(abi, LANDLOCK_ABSTRACT_ALLOWED);
		assert_int_equal(h.files, want[abi].files);
		assert_int_equal(h.ports, want[abi].ports);
		assert_int_equal(h.scopes, want[abi].scopes & 2);
	}
}

static void
a_rule_gives_what_the_level_knows(void **state)
{
	(void)state;
	for (int abi = 1; abi <= 7; abi++) {
		uint64_t truncate = abi >= 3 ? 0x4000 : 0;

		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_READ_FILE, false), 4);
		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_READ_BELOW, true), 4);
		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_LIST_BELOW, true), 12);
		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_WRITE_FILE, false),
		    6 | truncate);
		assert_int_equal(landlock_rights(abi, LANDLOCK_STATE, true),
		    0x126 | truncate);
		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_REMOVE, true), 0x20);
	}
}

/* The kernel would refuse rights of directories to a file, and a directory
 * that stands in a file's place must open nothing below it. */
static void
a_rule_for_another_kind_gives_nothing(void **state)
{
	(void)state;
	for (int abi = 1; abi <= 7; abi++) {
		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_READ_FILE, true), 0);
		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_WRITE_FILE, true), 0);
		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_READ_BELOW, false), 0);
		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_LIST_BELOW, false), 0);
		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_STATE, false), 0);
		assert_int_equal(
		    landlock_rights(abi, LANDLOCK_REMOVE, false), 0);
	}
}

/* ------------------------------------------------------ what the kernel refuses */

static const struct attempt {
	attempt_of call;
	const char *path;
	int error; /* 0: it is allowed */
	int since; /* the ABI from which it is refused */
} attempts[] = {
	{ reads, "conf/ntpd.conf", 0, 1 },
	{ reads, "conf/inside", 0, 1 },
	{ reads, "conf/outside", EACCES, 1 },
	{ reads, "conf/../other/secret", EACCES, 1 },
	{ reads, "hosts", 0, 1 },
	{ reads, "resolv", 0, 1 },
	{ reads, "other/answers", 0, 1 },
	{ reads, "other/secret", EACCES, 1 },
	{ reads, "/proc/self/maps", EACCES, 1 },
	{ lists, "conf", EACCES, 1 },
	{ lists, ".", EACCES, 1 },
	{ lists, "listed/d", 0, 1 },
	{ creates, "listed/new", EACCES, 1 },
	{ writes, "conf/ntpd.conf", EACCES, 1 },
	{ writes, "hosts", EACCES, 1 },
	{ writes, "other/secret", EACCES, 1 },
	{ empties, "conf/ntpd.conf", EACCES, 3 },
	{ empties, "other/secret", EACCES, 3 },
	{ creates, "conf/new", EACCES, 1 },
	{ creates, "other/new", EACCES, 1 },
	{ creates, "new", EACCES, 1 },
	{ removes, "conf/ntpd.conf", EACCES, 1 },
	{ removes, "other/secret", EACCES, 1 },
	{ removes, "hosts", EACCES, 1 },
	{ replaces, "conf/ntpd.conf", EACCES, 1 },

	{ reads, "state/drift", 0, 1 },
	{ writes, "state/drift", 0, 1 },
	{ empties, "state/drift", 0, 1 },
	{ replaces, "state/drift", 0, 1 },
	{ replaces, "state/new", 0, 1 },
	{ removes, "state/drift", 0, 1 },
	{ moves_drift_to, "state/old", 0, 1 },
	{ moves_drift_to, "more/drift", EXDEV, 1 },
	{ moves_drift_to, "other/drift", EACCES, 1 },
	{ links_drift_to, "more/drift", EXDEV, 1 },
	{ makes_directory, "state/d", EACCES, 1 },
	{ makes_link, "state/l", EACCES, 1 },
	{ makes_fifo, "state/f", EACCES, 1 },
	{ makes_socket, "state/s", EACCES, 1 },

	{ removes, "run/pid", 0, 1 },
	{ reads, "run/pid", EACCES, 1 },
	{ writes, "run/pid", EACCES, 1 },
	{ creates, "run/new", EACCES, 1 },
	{ makes_socket, "run/new", EACCES, 1 },

	{ writes, "log", 0, 1 },
	{ empties, "log", 0, 1 },
	{ replaces, "log", 0, 1 }, /* in place */
	{ removes, "log", EACCES, 1 },
	{ writes, "/dev/null", 0, 1 },
	{ controls_device, "/dev/null", EACCES, 5 },

	{ executes, "/bin/true", EACCES, 1 },
	{ connects, "40123", 0, 4 },
	{ connects, "40124", EACCES, 4 },
	{ binds, "40124", 0, 4 },
	{ binds, "40123", EACCES, 4 },
	{ binds, "0", EACCES, 4 },
	{ signals_parent, "", EPERM, 6 },
};

static void
only_what_a_rule_allows_works(void **state)
{
	const struct attempt *a;
	int got;

	(void)state;
	if (level == 0)
		skip();
	for (a = attempts; a < attempts + LEN(attempts); a++) {
		if (a->error != 0 && level < a->since)
			continue;
		got = under(daemon_rules, NULL, a->call, a->path);
		if (got != a->error)
			fail_msg("attempt %d, %s: %s, not %s",
			    (int)(a - attempts), a->path, strerror(got),
			    strerror(a->error));
		assert_int_equal(leave(NULL), 0); /* what it may have changed */
		assert_int_equal(enter(NULL), 0);
	}
}

/* What a set says of itself is what the kernel does; of ports above. */
static void
a_set_knows_what_it_allows(void **state)
{
	static const struct {
		const char *path;
		enum landlock_access access;
		bool allowed;
	} table[] = {
		{ "conf/ntpd.conf", LANDLOCK_READ_FILE, true },
		{ "conf/missing", LANDLOCK_READ_FILE, true },
		{ "conf/ntpd.conf", LANDLOCK_WRITE_FILE, false },
		{ "listed/d/any", LANDLOCK_READ_FILE, true },
		{ "hosts", LANDLOCK_READ_FILE, true },
		{ "hosts", LANDLOCK_WRITE_FILE, false },
		{ "log", LANDLOCK_WRITE_FILE, true },
		{ "state/drift", LANDLOCK_WRITE_FILE, true },
		{ "state/new", LANDLOCK_WRITE_FILE, true },
		{ "state", LANDLOCK_STATE, true },
		{ "conf", LANDLOCK_STATE, false },
		{ "other/secret", LANDLOCK_READ_FILE, false },
		{ "run/pid", LANDLOCK_READ_FILE, false },
		{ "missing/file", LANDLOCK_READ_FILE, false },
		{ "/etc/passwd", LANDLOCK_READ_FILE, false },
		{ "state/../conf/ntpd.conf", LANDLOCK_READ_FILE, true },
		{ "conf/../other/secret", LANDLOCK_READ_FILE, false },
	};
	struct landlock l;

	(void)state;
	if (level == 0)
		skip();
	assert_true(landlock_begin(&l, LANDLOCK_ABSTRACT_REFUSED));
	daemon_rules(&l);
	(void)close(l.fd);
	for (size_t i = 0; i < LEN(table); i++)
		if (landlock_allows(&l, table[i].path, table[i].access) !=
		    table[i].allowed)
			fail_msg("%s, %d", table[i].path, table[i].access);
	assert_true(landlock_allows_port(&l, OPEN_PORT, LANDLOCK_CONNECT));
	assert_true(landlock_allows_port(&l, OTHER_PORT, LANDLOCK_BIND));
	assert_int_equal(landlock_allows_port(&l, OPEN_PORT, LANDLOCK_BIND),
	    level < 4);
	assert_int_equal(landlock_allows_port(&l, 1, LANDLOCK_CONNECT),
	    level < 4);
}

/* "state" stands in a file's place, and "hosts" in a directory's. */
static void
wrong_kinds(struct landlock *l)
{
	landlock_path(l, "state", LANDLOCK_READ_FILE);
	landlock_path(l, "other", LANDLOCK_WRITE_FILE);
	landlock_path(l, "hosts", LANDLOCK_READ_BELOW);
	landlock_path(l, "log", LANDLOCK_STATE);
	landlock_path(l, "run/pid", LANDLOCK_REMOVE);
}

static void
a_path_of_another_kind_has_no_rule(void **state)
{
	(void)state;
	if (level == 0)
		skip();
	assert_int_equal(
	    under(wrong_kinds, NULL, reads, "state/drift"), EACCES);
	assert_int_equal(
	    under(wrong_kinds, NULL, writes, "other/secret"), EACCES);
	assert_int_equal(under(wrong_kinds, NULL, reads, "hosts"), EACCES);
	assert_int_equal(under(wrong_kinds, NULL, writes, "log"), EACCES);
	assert_int_equal(under(wrong_kinds, NULL, removes, "run/pid"), EACCES);
}

/* What another process does to the paths after the rules are in force. */
static int
after_a_change(const char *from, const char *to, const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		restrict_by(daemon_rules, LANDLOCK_ABSTRACT_REFUSED);
		(void)raise(SIGSTOP);
		_exit(reads(path));
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	return fate(pid);
}

/* A ConfigMap and an editor replace the configuration so. */
static void
a_file_renamed_into_a_readable_directory_is_readable(void **state)
{
	(void)state;
	if (level == 0)
		skip();
	assert_int_equal(put("other/new", "conf"), 0);
	assert_int_equal(
	    after_a_change("other/new", "conf/ntpd.conf", "conf/ntpd.conf"), 0);
}

static void
a_file_renamed_over_a_readable_file_is_not(void **state)
{
	(void)state;
	if (level == 0)
		skip();
	assert_int_equal(put("other/new", "alone"), 0);
	assert_int_equal(after_a_change("other/new", "hosts", "hosts"), EACCES);
}

/* A container engine mounts /etc/hosts, and the configuration, as files. */
static void
what_is_mounted_on_a_file_is_readable(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (level == 0)
		skip();
	pid = fork();
	if (pid == 0) {
		if ((unshare(CLONE_NEWNS) != 0 &&
			unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		    mount("other/secret", "conf/ntpd.conf", NULL, MS_BIND,
			NULL) != 0 ||
		    mount("other/secret", "hosts", NULL, MS_BIND, NULL) != 0)
			_exit(NO_RULES);
		restrict_by(daemon_rules, LANDLOCK_ABSTRACT_REFUSED);
		_exit(reads("conf/ntpd.conf") | reads("hosts"));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status == NO_RULES << 8)
		skip(); /* nothing can be mounted here */
	assert_int_equal(status, 0);
}

static void
what_is_open_stays_usable(void **state)
{
	char byte;
	pid_t pid;
	int fd;

	(void)state;
	if (level == 0)
		skip();
	fd = open("other/secret", O_RDWR);
	assert_true(fd >= 0);
	pid = fork();
	if (pid == 0) {
		restrict_by(no_rules, LANDLOCK_ABSTRACT_REFUSED);
		_exit(read(fd, &byte, 1) != 1 || ftruncate(fd, 0) != 0 ||
		    write(fd, "x", 1) != 1);
	}
	assert_int_equal(fate(pid), 0);
	(void)close(fd);
}

/* ------------------------------------------------------------------- scopes */

static int
listen_as(const char *name)
{
	struct sockaddr_un sun = unix_name(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int
calls_under(enum landlock_abstract abstract, const char *name)
{
	pid_t pid = fork();

	if (pid == 0) {
		restrict_by(daemon_rules, abstract);
		_exit(calls(name));
	}
	return fate(pid);
}

static void
an_abstract_socket_is_reached_only_where_it_is_needed(void **state)
{
	char name[32];
	int fd;

	(void)state;
	if (level < 6)
		skip();
	(void)snprintf(name, sizeof name, "@ntpd-landlock-%d", (int)getpid());
	fd = listen_as(name);
	assert_int_equal(calls_under(LANDLOCK_ABSTRACT_REFUSED, name), EPERM);
	assert_int_equal(calls_under(LANDLOCK_ABSTRACT_ALLOWED, name), 0);
	(void)close(fd);
}

/* syslog and the supervisor have such a socket. */
static void
a_socket_with_a_path_is_reached(void **state)
{
	int fd;

	(void)state;
	if (level == 0)
		skip();
	fd = listen_as("other/socket");
	assert_int_equal(under(no_rules, NULL, calls, "other/socket"), 0);
	(void)close(fd);
}

/* A daemon with the rules starts a child, which has rules of its own: how do
 * signals go between them? */
static void
signals_go_down_and_not_up(void **state)
{
	int status, pipes[2];
	pid_t daemon, child;
	char error;

	(void)state;
	if (level < 6)
		skip();
	assert_int_equal(pipe(pipes), 0);
	daemon = fork();
	if (daemon == 0) {
		restrict_by(daemon_rules, LANDLOCK_ABSTRACT_REFUSED);
		child = fork();
		if (child == 0) {
			restrict_by(no_rules, LANDLOCK_ABSTRACT_REFUSED);
			error = (char)signals_parent("");
			(void)!write(pipes[1], &error, 1);
			(void)pause();
		}
		if (read(pipes[0], &error, 1) != 1 || error != EPERM)
			_exit(1);
		_exit(kill(child, SIGKILL) != 0 ||
		    waitpid(child, &status, 0) != child || status != SIGKILL);
	}
	assert_int_equal(fate(daemon), 0);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

/* The kernel ends a child by PR_SET_PDEATHSIG as if its parent did. */
static void
a_child_with_rules_ends_with_its_parent(void **state)
{
	int status, pipes[2];
	pid_t daemon, child;

	(void)state;
	if (level == 0)
		skip();
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	assert_int_equal(pipe(pipes), 0);
	daemon = fork();
	if (daemon == 0) {
		restrict_by(daemon_rules, LANDLOCK_ABSTRACT_REFUSED);
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
			restrict_by(no_rules, LANDLOCK_ABSTRACT_REFUSED);
			child = getpid();
			(void)!write(pipes[1], &child, sizeof child);
			(void)alarm(60);
			(void)pause();
		}
		(void)pause();
	}
	assert_int_equal(read(pipes[0], &child, sizeof child), sizeof child);
	assert_int_equal(kill(daemon, SIGKILL), 0);
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, SIGKILL);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

/* ------------------------------------------------------------ a second set */

static void
lookup_rules(struct landlock *l)
{
	landlock_path(l, "hosts", LANDLOCK_READ_FILE);
	landlock_path(l, "conf/ntpd.conf", LANDLOCK_READ_FILE);
	landlock_path(l, "other/secret", LANDLOCK_READ_FILE);
	landlock_port(l, OTHER_PORT, LANDLOCK_CONNECT);
}

static void
a_second_set_takes_away_and_never_gives(void **state)
{
	static const struct attempt inner[] = {
		{ reads, "hosts", 0, 1 },
		{ reads, "conf/ntpd.conf", 0, 1 },
		{ reads, "conf/outside", EACCES, 1 },
		{ reads, "other/secret", EACCES, 1 },
		{ reads, "state/drift", EACCES, 1 },
		{ replaces, "state/drift", EACCES, 1 },
		{ removes, "run/pid", EACCES, 1 },
		{ writes, "log", EACCES, 1 },
		{ connects, "40123", EACCES, 4 },
		{ connects, "40124", EACCES, 4 },
		{ binds, "40124", EACCES, 4 },
	};
	const struct attempt *a;

	(void)state;
	if (level == 0)
		skip();
	for (a = inner; a < inner + LEN(inner); a++)
		if (a->error == 0 || level >= a->since)
			assert_int_equal(
			    under(daemon_rules, lookup_rules, a->call, a->path),
			    a->error);
}

static void
question_rules(struct landlock *l)
{
	landlock_port(l, OPEN_PORT, LANDLOCK_CONNECT);
}

static void
a_set_without_paths_leaves_no_file(void **state)
{
	static const char *const paths[] = { "hosts", "conf/ntpd.conf",
		"state/drift", "/dev/null", "/etc/resolv.conf", "/" };

	(void)state;
	if (level == 0)
		skip();
	for (size_t i = 0; i < LEN(paths); i++)
		if (access(paths[i], R_OK) == 0)
			assert_int_equal(under(daemon_rules, question_rules,
					     reads, paths[i]),
			    EACCES);
	assert_int_equal(
	    under(daemon_rules, question_rules, connects, "40123"), 0);
}

/* ----------------------------------------------------------- no Landlock */

/* A seccomp filter of the container may refuse the calls. */
static int
begins_without(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 444, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { LEN(filter), filter };
	struct landlock l;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return NO_RULES;
	return landlock_begin(&l, LANDLOCK_ABSTRACT_REFUSED) ? 0 : errno;
}

static void
a_kernel_without_landlock_is_told(void **state)
{
	static const int errors[] = { ENOSYS, EOPNOTSUPP, EPERM };
	int status;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < LEN(errors); i++) {
		pid = fork();
		if (pid == 0)
			_exit(begins_without(errors[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status == NO_RULES << 8)
			skip(); /* no seccomp here */
		assert_int_equal(status, errors[i] << 8);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_level_adds_its_rights),
		cmocka_unit_test(a_rule_gives_what_the_level_knows),
		cmocka_unit_test(a_rule_for_another_kind_gives_nothing),
		TEST(only_what_a_rule_allows_works),
		TEST(a_path_of_another_kind_has_no_rule),
		TEST(a_set_knows_what_it_allows),
		TEST(a_file_renamed_into_a_readable_directory_is_readable),
		TEST(a_file_renamed_over_a_readable_file_is_not),
		TEST(what_is_mounted_on_a_file_is_readable),
		TEST(what_is_open_stays_usable),
		TEST(an_abstract_socket_is_reached_only_where_it_is_needed),
		TEST(a_socket_with_a_path_is_reached),
		TEST(signals_go_down_and_not_up),
		TEST(a_child_with_rules_ends_with_its_parent),
		TEST(a_second_set_takes_away_and_never_gives),
		TEST(a_set_without_paths_leaves_no_file),
		cmocka_unit_test(a_kernel_without_landlock_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
