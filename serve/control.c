/*
 * control.c - the control socket, and the connections that come by it or by the
 * listeners of metrics.
 *
 * Both speak a small HTTP/1.1: GET and HEAD, one request a connection, a fixed
 * number of connections, a deadline for each step.  Nothing here blocks.  The
 * loop brings events and, when a request is complete, the struct status that
 * answers it.  request.c reads what is asked, status.c writes the answer.
 *
 * The limits are there because clients may be slow, greedy or many.  A newcomer
 * that finds all places taken gets the place of the client that has been at its
 * request for longest, else of the one that has read nothing of its answer for
 * longest.  A client that reads nothing for a second is dropped.  An answer is
 * allocated in its exact size, and only while it is being sent.  The control
 * socket has places of its own, so that strangers cannot lock the administrator
 * out.
 */
#include "serve/control.h"
#include "core/calendar.h"
#include "sys/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ns.  A request has a few hundred bytes and comes at once.  An answer that
 * shows some thousand sources may need time over a bad line.  It gets as much
 * as Prometheus waits for by default (10 s), and some of it must get through
 * each second. */
#define READ_LIMIT (2 * NS_PER_S)
#define WRITE_LIMIT (10 * NS_PER_S)
#define STALL_LIMIT (1 * NS_PER_S)
/* ns for the client to end the connection after the answer; see linger. */
#define LINGER_LIMIT (1 * NS_PER_S)
/* ns in which nothing is accepted, when there was no descriptor left. */
#define PAUSE (1 * NS_PER_S)

enum {
	ACCEPTS = 4, /* connections of one listener in one turn */
	BACKLOG = 64,
	HEAD_SIZE = 384,    /* bytes of an answer's head, which has some 250 */
	DISCARD_MAX = 65536 /* bytes that are thrown away after the answer */
};

/* --------------------------------------------------------------- sockets */

const char *
control_path(void)
{
	const char *path = secure_getenv("NTP_CONTROL_SOCKET");

	return path != NULL && *path != '\0' ? path : CONTROL_PATH;
}

bool
control_address(const char *path, struct sockaddr_un *sun)
{
	size_t n = strlen(path);

	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (n >= sizeof sun->sun_path) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(sun->sun_path, path, n);
	return true;
}

/*
 * /proc/sys/net shows the settings of the reader's network namespace.  Most of
 * those of net.core belong to the machine and are shown in the host's namespace
 * only.  So where this one is missing, the namespace is another.  If the folder
 * cannot be looked at, that is not known, and the answer is no.
 */
socklen_t
control_abstract(struct sockaddr_un *sun)
{
	if (access("/proc/sys/net/core", F_OK) == -1 ||
	    access("/proc/sys/net/core/netdev_max_backlog", F_OK) == 0 ||
	    errno != ENOENT)
		return 0;
	(void)control_address("@" CONTROL_ABSTRACT, sun);
	sun->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    sizeof CONTROL_ABSTRACT);
}

/* Make all directories on the way to path, as far as possible. */
static void
make_directories(const char *path)
{
	char part[sizeof((struct sockaddr_un *)0)->sun_path];

	for (size_t i = 0; path[i] != '\0' && i < sizeof part; i++) {
		part[i] = '\0';
		if (i > 0 && path[i] == '/')
			(void)mkdir(part, 0755); /* bind tells */
		part[i] = path[i];
	}
}

/* Does somebody answer at this address?  1: yes; 0: there is nobody; -1: errno
 * says why that is not known.  Somebody is there if the backlog is full. */
static int
answers(const struct sockaddr_un *sun, socklen_t size)
{
	int fd = net_socket(AF_UNIX, SOCK_STREAM), yes = 1;

	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)sun, size) == -1 &&
	    errno != EAGAIN)
		yes = errno == ENOENT || errno == ECONNREFUSED ? 0 : -1;
	(void)net_undo(fd); /* the caller wants errno */
	return yes;
}

/* Does the daemon of the systemd unit answer, while our path is the usual
 * one? */
static bool
unit_answers(const char *path)
{
	struct sockaddr_un sun;

	return strcmp(path, CONTROL_PATH) == 0 &&
	    control_address(CONTROL_UNIT, &sun) &&
	    answers(&sun, sizeof sun) == 1;
}

