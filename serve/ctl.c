/*
 * ctl.c - the ntpctl program: asks the running daemon and prints what it says.
 *
 * It is a small HTTP client of the control socket.  It reads no file and writes
 * none.  What it prints is made by the daemon (status.c), so that a client of
 * another version cannot misread it.  Only colours and the ends of lines are
 * made here, since they depend on the terminal.
 */
#include "serve/ctl.h"
#include "core/build.h"
#include "serve/control.h"
#include "sys/instant.h"
#include "sys/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The exit status, by which node problem detectors and probes tell "no" from
 * "not known". */
enum { CTL_OK, CTL_NO, CTL_UNKNOWN };

enum {
	ANSWER_MS = 10000, /* for one question: the daemon gives a client as
			      long to take its answer */
	AGAIN_MS = 200,	   /* between the questions of -w */
	ONCE_MS = 1000,	   /* of -w 0, for its one question */
	WAIT_MAX = 7 * 86400, /* s of -w and -i */
	INDENT = 4	   /* columns, where a line of the screen goes on */
};

/* What can be shown, as a text and, with -j, as JSON. */
static const struct {
	char word[8];
	uint8_t view, json;
} modifiers[] = {
	{ "all", VIEW_ALL, VIEW_JSON },
	{ "peers", VIEW_PEERS, VIEW_PEERS_JSON },
	{ "Sensors", VIEW_SENSORS, VIEW_SENSORS_JSON },
	{ "status", VIEW_STATUS, VIEW_STATUS_JSON },
	{ "ready", VIEW_READY, VIEW_READY },
	{ "live", VIEW_LIVE, VIEW_LIVE },
	{ "metrics", VIEW_METRICS, VIEW_METRICS },
	{ "", VIEW_SCREEN, VIEW_JSON }, /* without any word */
};
enum { MODIFIERS = sizeof modifiers / sizeof *modifiers };

/* An answer. */
struct reply {
	int fd;		     /* -1: there was no connection */
	int code;	     /* 0: the head is not complete */
	size_t used, length; /* bytes: that have come; of the whole body */
	char head[4096];     /* the head, and what comes with it */
	char *body;	     /* to be freed; NULL while the head comes; behind
				it is a NUL */
};

/* Where something is shown. */
struct paper {
	FILE *to;
	int width;    /* columns of a terminal; 0: it is none */
	bool escapes; /* it understands escape sequences */
	bool colour;
};

static int64_t
now_ms(void)
{
	/* This clock is not set by the daemon. */
	return clock_now(CLOCK_MONOTONIC) / 1000000;
}

#define USAGE                                                                  \
	"usage: ntpctl [-j] [-i seconds] [-w seconds] [-s all | peers | "      \
	"Sensors |\n              status | ready | live | metrics]\n"

/* After what was wrong, say what is right. */
static int
usage(void)
{
	(void)fputs(
	    USAGE
	    "\"ntpctl\" shows the state, \"ntpctl WORD\" one of these, -h explains\n",
	    stderr);
	return CTL_NO;
}

static void
help(void)
{
	(void)fputs(
	    USAGE
	    "  ready    exits 0 if the clock is right, 1 with the reason if not\n"
	    "  live     exits 0 if the daemon answers\n"
	    "  metrics  for Prometheus\n"
	    "  -i       again and again, every so many seconds\n"
	    "  -j       as JSON\n"
	    "  -w       until ready, so long at most\n"
	    "  -V       version\n"
	    "-s may be left out; without a word, a screen that explains itself\n",
	    stdout);
}

/* ------------------------------------------------------------- connection */

static int
connect_to(const struct sockaddr_un *sun, socklen_t size)
{
	int fd = net_socket(AF_UNIX, SOCK_STREAM);

	if (fd != -1 && connect(fd, (const struct sockaddr *)sun, size) == -1)
		return net_undo(fd);
	return fd;
}

/* Is it the daemon that answers, and not somebody who has taken the name?  The
 * daemon runs as root or as our own user.  The owner of the socket's directory
 * may be the daemon as well, unless others can write there. */
