/*
 * log.c - one event, one line: on standard error, or to syslog once the program
 * is a daemon.  Whatever breaks the log never breaks the program: a line that
 * standard error does not take at once is dropped.  calm.c decides how many
 * lines there may be.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "sys/log.h"
#include "core/calendar.h"
#include "core/calm.h"
#include "sys/instant.h"
#include "sys/net.h"

enum { LINE = 1024 };	      /* bytes: a longer line is cut */
enum { SYSLOG_WAIT_MS = 50 }; /* how long a line is waited for, at most */

static struct {
	enum log_class most; /* classes up to this one are shown */
	bool to_syslog;
	int fd;		/* of /dev/log */
	bool stuck;	/* syslog did not take the last line */
	bool may_block; /* stderr is a pipe, socket or terminal */
	bool journal;	/* stderr belongs to the journal: it takes priorities */
} log_state = { LOG_CLASS_INFO, false, -1, false, true, false };

static struct calm calm; /* the budget */

void
log_level(enum log_class most)
{
	log_state.most = most;
}

/* The C library's syslog(3) would add 8 KB, since it needs time zones.  The
 * format is that of RFC 3164.  The socket is that of every syslog daemon on
 * Linux, and of the journal. */
static void
open_syslog(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX,
		.sun_path = "/dev/log" };

	if (log_state.fd >= 0)
		(void)close(log_state.fd);
	log_state.fd =
	    socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (log_state.fd >= 0)
		(void)connect(log_state.fd, (struct sockaddr *)&to, sizeof to);
}

static void
send_syslog(int priority, const char *line, int n)
{
	struct pollfd p = { .events = POLLOUT };
	char text[LINE + 64], stamp[CALENDAR_TEXT];
	int length = snprintf(text, sizeof text, "<%d>%s ntpd[%ld]: %.*s",
	    LOG_DAEMON | priority,
	    calendar_text(clock_now(CLOCK_REALTIME) / NS_PER_S,
		CALENDAR_SYSLOG, stamp),
	    (long)getpid(), n, line);

	if (send(log_state.fd, text, (size_t)length, MSG_NOSIGNAL) >= 0) {
		log_state.stuck = false;
		return;
	}
	/* Try once more: the syslog daemon may have been restarted, or its
	 * short queue (10 lines, unix(7)) may be full.  It is waited for only
	 * if it took the line before. */
	if (errno != EAGAIN)
		open_syslog();
	else if (!log_state.stuck) {
		p.fd = log_state.fd;
		(void)poll(&p, 1, SYSLOG_WAIT_MS);
	}
	log_state.stuck =
	    send(log_state.fd, text, (size_t)length, MSG_NOSIGNAL) < 0;
}

/* systemd names the device and the inode of the stream that it has connected.
 * If standard error is another one by now, nobody would remove "<4>" from the
 * lines. */
static bool
is_journal(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[48];

	(void)snprintf(ours, sizeof ours, "%llu:%llu",
	    (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	return stream != NULL && strcmp(stream, ours) == 0;
}

void
log_start(bool to_syslog)
{
	struct stat st;
	bool known = fstat(STDERR_FILENO, &st) == 0;

	log_state.to_syslog = to_syslog;
	if (to_syslog)
		open_syslog();
	log_state.may_block = !known || !S_ISREG(st.st_mode);
	log_state.journal = known && is_journal(&st);
}

/* A pipe that nobody reads must not stop the daemon.  POLLOUT promises room for
 * PIPE_BUF bytes, which is more than a line. */
static bool
has_room(void)
{
	struct pollfd p = { STDERR_FILENO, POLLOUT, 0 };

	return !log_state.may_block ||
	    (poll(&p, 1, 0) > 0 && (p.revents & POLLOUT) != 0);
}

static void
write_line(int priority, const char *format, va_list args)
{
	char line[LINE];
	int at = 0, n, i;

	if (log_state.journal && !log_state.to_syslog)
		at = snprintf(line, sizeof line, "<%d>", priority);
	n = vsnprintf(line + at, sizeof line - 1 - (size_t)at, format, args);
	if (n < 0)
		return;
	n += at;
	if (n > (int)sizeof line - 2)
		n = (int)sizeof line - 2;
	for (i = at; i < n; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	if (log_state.to_syslog) {
		send_syslog(priority, line, n);
		return;
	}
	line[n++] = '\n';
	if (has_room() && write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* there is nowhere to say so */
}

/* Lines of the same format are of the same kind. */
static bool
is_within_budget(enum log_class class, const char *format)
{
	enum calm_rank rank = class == LOG_CLASS_STATE ||
		class == LOG_CLASS_CLOCK ? CALM_STATE :
	    class <= LOG_CLASS_INFO		       ? CALM_NEWS :
							 CALM_DEBUG;

	return !calm.on || class == LOG_CLASS_REPLY ||
	    calm_may(&calm, format, rank, clock_now(CLOCK_MONOTONIC_RAW));
}

void
log_calm(bool on)
{
	if (on)
		calm_start(&calm, clock_now(CLOCK_MONOTONIC_RAW));
	calm.on = on;
}

void
log_turn(int64_t raw)
{
	unsigned held = calm_held(&calm, raw);

	if (held == 0)
		return;
	calm.on = false; /* the budget has a place for this line */
	log_line(LOG_CLASS_STATE,
	    "lines held back: %u; ntpctl shows the state, -v -v all lines",
	    held);
	calm.on = true;
}

int64_t
log_due(void)
{
	return calm_due(&calm);
}

void
log_line(enum log_class class, const char *format, ...)
{
	static const int priority[] = { LOG_WARNING, LOG_WARNING, LOG_INFO,
		LOG_INFO, LOG_DEBUG, LOG_DEBUG, LOG_DEBUG };
	int error = errno;
	va_list args;

	if (class > log_state.most || !is_within_budget(class, format))
		return;
	va_start(args, format);
	write_line(priority[class], format, args);
	va_end(args);
	errno = error;
}

/* Send one datagram, as sd_notify(3) describes.  "@" begins the name of an
 * abstract socket. */
void
notify_supervisor(const char *state)
{
	const char *path = secure_getenv("NOTIFY_SOCKET");
	size_t n = path != NULL ? strlen(path) : 0;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, error = errno;

	if (n < 2 || n >= sizeof sun.sun_path || strchr("/@", *path) == NULL)
		return;
	memcpy(sun.sun_path, path, n);
	if (*path == '@')
		sun.sun_path[0] = '\0';
	if ((fd = net_socket(AF_UNIX, SOCK_DGRAM)) != -1) {
		/* A supervisor that does not listen is no reason to stop. */
		(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		    (const struct sockaddr *)&sun,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
		(void)close(fd);
	}
	errno = error;
}

void
fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(LOG_CRIT, format, args);
	va_end(args);
	exit(1);
}
