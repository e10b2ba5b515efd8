/*
 * calls.c - the calls that the daemon makes of the C library, answered by the
 * simulated machine.  The linker's --wrap puts these in their places (tests.mk),
 * so that the objects of the daemon are those of the other tests.
 *
 * Any of them can fail as faults say.  What is checked here is what can be seen
 * from outside: descriptors, memory, turns of the loop, lines of the log, and
 * that it ends when it is asked to.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/instant.h"
#include "sys/clockbound.h"
#include "tests/whole/calls.h"
#include "tests/whole/world.h"

enum {
	OURS = 1000,	   /* our process id; children follow */
	FIRST_LINES = 60,  /* of the log in the first five minutes, */
	HOUR_LINES = 12,   /* and in an hour after that */
	SECOND_TURNS = 60, /* of the loop in a second, beside its events */
	SPARE_BLOCKS = 4,  /* of memory, for answers on their way, */
	LINE_BLOCKS = 3,   /* and for each line that was added */
	EXTRA_FDS = 3,	   /* of the log, of the network's changes ... */
	SERVE_FDS = 4	   /* if it serves since somebody edited that */
};

static void (*handler[65])(int);

/* ------------------------------------------------------------------- faults */

/* Is this call to fail now?  Then errno is set; or *part, if there is one, says
 * that a part of the work is done. */
static bool
fails(enum call call, bool *part)
{
	struct fault *f = &w->fault[call];

	w->called[call]++;
	pass(1500 * w->slow);
	if (part != NULL)
		*part = false;
	if (f->until <= w->t || !chance(f->rate))
		return false;
	w->failed[call]++;
	if (f->error == 0) {
		if (part != NULL)
			*part = true;
		return false;
	}
	errno = f->error;
	return true;
}

/* -------------------------------------------------------------- descriptors */

static struct descriptor *
of(int fd)
{
	static struct descriptor none;

	if (fd < 0 || fd >= FDS || w->fd[fd].kind == FD_FREE) {
		none = (struct descriptor){ .kind = FD_FREE };
		errno = EBADF;
		return &none;
	}
	return &w->fd[fd];
}

static int
new_fd(enum fd_kind kind)
{
	int fd;

	for (fd = 0; fd < FDS && fd < w->limit; fd++)
		if (w->fd[fd].kind == FD_FREE) {
			w->fd[fd] = (struct descriptor){ .kind = kind,
				.born = ++w->born, .server = -1,
				.opened = w->t };
			return fd;
		}
	CHECK(fd < FDS, "more than %d descriptors", FDS);
	errno = EMFILE;
	return -1;
}

static int
count_fds(enum fd_kind from, enum fd_kind to)
{
	int fd, n = 0;

	for (fd = 3; fd < FDS; fd++)
		n += w->fd[fd].kind >= from && w->fd[fd].kind <= to;
	return n;
}

/* Each descriptor that lives for one exchange is waited for, or nobody would
 * ever close it. */
static void
check_fds(const struct pollfd *p, int n)
{
	int fd, i, others;

	for (fd = 3; fd < FDS; fd++) {
		enum fd_kind kind = w->fd[fd].kind;

		CHECK((kind != FD_PIPE_WRITE && kind != FD_STREAM) ||
			w->fd[fd].opened <= w->ready_at,
		    "descriptor %d was left open (%d)", fd, kind);
		if (kind != FD_DATAGRAM && kind != FD_PIPE_READ &&
		    kind != FD_CONNECTION && kind != FD_SERVE)
			continue;
		for (i = 0; i < n && p[i].fd != fd; i++)
			;
		CHECK(i < n, "descriptor %d is open, and nobody waits for it (%d)",
		    fd, kind);
	}
	others = count_fds(FD_FILE, FD_NOTHING) + count_fds(FD_LOCAL, FD_LISTEN) +
	    count_fds(FD_TIMER, FD_NETLINK);
	if (w->base_fds < 0)
		w->base_fds = others;
	CHECK(others <= w->base_fds + EXTRA_FDS +
		    (w->plan.serves ? SERVE_FDS : 0),
	    "%d descriptors, %d at the start", others, w->base_fds);
	CHECK(count_fds(FD_DEVICE, FD_DEVICE) <= 1, "the device is open twice");
	i = count_fds(FD_FILE, FD_DEVICE);
	w->most_fds = i > w->most_fds ? i : w->most_fds;
}

int
__wrap_close(int fd)
{
	struct descriptor *d = of(fd);
	int i;

	if (d->kind == FD_FREE) {
		CHECK(!w->ready, "close(%d), which is not open", fd);
		return -1;
	}
	if (d->kind == FD_PIPE_READ && d->child >= 0)
		w->child[d->child].read_fd = -1;
	for (i = 0; i < w->events; i++)
		if (w->event[i].at != 0 &&
		    w->event[i].kind == EVENT_DATAGRAM && w->event[i].fd == fd)
			w->event[i].at = 0;
	*d = (struct descriptor){ .kind = FD_FREE };
	/* Linux closes it in any case: close(2), "Dealing with error returns". */
	return fails(CALL_CLOSE, NULL) ? -1 : 0;
}

/* -------------------------------------------------------------------- files */

struct file *
file_find(const char *name)
{
	int i;

	for (i = 0; i < FILES; i++)
		if (strcmp(w->file[i].name, name) == 0)
			return &w->file[i];
	errno = ENOENT;
	return NULL;
}