static bool
is_daemon(int fd, const char *path)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	char directory[sizeof((struct sockaddr_un *)0)->sun_path];
	char *slash;
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == -1)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	if (path == NULL)
		return false;
	(void)snprintf(directory, sizeof directory, "%s", path);
	slash = strrchr(directory, '/');
	if (slash == NULL || slash == directory)
		return false;
	*slash = '\0';
	return stat(directory, &st) == 0 && st.st_uid == peer.uid &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Keep the connection if the daemon answers there; else -1 with EPERM. */
static int
believe(int fd, const char *path)
{
	if (is_daemon(fd, path))
		return fd;
	(void)close(fd);
	errno = EPERM;
	return -1;
}

/* Connect to the daemon by a path.  -1 with errno; EPERM: somebody else
 * answered. */
static int
connect_path(const char *path)
{
	struct sockaddr_un sun;
	int fd;

	if (!control_address(path, &sun))
		return -1;
	fd = connect_to(&sun, sizeof sun);
	return fd == -1 ? -1 : believe(fd, path);
}

static int
connect_abstract(void)
{
	struct sockaddr_un sun;
	socklen_t size = control_abstract(&sun);
	int fd = size > 0 ? connect_to(&sun, size) : -1;

	return fd == -1 ? -1 : believe(fd, NULL); /* it has no directory */
}

/* Is nobody there? */
static bool
is_absent(int error)
{
	return error == ENOENT || error == ECONNREFUSED;
}

/* Connect to the daemon.  If it cannot be reached at the usual path, where a
 * socket of root's may have been left, it may be that of the systemd unit.  Or
 * it could not make the path and took the name in the abstract namespace.  -1
 * with errno; *path becomes the one where it answered or refused. */
static int
connect_daemon(const char **path)
{
	int fd = connect_path(*path), error = errno;

	if (fd != -1 || strcmp(*path, CONTROL_PATH) != 0 ||
	    !(is_absent(error) || error == EACCES))
		return fd;
	fd = connect_path(CONTROL_UNIT);
	if (fd != -1 || !is_absent(errno)) {
		*path = CONTROL_UNIT;
		return fd;
	}
	if (is_absent(error) &&
	    ((fd = connect_abstract()) != -1 || errno == EPERM))
		return fd;
	errno = error;
	return -1;
}

bool
ctl_daemon_runs(const char **at)
{
	int fd;

	*at = control_path();
	fd = connect_daemon(at);
	if (fd != -1)
		(void)close(fd);
	return fd != -1;
}

/* --------------------------------------------------------------- exchange */

/* If the head is complete, that is if an empty line has come, take the code and
 * the length from it, and begin the body with what has come of it.  False if it
 * is no answer of our daemon, or if there is no memory. */
static bool
take_head(struct reply *r)
{
	static const char name[] = "\r\nContent-Length: ";
	const char *length;
	char *end;

	r->head[r->used] = '\0';
	end = strstr(r->head, "\r\n\r\n");
	if (end == NULL)
		return r->used < sizeof r->head - 1;
	*end = '\0';
	end += 4;
	length = strstr(r->head, name);
	if (strncmp(r->head, "HTTP/1.1 ", 9) != 0 || length == NULL)
		return false;
	r->code = (int)strtoul(r->head + 9, NULL, 10);
	r->length = strtoul(length + sizeof name - 1, NULL, 10);
	r->used -= (size_t)(end - r->head);
	if (r->used > r->length)
		r->used = r->length;
	r->body = r->length < SIZE_MAX ? calloc(1, r->length + 1) : NULL;
	if (r->code < 100 || r->body == NULL)
		return false;
	memcpy(r->body, end, r->used);
	return true;
}

/* Read more of the reply.  The number of bytes; 0 at its end, or -1, with
 * errno, which is ETIMEDOUT if the deadline comes first. */