/* Bind and listen.  The socket has mode 0660 from the first moment on. */
static int
listen_at(const struct sockaddr_un *sun, socklen_t size)
{
	int fd = net_socket(AF_UNIX, SOCK_STREAM), rc;
	mode_t mask;

	if (fd == -1)
		return -1;
	mask = umask(0117);
	rc = bind(fd, (const struct sockaddr *)sun, size);
	(void)umask(mask); /* cannot fail */
	if (rc == -1 || listen(fd, BACKLOG) == -1)
		return net_undo(fd);
	return fd;
}

static int
listen_path(const char *path, bool *busy)
{
	struct sockaddr_un sun;
	struct stat st;
	int answered;

	if (!control_address(path, &sun))
		return -1;
	answered = answers(&sun, sizeof sun);
	*busy = answered == 1;
	if (answered != 0)
		return -1;
	/* A socket was left behind by a daemon that was killed. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path); /* bind tells */
	else
		make_directories(path);
	return listen_at(&sun, sizeof sun);
}

/* ------------------------------------------------------------ connections */

/* The words for the code of an answer. */
static const char *
reason(int code)
{
	switch (code) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 414: return "URI Too Long";
	case 431: return "Request Header Fields Too Large";
	case 503: return "Service Unavailable";
	default: return "HTTP Version Not Supported";
	}
}

static void
drop(struct control_connection *c)
{
	(void)close(c->fd); /* the peer has all it will get */
	free(c->answer);
	c->answer = NULL;
	c->state = CONNECTION_FREE;
}

/* The answer is out.  If the client has sent more than its request, closing now
 * would reset the connection, and perhaps the answer on its way would be lost.
 * So only our direction is ended, and we read on for a while. */
static void
linger(struct control_connection *c, int64_t raw)
{
	free(c->answer);
	c->answer = NULL;
	c->state = CONNECTION_LINGERS;
	c->sent = 0;
	c->due = raw + LINGER_LIMIT;
	if (shutdown(c->fd, SHUT_WR) == -1)
		drop(c);
}

/* Bytes that the kernel still has for the client. */
static int
queued(const struct control_connection *c)
{
	int n;

	return ioctl(c->fd, TIOCOUTQ, &n) == -1 ? 0 : n;
}

/* The client has taken some of its answer, so it gets more time. */
static void
progressed(struct control_connection *c, int64_t raw)
{
	c->since = raw;
	c->due = sooner(raw + STALL_LIMIT, c->end);
	c->queued = queued(c);
}

static void
write_on(struct control_connection *c, int64_t raw)
{
	size_t before = c->sent;

	while (c->sent < c->size) {
		ssize_t n = send(c->fd, c->answer + c->sent, c->size - c->sent,
		    MSG_NOSIGNAL);

		if (n == -1) {
			if (errno != EAGAIN)
				drop(c);
			else if (c->sent > before)
				progressed(c, raw);
			return;
		}
		c->sent += (size_t)n;
	}
	linger(c, raw);
}

/* The header Date, which a server that has a clock sends (RFC 9110 §6.6.1).  It
 * is left out while the clock is not synchronised. */
static size_t
format_date(const struct status *s, char *out, size_t size)
{
	char date[CALENDAR_TEXT];
	int n;

	if (s == NULL || !s->synced)
		return 0;
	n = snprintf(out, size, "Date: %s\r\n",
	    calendar_text(s->real / NS_PER_S, CALENDAR_HTTP, date));
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* Begin to answer with this code: with the text of the view if it is 200, else
 * with the words for the code.  VIEW_READY may turn 200 into 503. */
static void
answer(
    struct control_connection *c, int code, const struct status *s, int64_t raw)
{
	enum status_view view = c->request.view;
	bool text = code == 200;
	char head[HEAD_SIZE], date[48];
	size_t body, n;

	if (text && view == VIEW_READY && !s->ready)
		code = 503;
	body =
	    text ? status_render(view, s, NULL, 0) : strlen(reason(code)) + 1;
	date[format_date(s, date, sizeof date)] = '\0';
	n = (size_t)snprintf(head, sizeof head,
	    "HTTP/1.1 %d %s\r\n%s"
	    "Content-Type: %s\r\nContent-Length: %zu\r\n"
	    "Cache-Control: no-store\r\n%sConnection: close\r\n\r\n",
	    code, reason(code), date, status_type(text ? view : VIEW_LIVE),
	    body, code == 405 ? "Allow: GET, HEAD\r\n" : "");
	c->size = n + (c->request.head ? 0 : body);
	c->sent = 0;
	c->answer = malloc(c->size + 1);
	if (c->answer == NULL) {
		drop(c);
		return;
	}
	memcpy(c->answer, head, n);
	if (!c->request.head && text)
		(void)status_render(view, s, c->answer + n, body);
	else if (!c->request.head)
		(void)snprintf(c->answer + n, body + 1, "%s\n", reason(code));
	c->state = CONNECTION_WRITES;
	c->end = raw + WRITE_LIMIT;
	progressed(c, raw);
	write_on(c, raw);
}

static void
read_on(struct control_connection *c, int64_t raw)
{
	char bytes[1024];
	ssize_t n;

	do {
		n = recv(c->fd, bytes, sizeof bytes, 0);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) {
			drop(c);
			return;
		}
		request_take(&c->request, bytes, (size_t)n);
	} while (c->request.code == 0);
	/* A probe for life is answered without a status. */
	if (c->request.code == 200 && c->request.view != VIEW_LIVE) {
		c->state = CONNECTION_ASKED;
		c->due = raw + READ_LIMIT; /* if no status can be made */
	} else
		answer(c, c->request.code, NULL, raw);
}