struct file *
file_make(const char *name)
{
	int i;

	for (i = 0; i < FILES; i++)
		if (w->file[i].name[0] == '\0') {
			w->file[i] = (struct file){ .size = 0 };
			(void)snprintf(w->file[i].name, NAME, "%s", name);
			return &w->file[i];
		}
	broken("%s is one file too many", name);
}

int
__wrap_open(const char *name, int flags, ...)
{
	struct file *f = file_find(name);
	bool nothing = strcmp(name, "/dev/null") == 0;
	int fd;

	if (fails(CALL_OPEN, NULL))
		return -1;
	if (nothing)
		return new_fd(FD_NOTHING);
	if (w->plan.device && strcmp(name, "/dev/ptp0") == 0)
		return new_fd(FD_DEVICE);
	if (f != NULL && (flags & O_CREAT) && (flags & O_EXCL)) {
		errno = EEXIST;
		return -1;
	}
	if (((flags & O_ACCMODE) != O_RDONLY || f == NULL) && w->read_only) {
		errno = f == NULL && !(flags & O_CREAT) ? ENOENT : EROFS;
		return -1;
	}
	if (f == NULL && !(flags & O_CREAT)) {
		errno = ENOENT;
		return -1;
	}
	if ((fd = new_fd(FD_FILE)) < 0)
		return -1;
	if (f == NULL)
		f = file_make(name);
	w->fd[fd].file = (int)(f - w->file);
	return fd;
}

int
__wrap_fstat(int fd, struct stat *st)
{
	struct descriptor *d = of(fd);

	if (d->kind == FD_FREE || fails(CALL_FSTAT, NULL))
		return -1;
	memset(st, 0, sizeof *st);
	st->st_mode = d->kind == FD_FILE ? S_IFREG :
	    d->kind == FD_NOTHING ||
	    d->kind == FD_DEVICE	  ? S_IFCHR :
					    S_IFIFO;
	st->st_nlink = 1;
	if (d->kind == FD_FILE)
		st->st_size = w->file[d->file].size;
	return 0;
}

int
__wrap_lstat(const char *name, struct stat *st)
{
	const struct file *f = file_find(name);

	if (f == NULL)
		return -1;
	memset(st, 0, sizeof *st);
	st->st_mode = f->is_socket ? S_IFSOCK : S_IFREG;
	st->st_nlink = 1;
	return 0;
}

int
__wrap_stat(const char *name, struct stat *st)
{
	return __wrap_lstat(name, st);
}

int
__wrap_access(const char *name, int mode)
{
	(void)mode;
	if (strcmp(name, "/dev/log") == 0 && w->plan.syslog)
		return 0;
	return file_find(name) != NULL ? 0 : -1;
}

int
__wrap_unlink(const char *name)
{
	struct file *f = file_find(name);

	if (f == NULL || fails(CALL_UNLINK, NULL))
		return -1;
	if (w->read_only) {
		errno = EROFS;
		return -1;
	}
	f->name[0] = '\0';
	return 0;
}

int
__wrap_rename(const char *from, const char *to)
{
	struct file *f = file_find(from), *old = file_find(to);

	if (f == NULL || fails(CALL_RENAME, NULL))
		return -1;
	CHECK(f->safe, "%s is renamed before it is safe on disk", from);
	if (old != NULL)
		old->name[0] = '\0';
	(void)snprintf(f->name, NAME, "%s", to);
	return 0;
}

int
__wrap_fsync(int fd)
{
	struct descriptor *d = of(fd);

	if (d->kind != FD_FILE || fails(CALL_FSYNC, NULL))
		return -1;
	w->file[d->file].safe = true;
	return 0;
}

int
__wrap_ftruncate(int fd, off_t size)
{
	struct descriptor *d = of(fd);

	if (d->kind != FD_FILE || fails(CALL_TRUNCATE, NULL))
		return -1;
	if (w->file[d->file].size > (int)size)
		w->file[d->file].size = (int)size;
	return 0;
}

ssize_t
__wrap_readlink(const char *name, char *to, size_t size)
{
	(void)name;
	(void)to;
	(void)size;
	errno = ENOENT;
	return -1;
}

int
__wrap_mkdir(const char *name, mode_t mode)
{
	(void)name;
	(void)mode;
	if (!fails(CALL_MKDIR, NULL))
		errno = EEXIST;
	return -1;
}

static ssize_t
read_file(struct descriptor *d, void *to, size_t size)
{
	struct file *f = &w->file[d->file];
	size_t n = (size_t)(f->size - d->at);
	bool part;

	if (fails(CALL_READ, &part))
		return -1;
	n = n < size ? n : size;
	if (part && n > 1)
		n = 1 + random_word() % (n - 1);
	memcpy(to, f->bytes + d->at, n);
	d->at += (int)n;
	return (ssize_t)n;
}

static ssize_t
read_pipe(struct descriptor *d, void *to, size_t size)
{
	struct child *c = &w->child[d->child];
	bool part;
	size_t n;

	if (fails(CALL_READ_PIPE, &part))
		return -1;
	if (c->state == CHILD_RUNS) {
		errno = EAGAIN;
		return -1;
	}
	n = c->size - c->got;
	n = n < size ? n : size;
	if (part && n > 1)
		n = 1 + random_word() % (n - 1);
	memcpy(to, c->answer + c->got, n);
	c->got += n;
	return (ssize_t)n;
}

