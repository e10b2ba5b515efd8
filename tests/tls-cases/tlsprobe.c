/*
 * tlsprobe.c - asks one server over TLS with the daemon's own rooms.
 *
 *	tlsprobe [-s] [-e EARLIEST] [-c CAFILE] HOST ADDRESS PORT PATH
 *	tlsprobe -n [-s] [-c CAFILE] HOST ADDRESS PORT [NTP-PORT]
 *
 * Linked statically with the very objects of the daemon.  -s: the system clock
 * counts as right; -e: seconds since 1970, else the build date.  Prints one
 * line for the tests to read:
 *	SAID date=SECONDS offset=SECONDS error=SECONDS ms=TIME | REASON
 * -n: exchanges keys for NTS, and with a port of NTP uses them once; prints
 *	KEYS cookies=N size=N server=NAME port=N from=S until=S ms=TIME | REASON
 *	REPLY stratum=N cookies=N | REASON
 */
#include "core/build.h"
#include "core/instant.h"
#include "sys/log.h"
#include "core/ntp.h"
#include "core/word.h"
#include "sys/net.h"
#include "tls.h"
#include "tls/anchors.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
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

/* Ask a server of NTP for the time with what the exchange brought. */
static void
use(struct nts *nts, const struct address *address, uint16_t port)
{
	uint8_t random[NTS_UID + NTS_NONCE], packet[NTS_PACKET_MOST];
	struct sockaddr_storage to;
	socklen_t size = net_sockaddr(address, port, &to);
	int fd = net_socket(to.ss_family, SOCK_DGRAM);
	struct pollfd p = { fd, POLLIN, 0 };
	enum nts_said said = NTS_MORE;
	ssize_t n;

	if (fd == -1 || connect(fd, (struct sockaddr *)&to, size) == -1 ||
	    getrandom(random, sizeof random, 0) != sizeof random)
		fatal("socket");
	ntp_query(7, packet);
	n = (ssize_t)nts_request(nts, NTS_COOKIES, random, packet);
	if (send(fd, packet, (size_t)n, 0) != n)
		fatal("send");
	memset(packet, 0, sizeof packet);
	if (poll(&p, 1, 3000) == 1 &&
	    (n = recv(fd, packet, sizeof packet, 0)) > 0)
		said = nts_reply(nts, packet, (size_t)n);
	(void)printf("REPLY stratum=%d cookies=%d | %s\n", packet[1],
	    nts->cookies, said == NTS_MORE ? "none" : word_at(nts_words, said));
}

static void
exchange(const struct tls_question *q, uint16_t ntp_port)
{
	double begun = elapsed();
	struct tls_keys k;
	struct nts *nts = &k.grant.nts;

	tls_exchange(q, &k);
	if (!tls_keys_sane(&k))
		fatal("not sane");
	(void)printf("%s cookies=%d size=%d server=%s port=%d from=%" PRId64
		     " until=%" PRId64 " ms=%.1f | %s\n",
	    k.ok ? "KEYS" : "FAILED", nts->cookies, nts->size[0],
	    k.grant.server, k.grant.port, k.from, k.until,
	    (elapsed() - begun) * 1e3, k.reason);
	if (k.ok && ntp_port != 0)
		use(nts, &q->address, ntp_port);
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
	bool keys = false;

	while ((option = getopt(argc, argv, "nse:c:")) != -1)
		switch (option) {
		case 'n':
			keys = true;
			break;
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
	if (argc - optind != 4 && !(keys && argc - optind == 3))
		fatal("usage");
	q.host = argv[0];
	if (!address_parse(argv[1], &q.address))
		fatal("address");
	if (!address_parse(argv[0], &q.numeric))
		q.numeric.family = 0;
	q.port = (uint16_t)atoi(argv[2]);
	if (keys) {
		exchange(&q,
		    argc - optind == 4 ? (uint16_t)atoi(argv[3]) : 0);
		return 0;
	}
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
