/*
 * https.c - an HTTPS server for constraints inside a guest.
 *
 *	https ADDRESS START CERT KEY [PPM]
 *
 * Every connection to ADDRESS:443 gets an answer with the true Date, which is
 * START (s since 1970) at truth.c's t = 0 and PPM faster than raw time.  CERT and
 * KEY are DER files; the key is on an elliptic curve, as is its issuer's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <bearssl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ORIGIN 10.0			/* truth.c's, s */

struct bytes {
	unsigned char data[4096];
	size_t size;
};

_Noreturn static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
read_file(const char *path, struct bytes *b)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		die(path);
	b->size = fread(b->data, 1, sizeof(b->data), f);
	fclose(f);
}

static time_t
true_now(double start, double ppm)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (time_t)(start +
	    ((double)ts.tv_sec + (double)ts.tv_nsec / 1e9 - ORIGIN) *
	    (1 + ppm * 1e-6));
}

static int
low_read(void *fd, unsigned char *data, size_t size)
{
	ssize_t n = read(*(int *)fd, data, size);

	return n > 0 ? (int)n : -1;
}

static int
low_write(void *fd, const unsigned char *data, size_t size)
{
	ssize_t n = write(*(int *)fd, data, size);

	return n > 0 ? (int)n : -1;
}

static int
listen_on(const char *address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons(443) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1 || fd == -1 ||
	    bind(fd, (void *)&sin, sizeof(sin)) == -1 || listen(fd, 8) == -1)
		die(address);
	return fd;
}

/* Read the request up to its empty line, then send the answer. */
static void
answer(br_sslio_context *io, time_t now)
{
	char head[256], date[64];
	unsigned char c, last = 0;
	struct tm tm;

	while (br_sslio_read(io, &c, 1) == 1 && !(c == '\n' && last == '\n')) {
		if (c != '\r')
			last = c;
	}
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nDate: %s\r\n"
	    "Content-Length: 0\r\nConnection: close\r\n\r\n", date);
	br_sslio_write_all(io, head, strlen(head));
	br_sslio_flush(io);
	br_sslio_close(io);
}

int
main(int argc, char **argv)
{
	static unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
	static br_ssl_server_context server;
	static br_skey_decoder_context decoder;
	static struct bytes cert, key;
	br_x509_certificate chain;
	br_sslio_context io;
	int listener, fd;

	if (argc != 5 && argc != 6)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	read_file(argv[3], &cert);
	read_file(argv[4], &key);
	br_skey_decoder_init(&decoder);
	br_skey_decoder_push(&decoder, key.data, key.size);
	if (br_skey_decoder_last_error(&decoder) != 0 ||
	    br_skey_decoder_key_type(&decoder) != BR_KEYTYPE_EC)
		return 1;
	chain = (br_x509_certificate){ cert.data, cert.size };
	listener = listen_on(argv[1]);
	while ((fd = accept(listener, NULL, NULL)) != -1) {
		br_ssl_server_init_full_ec(&server, &chain, 1, BR_KEYTYPE_EC,
		    br_skey_decoder_get_ec(&decoder));
		br_ssl_engine_set_buffer(&server.eng, buffer, sizeof(buffer),
		    1);
		br_ssl_server_reset(&server);
		br_sslio_init(&io, &server.eng, low_read, &fd, low_write, &fd);
		answer(&io, true_now(atof(argv[2]),
		    argc > 5 ? atof(argv[5]) : 0));
		close(fd);
	}
	die("accept");
}