/* Read what the client says after its request, once a turn, and throw it away,
 * until it ends or is too much. */
static void
discard(struct control_connection *c)
{
	char bytes[1024];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);

	if (n > 0)
		c->sent += (size_t)n;
	if (n == 0 || (n == -1 && errno != EAGAIN) || c->sent > DISCARD_MAX)
		drop(c);
}

/* The place for a new connection, or NULL.  It is a free one, else that of the
 * client that has been at its request, or at its end, for longest, else of the
 * one whose answer has been standing still for longest.  A client that waits
 * for its answer keeps its place, since the answer is made within this turn. */
static const struct control_connection *
place(const struct control *control, bool local)
{
	int i = local ? 0 : CONTROL_LOCAL;
	const int end = local ? CONTROL_LOCAL : CONTROL_CONNECTIONS;
	const struct control_connection *c, *oldest = NULL, *still = NULL;

	for (; i < end; i++) {
		c = &control->connection[i];
		if (c->state == CONNECTION_FREE)
			return c;
		if (c->state == CONNECTION_WRITES &&
		    (still == NULL || c->since < still->since))
			still = c;
		if ((c->state == CONNECTION_READS ||
			c->state == CONNECTION_LINGERS) &&
		    (oldest == NULL || c->since < oldest->since))
			oldest = c;
	}
	return oldest != NULL ? oldest : still;
}

static struct control_connection *
take_place(struct control *control, bool local)
{
	struct control_connection *c =
	    &control->connection[place(control, local) - control->connection];

	if (c->state != CONNECTION_FREE)
		drop(c);
	return c;
}

/* Only root and our own user may ask by the local socket. */
static bool
may_ask(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	    (peer.uid == 0 || peer.uid == geteuid());
}

static void
accept_on(struct control *control, int listener, bool local, int64_t raw)
{
	struct control_connection *c;
	int i, fd;

	for (i = 0; i < ACCEPTS && place(control, local) != NULL; i++) {
		fd =
		    accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			/* The connection stays there, and would wake the loop
			 * again and again for nothing. */
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOMEM || errno == ENOBUFS)
				control->paused = raw + PAUSE;
			return;
		}
		c = take_place(control, local);
		memset(c, 0, sizeof *c);
		c->fd = fd;
		c->state = CONNECTION_READS;
		c->since = raw;
		c->due = raw + READ_LIMIT;
		if (local && !may_ask(fd))
			answer(c, 403, NULL, raw);
		else
			read_on(c, raw); /* a request is often there already */
	}
}

/* ---------------------------------------------------------------- the loop */

void
control_start(struct control *control, const struct listening *listening)
{
	*control = (struct control){ .fd = -1, .listening = listening };
}

enum control_said
control_open(struct control *control)
{
	const char *path = control->at = control_path();
	bool busy = false;

	if (unit_answers(path)) {
		control->at = CONTROL_UNIT;
		return CONTROL_BUSY;
	}
	control->fd = listen_path(path, &busy);
	if (busy)
		return CONTROL_BUSY;
	if (control->fd == -1 && strcmp(path, CONTROL_PATH) == 0) {
		int error = errno;
		struct sockaddr_un sun;
		socklen_t size = control_abstract(&sun);

		if (size > 0)
			control->fd = listen_at(&sun, size);
		control->abstract = control->fd != -1;
		errno = error;
	}
	return control->fd != -1 ? CONTROL_OPEN : CONTROL_FAILED;
}

