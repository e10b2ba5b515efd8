/*
 * ctl.c - the ntpctl program: asks the running daemon and prints what it says.
 *
 * It is a small HTTP client of the control socket.  It reads no file and writes
 * none.  What it prints is made by the daemon (status.c), so that a client of
 * another version cannot misread it.
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
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The exit status, by which node problem detectors and probes tell "no" from
 * "not known". */
enum { CTL_OK, CTL_NO, CTL_UNKNOWN };

enum {
	ANSWER_MS = 10000, /* for one question: the daemon gives a client as
			      long to take its answer */
	AGAIN_MS = 200,	   /* between the questions of -w */
	WAIT_MAX = 7 * 86400 /* s of -w */
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
};
enum { MODIFIERS = sizeof modifiers / sizeof *modifiers };

/* An answer while it comes in. */
struct reply {
	int code;	     /* 0: the head is not complete */
	size_t used, length; /* bytes: in the array below; of the whole body */
	char bytes[4096];    /* the head, then pieces of the body */
};

static int64_t
now_ms(void)
{
	/* This clock is not set by the daemon. */
	return clock_now(CLOCK_MONOTONIC) / 1000000;
}

#define USAGE                                                                  \
	"usage: ntpctl [-j] [-w seconds] -s all | peers | Sensors | "          \
	"status |\n              ready | live | metrics\n"