static ssize_t
read_more(int fd, char *bytes, size_t size, int64_t deadline)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	int64_t ms = deadline - now_ms();
	ssize_t n;

	if (ms <= 0 || poll(&pfd, 1, (int)ms) != 1) {
		errno = ETIMEDOUT;
		return -1;
	}
	n = recv(fd, bytes, size, 0);
	if (n == 0)
		errno = ECONNRESET; /* more was to come */
	return n;
}

/* Replace control characters, of 7 and of 8 bits, so that none reaches a
 * terminal if it is not our daemon that answered. */
static void
clean(char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != '\n' && (bytes[i] < ' ' || bytes[i] > '~'))
			bytes[i] = '?';
}

/* Ask for a view.  Returns the code of the answer, or -1 with errno. */
static int
ask(enum status_view view, struct reply *r, int64_t deadline)
{
	char request[64];
	ssize_t n;
	int size = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n",
	    status_path(view));

	/* EPIPE: we were refused already, but the answer can be read. */
	if (send(r->fd, request, (size_t)size, MSG_NOSIGNAL) == -1 &&
	    errno != EPIPE)
		return -1;
	while (r->body == NULL || r->used < r->length) {
		n = r->body == NULL ?
		    read_more(r->fd, r->head + r->used,
			sizeof r->head - 1 - r->used, deadline) :
		    read_more(r->fd, r->body + r->used,
			r->length - r->used, deadline);
		if (n <= 0)
			return -1;
		r->used += (size_t)n;
		if (r->body == NULL && !take_head(r)) {
			errno = EPROTO;
			return -1;
		}
	}
	clean(r->body, r->used);
	return r->code;
}

static const char *
why(int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED: return " (is ntpd up?)";
	case EACCES: return " (root may ask)";
	case EPERM: return " (answered by another user)";
	default: return "";
	}
}

/* Connect to the daemon and ask.  Returns the code of the answer, or -1 with
 * errno; the caller frees the body.  *path is where it answered, or did not. */
static int
fetch(enum status_view view, struct reply *r, int64_t deadline,
    const char **path)
{
	int code;

	r->code = 0;
	r->used = 0;
	r->body = NULL;
	*path = control_path();
	r->fd = connect_daemon(path);
	if (r->fd == -1)
		return -1;
	code = ask(view, r, deadline);
	(void)net_undo(r->fd); /* the caller wants errno */
	return code;
}

/* ------------------------------------------------------------------ shown */

static struct paper
paper_of(FILE *to)
{
	const char *term = getenv("TERM"), *plain = getenv("NO_COLOR");
	struct paper p = { .to = to };
	struct winsize size;

	if (ioctl(fileno(to), TIOCGWINSZ, &size) == -1)
		return p;
	p.width = size.ws_col > 0 ? size.ws_col : 80;
	p.escapes = term != NULL && strcmp(term, "dumb") != 0;
	p.colour = p.escapes && (plain == NULL || *plain == '\0');
	return p;
}

/* Show a line of the screen, and what does not fit in further lines.  Green is
 * what is well, red what is wrong. */
static void
show_line(const struct paper *p, const char *line, size_t n)
{
	const bool coloured = p->colour && n > 0 && *line != ' ';
	size_t room = (size_t)p->width, cut;

	if (coloured)
		(void)fputs(*line == '!' ? "\033[31m" : "\033[32m", p->to);
	while (room > INDENT && n > room) {
		for (cut = room; cut > INDENT && line[cut] != ' ';)
			cut--;
		if (cut == INDENT)
			cut = room; /* a long word */
		(void)fprintf(p->to, "%.*s\n%*s", (int)cut, line, INDENT, "");
		for (; cut < n && line[cut] == ' ';)
			cut++;
		line += cut;
		n -= cut;
		room = (size_t)p->width - INDENT;
	}
	(void)fprintf(p->to, coloured ? "%.*s\033[m\n" : "%.*s\n", (int)n, line);
}

/* Show the text of VIEW_SCREEN on stdout.  On a terminal it has colours, unless
 * NO_COLOR or TERM says otherwise, and long lines are continued below. */