void
control_give(const struct control *control, uid_t uid, gid_t gid)
{
	if (control->at != NULL && control->fd != -1 && !control->abstract)
		(void)lchown(control->at, uid, gid); /* else only root may ask */
}

int
control_watch(const struct control *control, struct pollfd *pfd, int max)
{
	/* While all places wait for answers, newcomers wait in the kernel. */
	bool local = control->paused == 0 && place(control, true) != NULL;
	bool strangers = control->paused == 0 && place(control, false) != NULL;
	int i, n = 0;

	if (control->fd != -1 && local && n < max)
		pfd[n++] = (struct pollfd){ control->fd, POLLIN, 0 };
	if (strangers)
		n += listen_watch(
		    control->listening, LISTEN_METRICS, pfd + n, max - n);
	for (i = 0; i < CONTROL_CONNECTIONS && n < max; i++) {
		const struct control_connection *c = &control->connection[i];
		short events = c->state == CONNECTION_WRITES ? POLLOUT : POLLIN;

		if (c->state != CONNECTION_FREE)
			pfd[n++] = (struct pollfd){ c->fd, events, 0 };
	}
	return n;
}

int64_t
control_due(const struct control *control)
{
	int64_t due = control->paused != 0 ? control->paused : NEVER;

	for (int i = 0; i < CONTROL_CONNECTIONS; i++)
		if (control->connection[i].state != CONNECTION_FREE)
			due = sooner(due, control->connection[i].due);
	return due;
}

/* Did anything happen to fd?  If its number was closed and given to another
 * connection within this turn, that one is at worst read in vain. */
static bool
happened(int fd, const struct pollfd *pfd, int n)
{
	for (int i = 0; i < n; i++)
		if (pfd[i].fd == fd && pfd[i].revents != 0)
			return true;
	return false;
}

static void
connection_turn(struct control_connection *c, bool event, int64_t raw)
{
	if (event && c->state == CONNECTION_READS)
		read_on(c, raw);
	else if (event && c->state == CONNECTION_WRITES)
		write_on(c, raw);
	else if (event && c->state == CONNECTION_LINGERS)
		discard(c);
	if (c->state == CONNECTION_FREE || raw < c->due)
		return;
	/* The kernel reports room only when there is much of it.  A slow reader
	 * may need longer than the limit for that, so look how much it took. */
	if (c->state == CONNECTION_WRITES && raw < c->end &&
	    queued(c) < c->queued)
		progressed(c, raw);
	else
		drop(c);
}

bool
control_deliver(
    struct control *control, const struct pollfd *pfd, int n, int64_t raw)
{
	bool asked = false;

	if (raw >= control->paused)
		control->paused = 0;
	for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
		struct control_connection *c = &control->connection[i];

		if (c->state != CONNECTION_FREE)
			connection_turn(c, happened(c->fd, pfd, n), raw);
	}
	for (int i = 0; i < control->listening->listeners; i++) {
		const struct listener *l = &control->listening->listener[i];

		if (l->service == LISTEN_METRICS && l->fd != -1 &&
		    happened(l->fd, pfd, n))
			accept_on(control, l->fd, false, raw);
	}
	if (control->fd != -1 && happened(control->fd, pfd, n))
		accept_on(control, control->fd, true, raw);
	for (int i = 0; i < CONTROL_CONNECTIONS; i++)
		asked |= control->connection[i].state == CONNECTION_ASKED;
	return asked;
}

void
control_answer(struct control *control, const struct status *s, int64_t raw)
{
	for (int i = 0; i < CONTROL_CONNECTIONS; i++)
		if (control->connection[i].state == CONNECTION_ASKED)
			answer(&control->connection[i], 200, s, raw);
}

void
control_close(struct control *control)
{
	if (control->fd != -1 && !control->abstract)
		(void)unlink(control->at); /* one left behind does no harm */
	for (int i = 0; i < CONTROL_CONNECTIONS; i++)
		if (control->connection[i].state != CONNECTION_FREE)
			drop(&control->connection[i]);
	if (control->fd != -1)
		(void)close(control->fd);
	control->fd = -1;
}
