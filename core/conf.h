/*
 * conf.h - what ntpd.conf(5) says.  This is data only.
 */
#ifndef CONF_H
#define CONF_H

#include "core/address.h"
#include "core/key.h"

/* The page of "clockbound on": where ClockBound's clients of version 2 look. */
#define CLOCKBOUND_PATH "/var/run/clockbound/shm0"

enum {
	/* The default port of "metrics on", which is free in Prometheus' list
	 * of the ports of exporters. */
	METRICS_PORT = 9559,
	/* s: limits of "poll".  In the long run nobody is asked faster than
	 * half the pace of the start.  The upper limit is MAXPOLL (17) of RFC
	 * 5905 §7.2. */
	POLL_LEAST = 4,
	POLL_MOST = 131072,
	/* s: limit of "maxdistance".  A packet could hold 98303, but a server
	 * that may be off by a day is of no use. */
	DISTANCE_MOST = 86400,
	/* Requests per second of one network, unless "limit" says otherwise:
	 * 640000 clients behind the address translation of a /24, each of which
	 * asks every 64 s.  That is 1/50 of what one core answers. */
	LIMIT_RATE = 10000,
	LIMIT_SECONDS = 4,    /* the default of "burst" is the rate for that */
	LIMIT_MOST = 1000000, /* more than one core can answer */
	KEYS_MAX = 256,	      /* of all lines of "listen on" together */
	LISTENS_MAX = 64,     /* lines of "listen on", and of "metrics on" */
	SOURCES_MAX = 4096,   /* servers and members of all lines together */
	SENSORS_MAX = 64,
	/* us: what a sensor may be wrong by if nobody says: hosts that ask
	 * servers on the internet keep their clocks within that. */
	SENSOR_ERROR = 5000,
	CONSTRAINTS_MAX = 64,
	CONSTRAINT_ADDRESSES = 8, /* of a line or a name */
	ALLOWS_MAX = 1024,
	URL_PATH_MAX = 1023 /* bytes of a constraint's path */
};

/* "server ADDRESS ..." and "servers ADDRESS ..." */
struct conf_server {
	char *name; /* as written */
	bool pool;  /* "servers" */
	bool trusted;
	bool interleaved;	/* ask in that mode (RFC 9769) */
	int weight;		/* 1..10 */
	struct address address; /* if the name is numeric, else family 0 */
	struct address from4, from6; /* "query from" in force, or family 0 */
	double poll_least, poll_most; /* s; 0: the default */
	double distance_most;	      /* s: "maxdistance"; 0: the default */
	bool nts;		      /* only authenticated (RFC 8915) */
	uint16_t nts_port;	      /* TCP: of the key exchange */
	struct key key;		      /* "key"; its id is 0: there is none */
	int line;		      /* of the text, as in all below */
};

/* "sensor DEVICE ..." */
struct conf_sensor {
	char *device; /* "ptp0", the name of a clock, or "*" for all */
	int correction; /* us */
	int error;	/* us: what it may be wrong by */
	bool tai;	/* it shows TAI */
	char refid[5]; /* "": the default */
	int stratum, weight;
	bool trusted;
	int line;
};

/* "constraint from URL [ADDRESS ...]", "constraints from URL" and "constraint
 * from sensor DEVICE", of which only host and line are used */
struct conf_constraint {
	char *host; /* without brackets, and no dot at its end; or the device */
	bool sensor;
	bool rooted;		/* there was a dot: no search domains */
	char *path;		/* begins with / */
	uint16_t port;		/* 443 if not given */
	bool pool;		/* "constraints": each address votes */
	bool timekeeping;	/* it keeps the time while no server answers */
	struct address numeric; /* if the host is one, else family 0 */
	struct address address[CONSTRAINT_ADDRESSES]; /* those after the URL */
	int addresses;
	int line;
};

/* "listen on ADDRESS" and "metrics on ADDRESS [port N]" */
struct conf_listen {
	char *name; /* as written; "*" for any */
	bool any;
	struct address address; /* if the name is numeric */
	uint16_t port;
	int line;
};

/* "allow from ADDRESS[/BITS]" */
struct conf_allow {
	struct address network;
	int bits;
};

/* "clock owner": what is done if another program steers the clock, too. */
enum clock_owner {
	OWNER_YIELD,  /* only measure until it stops */
	OWNER_IGNORE, /* do not look */
	OWNER_FIGHT   /* say so, and go on */
};

/* Parts of the configuration that may only take effect after a restart. */
enum conf_part {
	CONF_USER = 1 << 0,
	CONF_STRICT = 1 << 1,
	CONF_DRIFTFILE = 1 << 2,
	CONF_CAFILE = 1 << 3,
	CONF_CONSTRAINTS = 1 << 4,
	CONF_METRICS = 1 << 5,
	CONF_LISTEN = 1 << 6,
	CONF_SENSORS = 1 << 7,
	CONF_NTS_PORT = 1 << 8, /* until then its exchanges fail */
	CONF_CLOCKBOUND = 1 << 9,
	CONF_PARTS = 10 /* how many there are */
};

struct conf {
	struct conf_server *server;
	int servers;
	struct conf_sensor *sensor;
	int sensors;
	struct conf_constraint *constraint;
	int constraints;
	struct conf_listen *listen;
	int listens;
	struct key *key; /* those of all "listen on" */
	int keys;
	struct conf_listen *metrics;
	int metricses;
	struct conf_allow *allow;
	int allows;
	char *driftfile; /* NULL: the default */
	char *cafile;	 /* NULL: the embedded roots */
	int cafile_line;
	const char *clockbound; /* path of the page; NULL: there is none */
	char *user; /* "user": a name or a number; NULL: stay who we are */
	int user_line;
	bool strict; /* "strict": do not run without the right to set the time */
	bool nts_require; /* "nts require": only authentic servers steer */
	enum clock_owner owner;
	double ready_within; /* s: "ready within"; default 1 */
	double limit_rate;   /* "limit": requests/s of each network */
	int limit_burst;     /* "burst": requests at once */
	char **text;	     /* the memory of all strings above */
	int texts;
};

#endif