static void
show_screen(const char *text, size_t size)
{
	const struct paper p = paper_of(stdout);
	const char *end = text + size, *next;

	for (; text < end; text = next + 1) {
		next = memchr(text, '\n', (size_t)(end - text));
		if (next == NULL)
			next = end;
		show_line(&p, text, (size_t)(next - text));
	}
}

/* Ask one question and show the answer, or say why there is none.  The text
 * "before" comes first on stdout, but only when the answer is there, so that a
 * screen is not empty meanwhile.  Returns an exit status. */
static int
question(enum status_view view, const char *before, int64_t ms)
{
	const char *path;
	struct reply r;
	int code = fetch(view, &r, now_ms() + ms, &path), error = errno;
	bool well = code == 200 || code == 503;

	if (code == 404 && view == VIEW_SCREEN) {
		free(r.body);
		return question(VIEW_ALL, before, ms); /* an older daemon runs */
	}
	(void)fputs(before, stdout);
	if (code == -1)
		(void)fflush(stdout); /* what is wrong comes behind it */
	if (code == -1)
		(void)fprintf(stderr,
		    r.fd == -1 ? "ntpctl: connect: %s: %s%s\n" :
				 "ntpctl: %s: %s%s\n",
		    path, strerror(error), r.fd == -1 ? why(error) : "");
	else if (well && view == VIEW_SCREEN)
		show_screen(r.body, r.used);
	else
		(void)fwrite(r.body, 1, r.used, well ? stdout : stderr);
	free(r.body);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		(void)fprintf(stderr, "ntpctl: write: %s\n", strerror(errno));
		return CTL_UNKNOWN;
	}
	if (code == 503 && view == VIEW_READY)
		return CTL_NO;
	return code == 200 ? CTL_OK : CTL_UNKNOWN;
}

/* ---------------------------------------------------------------- program */

/* The index of the modifier that begins with this text, or -1 if there is none
 * or more than one.  OpenNTPD spells "Sensors" with a capital letter. */
static int
modifier(const char *text)
{
	size_t n = strlen(text);
	int i, found = -1;

	if (strcmp(text, "sensors") == 0)
		text = "Sensors";
	for (i = 0; i < MODIFIERS && n > 0; i++)
		if (strncmp(modifiers[i].word, text, n) == 0) {
			if (found != -1)
				return -1;
			found = i;
		}
	return found;
}