ssize_t
__wrap_read(int fd, void *to, size_t size)
{
	struct descriptor *d = of(fd);

	switch (d->kind) {
	case FD_FILE: return read_file(d, to, size);
	case FD_PIPE_READ: return read_pipe(d, to, size);
	case FD_TIMER:
		pass(500);
		if (d->waiting == 0 || !w->was_set) {
			errno = EAGAIN;
			return -1;
		}
		w->was_set = false;
		d->waiting = 0; /* it is to be armed again */
		errno = ECANCELED;
		return -1;
	case FD_FREE: broken("read(%d), which is not open", fd);
	default: return 0;
	}
}

/* ------------------------------------------------------------------ the log */

static void
check_budget(void)
{
	int64_t *oldest = &w->line_at[w->next_line % HOUR_LINES];

	if (!w->ready || w->asked_to_end)
		return;
	if (w->raw - w->life_raw < ns(300.5)) {
		w->lines_start++;
		CHECK(w->lines_start <= FIRST_LINES,
		    "%d lines in the first five minutes", w->lines_start);
		return;
	}
	CHECK(*oldest == 0 || w->raw - *oldest >= ns(3599.9),
	    "more than %d lines in an hour", HOUR_LINES);
	*oldest = w->raw;
	w->next_line++;
}

static void
log_took(const char *text, size_t size)
{
	char *line = w->line[w->lines++ % LINES];
	int n = (int)(size < LINE_BYTES - 40 ? size : LINE_BYTES - 40);

	if (n > 0 && text[n - 1] == '\n')
		n--;
	(void)snprintf(line, LINE_BYTES, "%12.3f %+.6f %.*s", seconds(w->t),
	    clock_error(), n, text);
	if (verbose)
		(void)dprintf(2, "%s\n", line);
	if (strstr(line, "ntp engine ready") != NULL) {
		w->ready = true;
		w->ready_at = w->t;
	}
	/* From now on what was edited before takes no memory any more. */
	if (strstr(line, ": read again") != NULL &&
	    strstr(line, "unchanged") == NULL)
		w->lines_most = w->conf_lines > w->base_lines ? w->conf_lines :
								w->base_lines;
	if (strstr(line, "reply from") == NULL || strstr(line, "offset") == NULL ||
	    strstr(line, "constraint") != NULL) {
		w->log_bytes += (double)size;
		check_budget();
	}
}

static ssize_t
write_file(struct descriptor *d, const void *from, size_t size)
{
	struct file *f = &w->file[d->file];
	bool part;

	if (fails(CALL_WRITE, &part))
		return -1;
	if (w->full) {
		errno = ENOSPC;
		return -1;
	}
	if (part && size > 1)
		size = 1 + random_word() % (size - 1);
	CHECK(d->at + (int)size <= FILE_BYTES, "%s is too large", f->name);
	memcpy(f->bytes + d->at, from, size);
	d->at += (int)size;
	if (f->size < d->at)
		f->size = d->at;
	f->safe = false;
	return (ssize_t)size;
}

ssize_t
__wrap_write(int fd, const void *from, size_t size)
{
	struct descriptor *d = of(fd);
	bool part;

	if (fd == STDERR_FILENO) {
		if (fails(CALL_LOG, &part))
			return -1;
		log_took(from, size);
		return (ssize_t)size;
	}
	switch (d->kind) {
	case FD_FILE: return write_file(d, from, size);
	case FD_FREE: broken("write(%d), which is not open", fd);
	default: return (ssize_t)size;
	}
}

/* ------------------------------------------------------------------ sockets */

int
__wrap_socket(int domain, int type, int protocol)
{
	type &= ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fails(CALL_SOCKET, NULL))
		return -1;
	if (domain == AF_NETLINK && protocol != 0) {
		errno = EPROTONOSUPPORT; /* no events of devices here */
		return -1;
	}
	return new_fd(domain == AF_NETLINK ? FD_NETLINK :
		type == SOCK_DGRAM ? (domain == AF_UNIX ? FD_LOCAL : FD_DATAGRAM) :
				     FD_STREAM);
}

int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t size)
{
	const struct sockaddr_in *in = (const void *)to;
	const struct sockaddr_in6 *in6 = (const void *)to;
	struct descriptor *d = of(fd);
	int i;

	(void)size;
	if (d->kind == FD_FREE || fails(CALL_CONNECT, NULL))
		return -1;
	if (to->sa_family == AF_UNIX) {
		const struct sockaddr_un *un = (const void *)to;

		if (strcmp(un->sun_path, "/dev/log") == 0)
			return 0;
		errno = file_find(un->sun_path) ? ECONNREFUSED : ENOENT;
		return -1;
	}
	if (w->no_network) {
		errno = ENETUNREACH;
		return -1;
	}
	i = to->sa_family == AF_INET ? (int)(ntohl(in->sin_addr.s_addr) & 0xff) :
				       in6->sin6_addr.s6_addr[15];
	d->server = i >= 1 && i <= w->plan.servers ? i - 1 : -1;
	return 0;
}

int
__wrap_bind(int fd, const struct sockaddr *at, socklen_t size)
{
	struct descriptor *d = of(fd);

	(void)size;
	if (d->kind == FD_FREE || fails(CALL_BIND, NULL))
		return -1;
	if (at->sa_family == AF_UNIX) {
		const char *name = ((const struct sockaddr_un *)at)->sun_path;

		if (file_find(name) != NULL || w->read_only) {
			errno = w->read_only ? EROFS : EADDRINUSE;
			return -1;
		}
		file_make(name)->is_socket = true;
	} else if (d->kind == FD_DATAGRAM &&
	    ((const struct sockaddr_in *)at)->sin_port != 0)
		d->kind = FD_SERVE;
	return 0;
}

