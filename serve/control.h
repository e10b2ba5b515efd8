/*
 * control.h - connections of ntpctl and of those who fetch metrics.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "serve/listen.h"
#include "serve/request.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_PATH "/var/run/ntpd.sock"
#define CONTROL_ABSTRACT "ntpd.sock" /* name in the abstract namespace */

enum {
	CONTROL_CONNECTIONS = 16, /* served at once, */
	CONTROL_LOCAL = 4,	  /* of which these are the local socket's */
	/* descriptors control_watch may add */
	CONTROL_WATCHED = 1 + LISTEN_METRICS_MOST + CONTROL_CONNECTIONS
};

enum control_said {
	CONTROL_OPEN,
	CONTROL_BUSY,  /* another daemon answers there */
	CONTROL_FAILED /* errno says why */
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
	struct request request;
};

/* The control socket and the connections; private to control.c. */
struct control {
	const struct listening *listening; /* where metrics are asked for */
	int fd; /* control socket, -1: none */
	bool abstract;
	int64_t paused; /* raw: no accept before; 0: not so */
	struct control_connection connection[CONTROL_CONNECTIONS];
};

/* Where the control socket is: $NTP_CONTROL_SOCKET or CONTROL_PATH.  This and
 * every other variable is as good as not there where the program's file gives
 * privilege (AT_SECURE): whoever starts it must not say where it writes. */
const char *control_path(void);

/* May a socket of the abstract namespace be used?  Only where the network
 * namespace is known not to be the host's, where any user could own the name. */
bool control_abstract(void);

/* Begin with nothing open.  What comes by the listeners of metrics is accepted. */
void control_start(struct control *, const struct listening *);

/* Open the control socket.  BUSY and FAILED leave it closed, the rest of
 * control works. */
enum control_said control_open(struct control *);

/* The descriptors to wait for, at most max; returns how many. */
int control_watch(const struct control *, struct pollfd *, int max);

/* When control_deliver must be called though nothing happened: NEVER if never. */
int64_t control_due(const struct control *);

/* Accept, read, write, drop the slow.  True if somebody waits for
 * control_answer. */
bool
control_deliver(struct control *, const struct pollfd *, int n, int64_t raw);

/* Answer those who asked. */
void control_answer(struct control *, const struct status *, int64_t raw);

/* Close all connections, and close and remove the socket. */
void control_close(struct control *);

#endif