/* After what was wrong, say what is right. */
static int
usage(void)
{
	(void)fputs(
	    USAGE
	    "\"ntpctl\" shows all, \"ntpctl WORD\" one of these, -h explains\n",
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
	    "  -j       as JSON\n"
	    "  -w       until ready, so long at most\n"
	    "  -V       version\n"
	    "-s may be left out, and the word: all\n",
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
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	memcpy(sun.sun_path + 1, CONTROL_ABSTRACT, sizeof CONTROL_ABSTRACT - 1);
	fd = connect_to(&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		sizeof CONTROL_ABSTRACT));
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
	if (is_absent(error) && control_abstract() &&
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
 * the length from it, and keep what has come of the body.  False if it is no
 * answer of our daemon. */
static bool
take_head(struct reply *r)
{
	static const char name[] = "\r\nContent-Length: ";
	const char *length;
	char *end;

	r->bytes[r->used] = '\0';
	end = strstr(r->bytes, "\r\n\r\n");
	if (end == NULL)
		return r->used < sizeof r->bytes - 1;
	*end = '\0';
	end += 4;
	length = strstr(r->bytes, name);
	if (strncmp(r->bytes, "HTTP/1.1 ", 9) != 0 || length == NULL)
		return false;
	r->code = (int)strtoul(r->bytes + 9, NULL, 10);
	r->length = strtoul(length + sizeof name - 1, NULL, 10);
	r->used -= (size_t)(end - r->bytes);
	memmove(r->bytes, end, r->used);
	return r->code >= 100;
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

/* Ask for a view.  The answer is copied to stdout, a refusal to stderr, unless
 * quiet is true.  Returns the code of the answer, or -1 with errno. */
static int
ask(int fd, enum status_view view, bool quiet, int64_t deadline)
{
	struct reply r = { .code = 0 };
	char request[64];
	size_t got = 0;
	ssize_t n;
	FILE *out;
	int size = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n",
	    status_path(view));

	/* EPIPE: we were refused already, but the answer can be read. */
	if (send(fd, request, (size_t)size, MSG_NOSIGNAL) == -1 &&
	    errno != EPIPE)
		return -1;
	while (r.code == 0) {
		n = read_more(fd, r.bytes + r.used, sizeof r.bytes - 1 - r.used,
		    deadline);
		if (n <= 0)
			return -1;
		r.used += (size_t)n;
		if (!take_head(&r)) {
			errno = EPROTO;
			return -1;
		}
	}
	out = r.code == 200 || r.code == 503 ? stdout : stderr;
	for (;;) {
		clean(r.bytes, r.used);
		if (!quiet && fwrite(r.bytes, 1, r.used, out) != r.used)
			return -1;
		got += r.used;
		if (got >= r.length)
			return r.code;
		n = read_more(fd, r.bytes, sizeof r.bytes, deadline);
		if (n <= 0)
			return -1;
		r.used = (size_t)n;
	}
}

static const char *
why(int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED: return " (is ntpd up?)";
	case EPERM: return " (answered by another user)";
	default: return "";
	}
}

/* Ask one question and show the answer, or with quiet say nothing.  Returns an
 * exit status. */
static int
question(enum status_view view, int64_t deadline, bool quiet)
{
	const char *path = control_path();
	int fd = connect_daemon(&path), code;

	if (fd == -1) {
		if (!quiet)
			(void)fprintf(stderr, "ntpctl: connect: %s: %s%s\n",
			    path, strerror(errno), why(errno));
		return CTL_UNKNOWN;
	}
	code = ask(fd, view, quiet, deadline);
	if (!quiet && (fflush(stdout) == EOF || ferror(stdout))) {
		(void)fprintf(stderr, "ntpctl: write: %s\n", strerror(errno));
		code = 0;
	} else if (!quiet && code == -1)
		(void)fprintf(
		    stderr, "ntpctl: %s: %s\n", path, strerror(errno));
	(void)close(fd);
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

/* Wait until the daemon is there and ready, or until the deadline. */
static void
wait_ready(int64_t deadline)
{
	const struct timespec again = { 0, AGAIN_MS * 1000000L };

	while (question(VIEW_READY, deadline, true) != CTL_OK &&
	    now_ms() + AGAIN_MS < deadline)
		(void)nanosleep(&again, NULL);
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
};

/* The seconds of -w, or -1 if the text is no such number. */
static long
seconds_of(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	/* (what does not fit, or is negative, has become a large number) */
	return *end != '\0' || end == text || n > WAIT_MAX ? -1 : (long)n;
}

/* Take one option.  False if it is wrong; a message has said so. */
static bool
take_option(int c, const char *word, struct wish *wish)
{
	switch (c) {
	case 'j': wish->json = true; return true;
	case 's': wish->show = optarg; return true;
	case 'h': help(); exit(CTL_OK);
	case 'V': (void)printf("ntpctl %s\n", build_version); exit(CTL_OK);
	case 'w':
		wish->seconds = seconds_of(optarg);
		if (wish->seconds >= 0)
			return true;
		(void)fprintf(stderr,
		    "ntpctl: Invalid number of seconds '%s'\n", optarg);
		return false;
	case ':':
		(void)fprintf(stderr,
		    "ntpctl: option requires an argument -- '%c'\n", optopt);
		return false;
	default:
		if (optopt == '-')
			(void)fprintf(
			    stderr, "ntpctl: unrecognized option '%s'\n", word);
		else
			(void)fprintf(stderr,
			    "ntpctl: invalid option -- '%c'\n", optopt);
		return false;
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
			c = getopt(argc, argv, ":hjs:Vw:");
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

int
ctl_main(int argc, char **argv)
{
	struct wish wish = { NULL, false, -1 };
	enum status_view view;
	int i, status = CTL_OK;

	if (!take_arguments(argc, argv, &wish))
		return usage();
	if (wish.show == NULL)
		wish.show = wish.seconds >= 0 && !wish.json ? "ready" : "all";
	i = modifier(wish.show);
	if (i == -1) {
		(void)fprintf(stderr, "ntpctl: Unknown show modifier '%s'\n",
		    wish.show);
		return usage();
	}
	view = (enum status_view)(
	    wish.json ? modifiers[i].json : modifiers[i].view);

	if (wish.seconds >= 0) {
		wait_ready(now_ms() + wish.seconds * 1000);
		if (view != VIEW_READY)
			status =
			    question(VIEW_READY, now_ms() + ANSWER_MS, true);
	}
	i = question(view, now_ms() + ANSWER_MS, false);
	return i != CTL_OK ? i : status;
}