int
__wrap_listen(int fd, int backlog)
{
	(void)backlog;
	if (fails(CALL_LISTEN, NULL))
		return -1;
	of(fd)->kind = FD_LISTEN;
	return 0;
}

int
__wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	(void)value;
	(void)size;
	if (fails(CALL_SETSOCKOPT, NULL))
		return -1;
	if (level == SOL_SOCKET && name == SO_TIMESTAMPNS)
		of(fd)->stamps = true;
	return 0;
}

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	(void)fd;
	(void)level;
	if (fails(CALL_GETSOCKOPT, NULL))
		return -1;
	memset(value, 0, *size); /* also a struct ucred, of root */
	(void)name;
	return 0;
}

int
__wrap_getsockname(int fd, struct sockaddr *at, socklen_t *size)
{
	struct sockaddr_in me = { .sin_family = AF_INET,
		.sin_addr = { htonl(0x0a0100c8) } };

	(void)fd;
	if (fails(CALL_GETSOCKNAME, NULL))
		return -1;
	memcpy(at, &me, sizeof me);
	*size = sizeof me;
	return 0;
}

int
__wrap_fcntl(int fd, int command, ...)
{
	va_list args;

	va_start(args, command);
	if (command == F_OFD_GETLK) /* nobody has a lock */
		va_arg(args, struct flock *)->l_type = F_UNLCK;
	va_end(args);
	if (fails(CALL_FCNTL, NULL))
		return -1;
	if (command == F_DUPFD_CLOEXEC)
		return new_fd(FD_NOTHING);
	if (of(fd)->kind == FD_FREE)
		return -1;
	return 0;
}

int
__wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *to;

	va_start(args, request);
	to = va_arg(args, void *);
	va_end(args);
	if (of(fd)->kind == FD_DEVICE) {
		if (fails(CALL_DEVICE, NULL))
			return -1;
		errno = ENODEV;
		return w->vanished ? -1 : machine_device(request, to);
	}
	*(int *)to = 0;
	return 0;
}

int
__wrap_shutdown(int fd, int how)
{
	(void)how;
	if (fails(CALL_SHUTDOWN, NULL))
		return -1;
	of(fd)->closed = chance(0.7);
	return 0;
}

int
__wrap_accept4(int fd, struct sockaddr *from, socklen_t *size, int flags)
{
	struct descriptor *d = of(fd);
	int new;

	(void)from;
	(void)size;
	(void)flags;
	if (fails(CALL_ACCEPT, NULL)) {
		if (errno == ECONNABORTED && d->waiting > 0)
			d->waiting--; /* that client is gone */
		return -1;
	}
	if (d->waiting == 0) {
		errno = EAGAIN;
		return -1;
	}
	if ((new = new_fd(FD_CONNECTION)) < 0)
		return -1;
	d->waiting--;
	w->fd[new].waiting = chance(0.9); /* has it sent its request? */
	w->fd[new].stuck = chance(0.2);
	return new;
}

/* The requests of a client, and what it may send instead. */
static const char *const requests[] = {
	"GET /status.json HTTP/1.1\r\n\r\n", "GET /metrics HTTP/1.1\r\n\r\n",
	"GET /readyz HTTP/1.1\r\n\r\n", "GET /livez HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\n\r\n", "GET /peers HTTP/1.1\r\n\r\n", "GET /me",
	"POST / HTTP/1.1\r\n\r\n", "\0\xff\r\n\r\n",
};

ssize_t
__wrap_recv(int fd, void *to, size_t size, int flags)
{
	struct descriptor *d = of(fd);
	const char *text = requests[random_word() % 9];

	(void)flags;
	if (fails(CALL_RECV, NULL))
		return -1;
	if (d->waiting > 0) {
		d->waiting--;
		if (d->kind != FD_CONNECTION)
			return 40;
		(void)snprintf(to, size, "%s", text);
		return (ssize_t)strlen(text) + 1;
	}
	if (d->closed)
		return 0;
	errno = EAGAIN;
	return -1;
}

static ssize_t
send_query(int fd, struct descriptor *d, const void *from, size_t size)
{
	struct ntp_server *s;
	int64_t *slot;

	if (w->no_network) {
		errno = ENETUNREACH;
		return -1;
	}
	CHECK(size == 48 || (w->plan.nts != 0 && size > 48 &&
		size <= DATAGRAM), "a request of %zu bytes", size);
	w->all_requests++;
	if (d->server < 0)
		return (ssize_t)size;
	s = &w->server[d->server];
	if (verbose)
		(void)dprintf(2, "%12.3f request to %d\n", seconds(w->t),
		    d->server + 1);
	if (s->requests > 0)
		CHECK(w->t - s->sent[(s->requests - 1) % REQUESTS] > ns(0.99),
		    "two requests in a second to server %d", d->server);
	slot = &s->sent[s->requests++ % REQUESTS];
	CHECK(*slot == 0 || w->t - *slot > ns(300),
	    "more than %d requests in five minutes to server %d", REQUESTS,
	    d->server);
	*slot = w->t;
	server_asked(d->server, fd, from, size);
	return (ssize_t)size;
}