static void
pause_ms(int64_t ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* Wait until the daemon is there and ready, so many seconds at most.  A
 * terminal shows in one line what is waited for.  Returns an exit status, or -1
 * if the daemon hangs: then nothing can be asked in the time that is left. */
static int
wait_ready(long most)
{
	const struct paper p = paper_of(stderr);
	const int64_t began = now_ms(), deadline = began + most * 1000;
	const char *path;
	char line[STATUS_LINE + 48];
	struct reply r;
	int64_t until;
	int code, error;

	for (;;) {
		until = now_ms() + ANSWER_MS;
		if (until > deadline)
			until = most > 0 ? deadline : began + ONCE_MS;
		code = fetch(VIEW_READY, &r, until, &path);
		error = errno;
		(void)snprintf(line, sizeof line, "%ld of %ld s: %.*s",
		    (long)(now_ms() - began) / 1000, most,
		    code == -1 ? STATUS_LINE : (int)strcspn(r.body, "\n"),
		    code == -1 ? "no daemon answers" : r.body);
		free(r.body);
		/* The next one has a pause's time at least for its answer. */
		if (code == 200 || now_ms() + 2 * AGAIN_MS >= deadline)
			break;
		if (p.escapes)
			(void)fprintf(
			    stderr, "\r%.*s\033[K", p.width - 1, line);
		pause_ms(AGAIN_MS);
	}
	if (p.escapes)
		(void)fputs("\r\033[K", stderr);
	if (code == -1 && error == ETIMEDOUT)
		return -1;
	return code == 200 ? CTL_OK : code == 503 ? CTL_NO : CTL_UNKNOWN;
}

bool
ctl_shows(const char *word)
{
	return modifier(word) != -1;
}

/* What the command line asks for. */
struct wish {
	const char *show; /* a modifier, or NULL */
	bool json;
	long seconds; /* of -w; -1: not given */
	long again;   /* s of -i; 0: not given */
};

/* The seconds of -w or -i, or -1 if the text is no such number. */
static long
seconds_of(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	/* (what does not fit, or is negative, has become a large number) */
	return *end != '\0' || end == text || n > WAIT_MAX ? -1 : (long)n;
}

/* Say what is wrong, in the words of getopt(3) and of OpenNTPD. */
static bool
wrong(const char *what, const char *word)
{
	(void)fprintf(stderr, "ntpctl: %s '%s'\n", what, word);
	return false;
}

/* Take one option.  False if it is wrong; a message has said so. */
static bool
take_option(int c, const char *word, struct wish *wish)
{
	const char letter[] = { (char)optopt, '\0' };
	long n;

	switch (c) {
	case 'j': wish->json = true; return true;
	case 's': wish->show = optarg; return true;
	case 'h': help(); exit(CTL_OK);
	case 'V': (void)printf("ntpctl %s\n", build_version); exit(CTL_OK);
	case 'i':
	case 'w':
		n = seconds_of(optarg);
		*(c == 'i' ? &wish->again : &wish->seconds) = n;
		/* 0 s would be a busy loop. */
		return n >= (c == 'i') ||
		    wrong("Invalid number of seconds", optarg);
	case ':': return wrong("option requires an argument --", letter);
	default:
		return optopt == '-' ? wrong("unrecognized option", word) :
				       wrong("invalid option --", letter);
	}
}

/* Take options and words, in any order.  False if they make no sense; a message
 * has said so. */
static bool
take_arguments(int argc, char **argv, struct wish *wish)
{
	const char *word;
	int c;

	opterr = 0;
	while (optind < argc) {
		word = argv[optind];
		if (strcmp(word, "--help") == 0 ||
		    strcmp(word, "--version") == 0)
			return take_option(
			    word[2] == 'h' ? 'h' : 'V', word, wish);
		if (*word == '-' && word[1] != '\0') {
			c = getopt(argc, argv, ":hi:js:Vw:");
			if (c != -1 && !take_option(c, word, wish))
				return false;
		} else if (wish->show != NULL) {
			(void)fprintf(stderr,
			    "ntpctl: '%s' beside '%s': one at a time\n", word,
			    wish->show);
			return false;
		} else {
			wish->show = word;
			optind++;
		}
	}
	return true;
}

/* Show the view again and again, until nobody can see it. */
static int
repeat(enum status_view view, long again)
{
	const struct paper p = paper_of(stdout);

	do {
		(void)question(view, p.escapes ? "\033[H\033[J" : "",
		    ANSWER_MS);
		pause_ms(again * 1000);
	} while (!ferror(stdout));
	return CTL_UNKNOWN;
}

int
ctl_main(int argc, char **argv)
{
	struct wish wish = { NULL, false, -1, 0 };
	enum status_view view;
	int i, status = CTL_OK;

	if (!take_arguments(argc, argv, &wish))
		return usage();
	if (wish.show == NULL && wish.seconds >= 0 && wish.again == 0 &&
	    !wish.json)
		wish.show = "ready";
	i = wish.show == NULL ? MODIFIERS - 1 : modifier(wish.show);
	if (i == -1) {
		(void)wrong("Unknown show modifier", wish.show);
		return usage();
	}
	view = (enum status_view)(
	    wish.json ? modifiers[i].json : modifiers[i].view);

	if (wish.seconds >= 0)
		status = wait_ready(wish.seconds);
	if (wish.again > 0)
		return repeat(view, wish.again);
	i = question(view, "", status == -1 ? 0 : ANSWER_MS);
	return i != CTL_OK || view == VIEW_READY ? i : status;
}
