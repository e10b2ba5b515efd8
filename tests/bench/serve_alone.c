/*
 * serve_alone.c - the server room in the smallest loop: what serve.c costs
 * without the daemon around it.
 *
 *   serve_alone [ADDRESS]   ("*" without one), port 123 or PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "core/address.h"
#include "core/conf.h"
#include "core/ntp.h"
#include "serve/listen.h"
#include "serve/serve.h"
#include "sys/instant.h"
#include "sys/log.h"
#include "sys/net.h"

void
log_line(enum log_class class, const char *format, ...)
{
	va_list ap;

	(void)class;
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

void
fatal(const char *format, ...)
{
	(void)fprintf(stderr, "%s\n", format);
	exit(1);
}

static bool
numeric(const char *text, struct address *a)
{
	struct sockaddr_storage ss;

	memset(&ss, 0, sizeof ss);
	if (strchr(text, ':') != NULL) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

		in6->sin6_family = AF_INET6;
		return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1 &&
		    net_address((struct sockaddr *)&ss, a);
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&ss;

		in->sin_family = AF_INET;
		return inet_pton(AF_INET, text, &in->sin_addr) == 1 &&
		    net_address((struct sockaddr *)&ss, a);
	}
}

int
main(int argc, char **argv)
{
	static struct server server;
	static struct listening listening;
	struct instant now = clock_read();
	struct conf_listen line = { .any = argc < 2, .port =
	    (uint16_t)atoi(getenv("PORT") != NULL ? getenv("PORT") : "123") };
	struct conf conf = { .listen = &line, .listens = 1,
	    .limit_rate = LIMIT_RATE, .limit_burst = LIMIT_RATE * LIMIT_SECONDS };
	struct serving serving = { .leap = LEAP_NONE, .stratum = 2,
	    .precision = -23, .refid = 0xc0000201, .root_delay = 0.01,
	    .root_dispersion = 0.001, .growth = 15e-6, .raw = now.raw,
	    .reference = now.real };

	line.name = argc < 2 ? "*" : argv[1];
	if (argc > 1 && !numeric(argv[1], &line.address))
		return 2;
	serve_start(&server, &conf, &listening);
	listen_open(&listening, &conf, now.raw);
	for (;;) {
		struct pollfd p[4];
		int n = listen_watch(&listening, LISTEN_NTP, p, 4);

		if (poll(p, (nfds_t)n, -1) < 0 && errno != EINTR)
			return 1;
		serve_deliver(&server, p, n, &serving);
	}
}