ssize_t
__wrap_send(int fd, const void *from, size_t size, int flags)
{
	struct descriptor *d = of(fd);
	bool part;

	(void)flags;
	switch (d->kind) {
	case FD_DATAGRAM:
		if (fails(CALL_SEND, NULL))
			return -1;
		return send_query(fd, d, from, size);
	case FD_LOCAL:
		if (fails(CALL_LOG, NULL))
			return -1;
		log_took(from, size);
		return (ssize_t)size;
	case FD_CONNECTION:
		if (fails(CALL_SEND_STREAM, &part))
			return -1;
		if (d->stuck) {
			errno = EAGAIN;
			return -1;
		}
		return part && size > 1 ? (ssize_t)(size / 2) : (ssize_t)size;
	case FD_FREE:
		CHECK(fd == -1, "send(%d), which is not open", fd);
		errno = EBADF;
		return -1;
	default: return (ssize_t)size;
	}
}

ssize_t
__wrap_sendto(int fd, const void *from, size_t size, int flags,
    const struct sockaddr *to, socklen_t length)
{
	(void)to;
	(void)length;
	return __wrap_send(fd, from, size, flags);
}

static void
put_stamp(struct msghdr *m, int64_t stamp)
{
	struct cmsghdr *c = m->msg_control;
	struct timespec t = { stamp / NS_PER_S, stamp % NS_PER_S };

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SO_TIMESTAMPNS;
	c->cmsg_len = CMSG_LEN(sizeof t);
	memcpy(CMSG_DATA(c), &t, sizeof t);
	m->msg_controllen = CMSG_SPACE(sizeof t);
}

/* The first one that waits. */
static struct packet
take_packet(int fd, uint8_t bytes[static DATAGRAM])
{
	struct descriptor *d = of(fd);
	struct packet p = d->queue[0];
	int i;

	memcpy(bytes, w->inbox[fd][0], (size_t)p.size);
	d->queued--;
	for (i = 0; i < d->queued; i++) {
		d->queue[i] = d->queue[i + 1];
		memcpy(w->inbox[fd][i], w->inbox[fd][i + 1],
		    (size_t)d->queue[i].size);
	}
	return p;
}

ssize_t
__wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	struct descriptor *d = of(fd);
	uint8_t bytes[DATAGRAM];
	struct packet p;
	size_t n;

	CHECK(d->kind != FD_FREE, "recvmsg(%d), which is not open", fd);
	if (flags & MSG_ERRQUEUE) {
		errno = EAGAIN;
		return -1;
	}
	if (fails(CALL_RECVMSG, NULL))
		return -1;
	if (d->queued == 0) {
		errno = EAGAIN;
		return -1;
	}
	p = take_packet(fd, bytes);
	if (p.size == 0) {
		errno = ECONNREFUSED;
		return -1;
	}
	nts_sealed = p.sealed;
	n = (size_t)p.size;
	if (n > m->msg_iov[0].iov_len) {
		n = m->msg_iov[0].iov_len;
		m->msg_flags |= MSG_TRUNC;
	}
	memcpy(m->msg_iov[0].iov_base, bytes, n);
	if (d->stamps && chance(0.98))
		put_stamp(m, p.stamp);
	else
		m->msg_controllen = 0;
	return (ssize_t)n;
}

int
__wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags,
    struct timespec *timeout)
{
	struct descriptor *d = of(fd);
	struct sockaddr_in *from = m[0].msg_hdr.msg_name;

	(void)n;
	(void)flags;
	(void)timeout;
	if (fails(CALL_RECVMMSG, NULL))
		return -1;
	if (d->waiting == 0) {
		errno = EAGAIN;
		return -1;
	}
	d->waiting--;
	memset(m[0].msg_hdr.msg_iov[0].iov_base, 0, 48);
	*(uint8_t *)m[0].msg_hdr.msg_iov[0].iov_base = 0x23;
	*from = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(4000), .sin_addr = { htonl(0x0a020304) } };
	m[0].msg_hdr.msg_namelen = sizeof *from;
	m[0].msg_len = 48;
	put_stamp(&m[0].msg_hdr, w->real);
	return 1;
}

/* ------------------------------------------------------------------ waiting */

static bool
ready(const struct pollfd *p)
{
	const struct descriptor *d = of(p->fd);

	if (p->fd < 0)
		return false;
	CHECK(d->kind != FD_FREE || !w->ready,
	    "poll waits for descriptor %d, which is not open", p->fd);
	if ((p->events & POLLOUT) != 0)
		return !d->stuck;
	switch (d->kind) {
	case FD_DATAGRAM: return d->queued > 0;
	case FD_PIPE_READ: return w->child[d->child].state != CHILD_RUNS;
	case FD_TIMER: return d->waiting != 0 && w->was_set;
	case FD_FILE:
	case FD_NOTHING: return true;
	default: return d->waiting > 0 || d->closed;
	}
}

static int
look(struct pollfd *p, nfds_t n)
{
	int got = 0;

	for (nfds_t i = 0; i < n; i++) {
		p[i].revents = ready(&p[i]) ?
		    (short)(p[i].events & (POLLIN | POLLOUT)) : 0;
		got += p[i].revents != 0;
	}
	return got;
}

static bool
take_signals(void)
{
	bool any = w->pending != 0;

	for (int i = 1; i < 64; i++)
		if (w->pending >> i & 1) {
			w->pending &= ~(1ULL << i);
			if (handler[i] != NULL)
				handler[i](i);
		}
	return any;
}

