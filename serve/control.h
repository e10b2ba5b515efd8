/*
 * control.h - connections of ntpctl and of those who fetch metrics.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "serve/request.h"

#include <sys/socket.h>
#include <sys/un.h>

#define CONTROL_PATH "/var/run/ntpd.sock"
/* That of the systemd unit, whose user cannot write to /run itself. */
#define CONTROL_UNIT "/run/ntpd/ntpd.sock"
#define CONTROL_ABSTRACT "ntpd.sock" /* its name in the abstract namespace */

enum {
	CONTROL_CONNECTIONS = 16, /* that are served at the same time; */
	CONTROL_LOCAL = 4,	  /* of these, by the control socket */
	/* descriptors that control_watch gives at most */
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
	int64_t since; /* raw: it was accepted, or took some of its answer */
	int64_t due;   /* raw: it is given up unless it goes on until then */
	int64_t end;   /* raw: it is given up then, though it reads */
	char *answer;  /* head and body; malloc(3) */
	size_t size, sent; /* bytes of the answer */
	int queued;	   /* bytes of it that the kernel had at "since" */
	struct request request;
};

/* The control socket and the connections; private to control.c. */
struct control {
	const struct listening *listening; /* where metrics are asked for */
	int fd;		/* control socket, -1: none */
	const char *at; /* its path, or where another daemon answers */
	bool abstract;
	int64_t paused; /* raw: nothing is accepted before; 0: not so */
	struct control_connection connection[CONTROL_CONNECTIONS];
};

/* Where the control socket is: $NTP_CONTROL_SOCKET or CONTROL_PATH.  If the
 * program's file gives privilege (AT_SECURE), the environment is not looked at:
 * whoever starts the program must not choose where it writes. */
const char *control_path(void);

/* The address of a path.  False with errno if it is too long. */
bool control_address(const char *path, struct sockaddr_un *);

/* The address in the abstract namespace, and its size in bytes, or 0 if it may
 * not be used: in the network namespace of the host any user could take the
 * name. */
socklen_t control_abstract(struct sockaddr_un *);

/* Begin with nothing open.  Connections will also be accepted from the
 * listeners of metrics, which must stay where they are. */
void control_start(struct control *, const struct listening *);

/* Open the control socket.  After BUSY and FAILED it is closed, and everything
 * else works.  With the usual path it is BUSY as well if the unit's daemon
 * answers at its own. */
enum control_said control_open(struct control *);

/* Give the socket's file to the user that the daemon becomes, so that this user
 * may ask it. */
void control_give(const struct control *, uid_t, gid_t);

/* The descriptors to wait for, at most max.  Returns how many. */
int control_watch(const struct control *, struct pollfd *, int max);

/* The raw time at which control_deliver must be called though nothing happened,
 * or NEVER. */
int64_t control_due(const struct control *);

/* Accept, read and write where the descriptors say so, and drop who is too
 * slow. True if somebody waits for control_answer. */
bool
control_deliver(struct control *, const struct pollfd *, int n, int64_t raw);

/* Answer those who asked. */
void control_answer(struct control *, const struct status *, int64_t raw);

/* Close all connections, and close and remove the socket. */
void control_close(struct control *);

#endif
