/*
 * tlsprobe.c - asks one HTTPS server with the daemon's own rooms.
 *
 *	tlsprobe [-s] [-e EARLIEST] [-c CAFILE] HOST ADDRESS PORT PATH
 *
 * Linked statically with the very objects of the daemon.  -s: the system clock
 * counts as right; -e: seconds since 1970, else the build date.  Prints one
 * line for the tests to read:
 *	SAID date=SECONDS offset=SECONDS error=SECONDS ms=TIME | REASON
 */
#include "core/build.h"
#include "core/instant.h"
#include "sys/log.h"
#include "tls.h"
#include "tls/anchors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *const names[TLS_SAYS] = {
	[TLS_DATE] = "DATE", [TLS_CONNECT] = "CONNECT",
	[TLS_HANDSHAKE] = "HANDSHAKE", [TLS_EARLY] = "EARLY",
	[TLS_LATE] = "LATE", [TLS_READ] = "READ", [TLS_FORMAT] = "FORMAT",
	[TLS_LENGTH] = "LENGTH", [TLS_BUILD] = "BUILD",
	[TLS_STORED] = "STORED"
};

static double
elapsed(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int
main(int argc, char *argv[])
{
	struct tls_question q = { .earliest = EARLIEST,
	    .roots = &trust_built_in };
	static struct trust_roots roots;
	struct tls_answer a;
	const char *error;
	double begun;
	int option;

	while ((option = getopt(argc, argv, "se:c:")) != -1)
		switch (option) {
		case 's':
			q.synced = true;
			break;
		case 'e':
			q.earliest = atoll(optarg) * NS_PER_S;
			break;
		case 'c':
			error = anchors_file(optarg, &roots);
			if (error != NULL) {
				(void)printf("ROOTS | %s\n", error);
				return 0;
			}
			(void)fprintf(stderr, "%d anchors, %d skipped\n",
			    roots.count, roots.skipped);
			q.roots = &roots;
			break;
		default:
			fatal("usage");
		}
	argv += optind;
	if (argc - optind == 0) {	/* the roots alone */
		(void)printf("ROOTS %d skipped=%d newest=%" PRId64
		    " expire=%" PRId64 " | %s\n", q.roots->count,
		    q.roots->skipped, q.roots->newest, q.roots->expire,
		    q.roots->bundle);
		return 0;
	}
	if (argc - optind != 4)
		fatal("usage");
	q.host = argv[0];
	if (!address_parse(argv[1], &q.address))
		fatal("address");
	if (!address_parse(argv[0], &q.numeric))
		q.numeric.family = 0;
	q.port = (uint16_t)atoi(argv[2]);
	q.path = argv[3];
	begun = elapsed();
	tls_ask(&q, &a);
	if (!tls_sane(&a, 0, INT64_MAX))
		fatal("not sane");
	(void)printf("%s date=%lld offset=%f error=%f ms=%.1f | %s\n",
	    names[a.said], (long long)(a.date / NS_PER_S), (double)(a.date - a.real) / 1e9,
	    a.error, (elapsed() - begun) * 1e3, a.reason);
	return 0;
}