/* A busy loop shows itself: hardly any time passes between two turns. */
static void
check_turn(const struct pollfd *p, nfds_t n)
{
	w->turns++;
	w->all_turns++;
	if (w->t - w->second > NS_PER_S) {
		w->second = w->t;
		w->second_turns = 0;
		w->second_events = w->events_come;
	}
	w->second_turns++;
	CHECK(w->second_turns <=
		SECOND_TURNS + 8 * (w->events_come - w->second_events),
	    "%u turns in a second, for %u events", w->second_turns,
	    w->events_come - w->second_events);
	if (p != NULL)
		check_fds(p, (int)n);
	if (w->base_blocks == 0) {
		w->base_blocks = w->blocks;
		w->base_bytes = w->bytes;
		w->base_lines = w->lines_most = w->conf_lines;
	}
	CHECK(w->blocks <= w->base_blocks + SPARE_BLOCKS +
		    LINE_BLOCKS * (w->lines_most - w->base_lines) +
		    count_fds(FD_CONNECTION, FD_CONNECTION),
	    "%ld blocks of memory, %ld at the start", w->blocks,
	    w->base_blocks);
}

/* What a program finds in the page of "clockbound on" must be true, too, and at
 * any time: how long ago the daemon has written it does not matter. */
static void
check_page(void)
{
	const struct file *f = file_find(PAGE);
	struct clockbound_page p;
	double age, bound;

	if (f == NULL || f->size < (int)sizeof p || !w->plan.honest ||
	    w->t < w->trusted_from)
		return;
	memcpy(&p, f->bytes, sizeof p);
	if (p.as_of[0] * NS_PER_S + p.as_of[1] <= w->moved)
		return; /* the daemon has to wake up first */
	age = seconds(w->mono - p.as_of[0] * NS_PER_S - p.as_of[1]);
	bound = ((double)p.bound + age * p.drift) * 1e-9;
	if (p.generation == 0 || p.generation & 1 ||
	    seconds(w->mono) > (double)p.void_after[0] ||
	    (p.status != CLOCKBOUND_SYNCHRONIZED &&
		p.status != CLOCKBOUND_FREE_RUNNING))
		return;
	CHECK(is_bound(clock_error(), bound),
	    "%f s off; %.1f s ago programs were promised %f s (%d)",
	    clock_error(), age, bound, p.status);
}

/* ns of true time until CLOCK_MONOTONIC has gone so far. */
static int64_t
stretch(int64_t mono)
{
	return (int64_t)((double)mono / 1.2) + 20000;
}

int
__wrap_ppoll(struct pollfd *p, nfds_t n, const struct timespec *timeout,
    const sigset_t *mask)
{
	int64_t until = timeout == NULL ? NEVER : w->mono + nanoseconds(timeout);
	struct event *e;
	int got;

	(void)mask;
	/* A file that is read again is no turn of the loop. */
	if (w->ready && (p != NULL || until > w->mono) &&
	    !(n == 1 && of(p->fd)->kind == FD_FILE))
		check_turn(p, n);
	/* Without descriptors the kernel needs no memory and checks no limit. */
	if (n > 0 && fails(CALL_PPOLL, NULL))
		return -1;
	for (;;) {
		if ((got = look(p, n)) > 0)
			return got;
		if (take_signals()) {
			errno = EINTR;
			return -1;
		}
		if (w->mono >= until)
			return 0;
		e = event_next();
		if (e != NULL && e->at <= w->t) {
			w->events_come++;
			event_come(e);
			continue;
		}
		CHECK(e != NULL || until != NEVER, "it would wait for ever");
		got = 0;
		if (until == NEVER ||
		    (e != NULL && e->at - w->t < stretch(until - w->mono)))
			pass(e->at - w->t);
		else
			pass(stretch(until - w->mono));
		check_page();
		if (w->late > 0 && chance(0.05))
			pass(ns(exponential(w->late)));
	}
}

int
__wrap_poll(struct pollfd *p, nfds_t n, int ms)
{
	if (fails(CALL_POLL, NULL))
		return -1;
	(void)n;
	if (w->fault[CALL_POLL].until > w->t && w->fault[CALL_POLL].error == 0) {
		pass(ms > 0 ? ms * 1000000LL : 1000);
		return 0; /* nobody reads the log */
	}
	p->revents = p->events;
	return 1;
}

int
__wrap_usleep(useconds_t us)
{
	pass(us * 1000LL);
	return 0;
}

int
__wrap_nanosleep(const struct timespec *t, struct timespec *rest)
{
	(void)rest;
	pass(nanoseconds(t));
	return 0;
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	int64_t v;

	pass(35 * w->slow);
	v = clock == CLOCK_REALTIME	  ? w->real :
	    clock == CLOCK_MONOTONIC_RAW ? w->raw :
	    clock == CLOCK_BOOTTIME	  ? w->boot :
					    w->mono;
	t->tv_sec = v / NS_PER_S;
	t->tv_nsec = v % NS_PER_S;
	return 0;
}

int
__wrap_adjtimex(struct timex *t)
{
	if (!fails(CALL_ADJTIMEX, NULL))
		return machine_adjust(t);
	w->denied |= !w->ready; /* for its whole life */
	return -1;
}

/* This kernel has no inotify, so files are looked at now and then. */
int
__wrap_timerfd_create(int clock, int flags)
{
	(void)clock;
	(void)flags;
	return fails(CALL_TIMERFD, NULL) ? -1 : new_fd(FD_TIMER);
}

int
__wrap_timerfd_settime(int fd, int flags, const struct itimerspec *t,
    struct itimerspec *old)
{
	(void)flags;
	(void)t;
	(void)old;
	of(fd)->waiting = 1;
	w->was_set = false;
	return 0;
}

/* ---------------------------------------------------------------- processes */

