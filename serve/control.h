/*
 * control.h - connections of ntpctl and of those who fetch metrics.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "core/address.h"
#include "core/conf.h"
#include "serve/serve.h"
#include "serve/status.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_PATH "/var/run/ntpd.sock"
#define CONTROL_ABSTRACT "ntpd.sock" /* name in the abstract namespace */

enum {
	CONTROL_CONNECTIONS = 16, /* served at once, */
	CONTROL_LOCAL = 4,	  /* of which these are the local socket's */
	CONTROL_LISTENERS = 8,	  /* addresses of "metrics on" */
	/* descriptors control_watch may add */
	CONTROL_WATCHED = 1 + CONTROL_LISTENERS + CONTROL_CONNECTIONS
};

enum control_said {
	CONTROL_OPEN,
	CONTROL_BUSY,  /* another daemon answers there */
	CONTROL_FAILED /* errno says why */
};

struct control_listener {
	struct address address; /* family 0: slot is free */
	uint16_t port;
	bool any;
	int line;      /* -1, or index of the line with its name */
	int fd;	       /* -1: not bound */
	int error;     /* errno of the last attempt */
	int64_t retry; /* raw */
};

struct control_connection {
	enum {
		CONNECTION_FREE,
		CONNECTION_READS,
		CONNECTION_ASKED,
		CONNECTION_WRITES,
		CONNECTION_LINGERS
	} state;
	int fd;
	int64_t since; /* raw: accepted, or some of its answer was taken */
	int64_t due;   /* raw: given up unless it goes on until then, */
	int64_t end;   /* ... and then: of an answer */
	char *answer;  /* head and body; malloc */
	size_t size, sent;
	int queued; /* bytes of it that the kernel still had at "since" */
	struct status_request request;
};

/* The control socket and the metrics listeners; private to control.c. */
struct control {
	int fd; /* control socket, -1: none */
	bool abstract;
	int64_t paused; /* raw: no accept before; 0: not so */
	struct control_listener listener[CONTROL_LISTENERS];
	struct control_connection connection[CONTROL_CONNECTIONS];
};

/* Where the control socket is: $NTP_CONTROL_SOCKET or CONTROL_PATH.  This and
 * every other variable is as good as not there where the program's file gives
 * privilege (AT_SECURE): whoever starts it must not say where it writes. */
const char *control_path(void);

/* May a socket of the abstract namespace be used?  Only where the network
 * namespace is known not to be the host's, where any user could own the name. */
bool control_abstract(void);

/* Open the control socket.  BUSY and FAILED leave it closed, the rest of
 * control works. */
enum control_said control_open(struct control *);

/* Make the metrics listeners agree with the configuration, at start and after
 * a reload; numeric ones and "*" that are wanted still stay open.  Those of
 * names are closed: they wait for control_resolved. */
void control_metrics(struct control *, const struct conf *, int64_t raw);

/* The addresses of conf.metrics[line], whose name was looked up; replaces what
 * it had before unless n is 0. */
void control_resolved(struct control *, const struct conf *, int line,
    const struct address[], int n, int64_t raw);

/* The descriptors to wait for, at most max; returns how many. */
int control_watch(const struct control *, struct pollfd *, int max);

/* When control_deliver must be called though nothing happened: NEVER if never. */
int64_t control_due(const struct control *);

/* Accept, read, write, retry binds, drop the slow.  True if somebody waits for
 * control_answer. */
bool
control_deliver(struct control *, const struct pollfd *, int n, int64_t raw);

/* Answer those who asked. */
void control_answer(struct control *, const struct status *, int64_t raw);

/* How the metrics listeners fare; returns how many. */
int
control_listeners(const struct control *, struct status_listener *, int max);

/* Close everything and remove the socket. */
void control_close(struct control *);

#endif