int
__wrap_helper_start(struct helpers *h, const struct helper_job *job, int64_t raw)
{
	int got, i;

	for (i = 0; i < CHILDREN - 1 && w->child[i].state != CHILD_FREE; i++)
		;
	w->fork_child = i;
	w->child[i].owner = job->owner;
	child_asks(job, &w->child[i]);
	got = __real_helper_start(h, job, raw);
	w->fork_child = -1;
	return got;
}

pid_t
__wrap_fork(void)
{
	struct child *c;
	int fd;

	if (fails(CALL_FORK, NULL))
		return -1;
	pass(200000);
	if (w->fork_child < 0) {
		w->forked = true; /* it becomes a daemon: the child goes on */
		return 0;
	}
	c = &w->child[w->fork_child];
	CHECK(c->state == CHILD_FREE, "%d children at once", CHILDREN);
	c->state = CHILD_RUNS;
	c->born = ++w->born;
	c->got = 0;
	c->read_fd = -1;
	for (fd = 0; fd < FDS; fd++)
		if (w->fd[fd].kind == FD_PIPE_READ && w->fd[fd].child == -1) {
			w->fd[fd].child = w->fork_child;
			c->read_fd = fd;
		}
	CHECK(c->read_fd >= 0, "a child without a pipe");
	child_begins(w->fork_child);
	return OURS + 1 + w->fork_child;
}

int
__wrap_pipe2(int p[2], int flags)
{
	(void)flags;
	if (fails(CALL_PIPE, NULL) || (p[0] = new_fd(FD_PIPE_READ)) < 0)
		return -1;
	w->fd[p[0]].child = -1;
	if ((p[1] = new_fd(FD_PIPE_WRITE)) >= 0)
		return 0;
	w->fd[p[0]].kind = FD_FREE;
	return -1;
}

pid_t
__wrap_waitpid(pid_t pid, int *status, int options)
{
	bool any = false;

	(void)options;
	if (fails(CALL_WAITPID, NULL))
		return -1;
	for (int i = 0; i < CHILDREN; i++) {
		if (pid != -1 && pid != OURS + 1 + i)
			continue;
		any |= w->child[i].state != CHILD_FREE;
		if (w->child[i].state == CHILD_ENDED) {
			*status = w->child[i].status;
			w->child[i].state = CHILD_FREE;
			return OURS + 1 + i;
		}
	}
	if (any)
		return 0;
	errno = ECHILD;
	return -1;
}

int
__wrap_kill(pid_t pid, int sig)
{
	int i = pid - OURS - 1;

	CHECK(i >= 0 && i < CHILDREN && w->child[i].state != CHILD_FREE,
	    "kill(%d, %d): it is not ours", (int)pid, sig);
	if (fails(CALL_KILL, NULL))
		return -1;
	if (w->child[i].state == CHILD_RUNS) {
		for (int k = 0; k < w->events; k++)
			if (w->event[k].at != 0 && w->event[k].child == i &&
			    w->event[k].kind == EVENT_CHILD)
				w->event[k].at = 0;
		w->child[i].size = 0;
		child_ends(&w->child[i], SIGKILL);
	}
	return 0;
}

int
__wrap_sigaction(int sig, const struct sigaction *a, struct sigaction *old)
{
	(void)old;
	if (a != NULL && sig < 65)
		handler[sig] = a->sa_handler == SIG_IGN ||
			a->sa_handler == SIG_DFL ? NULL : a->sa_handler;
	return 0;
}

__sighandler_t
__wrap_signal(int sig, __sighandler_t h)
{
	(void)sig;
	(void)h;
	return SIG_DFL;
}

int
__wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	(void)how;
	(void)set;
	(void)old;
	return 0;
}

pid_t
__wrap_getpid(void)
{
	return OURS;
}

pid_t
__wrap_getppid(void)
{
	return OURS; /* also the parent of a daemon: who began it */
}

uid_t
__wrap_getuid(void)
{
	return 0;
}

uid_t
__wrap_geteuid(void)
{
	return 0;
}

pid_t
__wrap_setsid(void)
{
	return OURS;
}

int
__wrap_prctl(int option, ...)
{
	(void)option;
	errno = EINVAL;
	return -1;
}

int
__wrap_getrlimit(int resource, struct rlimit *r)
{
	(void)resource;
	r->rlim_cur = r->rlim_max = (rlim_t)w->limit;
	return 0;
}

int
__wrap_setrlimit(int resource, const struct rlimit *r)
{
	(void)resource;
	(void)r;
	return 0;
}

int
__wrap_setpriority(int which, id_t who, int priority)
{
	(void)which;
	(void)who;
	(void)priority;
	return 0;
}

mode_t
__wrap_umask(mode_t mask)
{
	(void)mask;
	return 022;
}

int
__wrap_dup2(int from, int to)
{
	w->fd[to] = *of(from);
	w->fd[to].born = ++w->born;
	return to;
}

char *
__wrap_getenv(const char *name)
{
	(void)name;
	return NULL;
}

char *
__wrap_secure_getenv(const char *name)
{
	(void)name;
	return NULL;
}

unsigned long
__wrap_getauxval(unsigned long type)
{
	(void)type;
	return 0;
}

ssize_t
__wrap_getrandom(void *to, size_t size, unsigned flags)
{
	bool part;
	uint8_t *p = to;
	size_t i;

	(void)flags;
	if (fails(CALL_GETRANDOM, &part))
		return -1;
	if (part)
		size /= 2;
	for (i = 0; i < size; i++)
		p[i] = (uint8_t)random_word();
	return (ssize_t)size;
}

/* Most are of the sandbox, which this kernel has not. */
long
__wrap_syscall(long number, ...)
{
	struct mmsghdr *m;
	va_list args;
	unsigned i, n;

	if (number != SYS_sendmmsg) {
		errno = ENOSYS;
		return -1;
	}
	va_start(args, number);
	(void)va_arg(args, int);
	m = va_arg(args, struct mmsghdr *);
	n = va_arg(args, unsigned);
	va_end(args);
	if (fails(CALL_SENDMMSG, NULL))
		return -1;
	for (i = 0; i < n; i++)
		CHECK(m[i].msg_hdr.msg_iov[0].iov_len <= 48,
		    "an answer of %zu bytes", m[i].msg_hdr.msg_iov[0].iov_len);
	return n;
}

void
__wrap_exit(int status)
{
	_exit(status);
}

/* These are of devices, which this machine has not, and of children. */
ssize_t
__wrap_pread(int fd, void *to, size_t size, off_t at)
{
	of(fd)->at = (int)at;
	return __wrap_read(fd, to, size);
}

ssize_t
__wrap_pwrite(int fd, const void *from, size_t size, off_t at)
{
	struct descriptor *d = of(fd);

	CHECK(d->kind == FD_FILE, "pwrite(%d), which is no open file", fd);
	d->at = (int)at;
	return write_file(d, from, size);
}

ssize_t
__wrap_getxattr(const char *path, const char *name, void *to, size_t size)
{
	(void)path;
	(void)name;
	(void)to;
	(void)size;
	errno = ENODATA;
	return -1;
}

int
__wrap_inotify_init1(int flags)
{
	(void)flags;
	errno = ENOSYS;
	return -1;
}

int
__wrap_inotify_add_watch(int fd, const char *path, uint32_t events)
{
	(void)fd;
	(void)path;
	(void)events;
	errno = ENOSYS;
	return -1;
}

int
__wrap_statfs(const char *path, struct statfs *out)
{
	(void)path;
	(void)out;
	errno = ENOSYS;
	return -1;
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	(void)m;
	return __wrap_send(fd, NULL, 0, flags);
}

/* ------------------------------------------------------------------- memory */

static void *
took(void *p)
{
	if (p != NULL) {
		w->blocks++;
		w->bytes += (long)malloc_usable_size(p);
	}
	return p;
}

static void
gave(void *p)
{
	if (p != NULL) {
		w->blocks--;
		w->bytes -= (long)malloc_usable_size(p);
	}
}

void *
__wrap_malloc(size_t size)
{
	return fails(CALL_MALLOC, NULL) ? NULL : took(__real_malloc(size));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails(CALL_MALLOC, NULL) ? NULL : took(__real_calloc(n, size));
}

void *
__wrap_realloc(void *p, size_t size)
{
	if (fails(CALL_MALLOC, NULL))
		return NULL;
	gave(p);
	return took(__real_realloc(p, size));
}

void
__wrap_free(void *p)
{
	gave(p);
	__real_free(p);
}

/* -------------------------------------------------------------------- a life */

void
event_come(struct event *e)
{
	struct event now = *e;
	struct descriptor *d = &w->fd[now.fd];

	e->at = 0;
	switch (now.kind) {
	case EVENT_DATAGRAM:
		if (d->born == now.born && d->queued < QUEUE) {
			struct packet *p = &d->queue[d->queued];

			p->size = now.size;
			p->stamp = w->real;
			p->sealed = now.sealed;
			memcpy(w->inbox[now.fd][d->queued++], event_bytes(e),
			    (size_t)now.size);
		}
		break;
	case EVENT_CHILD:
		if (w->child[now.child].state == CHILD_RUNS &&
		    w->child[now.child].born == now.born)
			child_done(&w->child[now.child]);
		break;
	case EVENT_PLOT: plot_happens(); break;
	case EVENT_ASK:
		for (int fd = 0; fd < FDS; fd++)
			if ((w->fd[fd].kind == FD_LISTEN ||
				w->fd[fd].kind == FD_SERVE ||
				w->fd[fd].kind == FD_NETLINK) &&
			    w->fd[fd].waiting < 8)
				w->fd[fd].waiting += chance(0.5);
		break;
	case EVENT_RIVAL: rival_happens(); break;
	case EVENT_STOP:
		w->pending |= 1ULL << SIGTERM;
		w->stop_at = w->t;
		w->asked_to_end = true;
		break;
	}
}

void
life_begins(void)
{
	int i;

	memset(w->fd, 0, sizeof w->fd);
	memset(w->child, 0, sizeof w->child);
	for (i = 0; i <= STDERR_FILENO; i++)
		w->fd[i].kind = FD_NOTHING;
	for (i = 0; i < EVENTS; i++)
		if (w->event[i].kind != EVENT_PLOT &&
		    w->event[i].kind != EVENT_RIVAL)
			w->event[i].at = 0;
	w->fork_child = -1;
	w->denied = w->ready = w->forked = w->asked_to_end = w->was_set = false;
	w->pending = 0;
	w->stop_at = w->stepped_at = 0;
	w->life_began = w->t;
	w->life_raw = w->raw;
	w->lines_start = w->next_line = 0;
	memset(w->line_at, 0, sizeof w->line_at);
	w->blocks = w->bytes = w->base_blocks = 0;
	w->base_fds = -1;
	w->steps = 0;
	w->start_used = false;
	w->synced = false;
	memset(w->exchange, 0, sizeof w->exchange);
	w->lives++;
	rival_unknown();
}
