/*
 * load.c - requests from many clients at a steady rate, and noise beside them.
 *
 *   load [-p PORT] [-s SECONDS] [-r RATE] [-n CLIENTS] [-a FIRST] [-q]
 *        [-g KIND] [-G RATE] ADDRESS
 *
 * RATE valid requests a second (0: as many as can be sent) come from CLIENTS
 * source addresses beginning at FIRST, which an AnyIP route makes this host's.
 * Replies are matched by the bits the request carried.  Lost turns of the
 * processor are not made up by a burst, which would measure the scheduler: the
 * rate then falls short, and "sent" says so.  -q sends only and lets replies
 * overflow, for saturation, where the server's side is counted.
 *
 * -g random: noise of 0 to 1472 bytes from a second socket; -g ntp: the same
 * with a first byte of versions 1 to 4 and any mode.  -G is its rate, 0 for as
 * fast as possible.
 *
 * One line of JSON on stdout.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 32, SIZE = 48, LONGEST = 1472,
	NOISE = 1 << 20,		/* bytes of it, made before the start */
	WINDOW = 1 << 22		/* requests that may be under way */
};

struct stream {
	double rate;			/* per second, 0: no limit */
	uint64_t sent, let_go, bytes;
};

static struct options {
	double seconds, rate, noise_rate;
	uint32_t first, clients;
	bool quiet, noise, ntp;
	struct sockaddr_in to;
} opt = { .seconds = 1, .rate = 1000, .clients = 1 };

static uint8_t noise[NOISE + LONGEST], waiting[WINDOW];
static uint64_t dice = 0x9e3779b97f4a7c15;

static uint64_t
roll(void)
{
	uint64_t z = dice += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
make_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), room = 4 << 20;

	if (fd < 0 || (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room,
	    sizeof room) < 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room,
	    sizeof room) < 0)) {
		perror("load: socket");
		exit(1);
	}
	return fd;
}

/* How many of the stream are due after so many seconds, at most a batch. */
static unsigned
due(struct stream *s, double elapsed)
{
	uint64_t total;

	if (s->rate <= 0)
		return BATCH;
	total = (uint64_t)(elapsed * s->rate);
	if (total <= s->sent + s->let_go)
		return 0;
	total -= s->sent + s->let_go;
	if (total > 4 * BATCH) {
		s->let_go += total - BATCH;
		total = BATCH;
	}
	return total > BATCH ? BATCH : (unsigned)total;
}

static void
send_requests(int fd, struct stream *s, uint32_t mark, unsigned n)
{
	static uint8_t packet[BATCH][SIZE];
	static struct mmsghdr m[BATCH];
	static struct iovec iov[BATCH];
	static union {
		struct cmsghdr c;
		uint8_t room[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} source[BATCH];
	int done;

	for (unsigned i = 0; i < n; i++) {
		uint32_t number = htonl((uint32_t)(s->sent + i));
		struct in_pktinfo *info = (void *)CMSG_DATA(&source[i].c);

		packet[i][0] = 4 << 3 | 3;
		memcpy(packet[i] + 40, &mark, 4);
		memcpy(packet[i] + 44, &number, 4);
		iov[i] = (struct iovec){ packet[i], SIZE };
		m[i].msg_hdr.msg_name = &opt.to;
		m[i].msg_hdr.msg_namelen = sizeof opt.to;
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
		if (opt.first != 0) {
			source[i].c.cmsg_level = IPPROTO_IP;
			source[i].c.cmsg_type = IP_PKTINFO;
			source[i].c.cmsg_len = CMSG_LEN(sizeof *info);
			info->ipi_spec_dst.s_addr = htonl(opt.first +
			    (uint32_t)((s->sent + i) % opt.clients));
			m[i].msg_hdr.msg_control = &source[i];
			m[i].msg_hdr.msg_controllen = sizeof source[i];
		}
	}
	done = sendmmsg(fd, m, n, 0);
	for (int i = 0; i < done; i++)
		waiting[(s->sent + (unsigned)i) % WINDOW] = 1;
	if (done > 0)
		s->sent += (unsigned)done;
}

static void
send_noise(int fd, struct stream *s, unsigned n)
{
	static struct mmsghdr m[BATCH];
	static struct iovec iov[BATCH][2];
	static uint8_t flags[BATCH];
	int done;

	for (unsigned i = 0; i < n; i++) {
		uint64_t r = roll();
		size_t size = r % (LONGEST + 1), head = opt.ntp && size > 0;

		/* versions 1 to 4, all modes but 0 */
		flags[i] = (uint8_t)((1 + (r >> 32) % 4) << 3 |
		    (1 + (r >> 40) % 7));
		iov[i][0] = (struct iovec){ &flags[i], head };
		iov[i][1] = (struct iovec){ noise + (r >> 44), size - head };
		m[i].msg_hdr.msg_name = &opt.to;
		m[i].msg_hdr.msg_namelen = sizeof opt.to;
		m[i].msg_hdr.msg_iov = iov[i];
		m[i].msg_hdr.msg_iovlen = 2;
	}
	done = sendmmsg(fd, m, n, 0);
	for (int i = 0; i < done; i++)
		s->bytes += m[i].msg_len;
	if (done > 0)
		s->sent += (unsigned)done;
}

struct tally {
	uint64_t answered, twice, wrong, bytes;
};

/* Take what has come; with mark 0 it only counts. */
static void
take_replies(int fd, uint32_t mark, uint64_t sent, struct tally *t)
{
	static uint8_t packet[2 * BATCH][2048];
	static struct mmsghdr m[2 * BATCH];
	static struct iovec iov[2 * BATCH];
	int n;

	do {
		for (int i = 0; i < 2 * BATCH; i++) {
			iov[i] = (struct iovec){ packet[i], sizeof packet[i] };
			m[i].msg_hdr.msg_iov = &iov[i];
			m[i].msg_hdr.msg_iovlen = 1;
		}
		n = recvmmsg(fd, m, 2 * BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			uint32_t its, number;

			t->bytes += m[i].msg_len;
			memcpy(&its, packet[i] + 24, 4);
			memcpy(&number, packet[i] + 28, 4);
			number = ntohl(number);
			if (mark == 0)
				t->answered++;
			else if (m[i].msg_len != SIZE || its != mark ||
			    (packet[i][0] & 7) != 4 || number >= sent)
				t->wrong++;
			else if (waiting[number % WINDOW] == 0)
				t->twice++;
			else {
				waiting[number % WINDOW] = 0;
				t->answered++;
			}
		}
	} while (n == 2 * BATCH);
}

static void
options(int argc, char **argv)
{
	struct in_addr a;
	int c;

	opt.to.sin_family = AF_INET;
	opt.to.sin_port = htons(123);
	while ((c = getopt(argc, argv, "p:s:r:n:a:qg:G:")) != -1)
		switch (c) {
		case 'p': opt.to.sin_port = htons((uint16_t)atoi(optarg)); break;
		case 's': opt.seconds = atof(optarg); break;
		case 'r': opt.rate = atof(optarg); break;
		case 'n': opt.clients = (uint32_t)atoi(optarg); break;
		case 'q': opt.quiet = true; break;
		case 'G': opt.noise_rate = atof(optarg); break;
		case 'g':
			opt.noise = true;
			opt.ntp = strcmp(optarg, "ntp") == 0;
			break;
		case 'a':
			if (inet_pton(AF_INET, optarg, &a) != 1)
				exit(2);
			opt.first = ntohl(a.s_addr);
			break;
		default:
			exit(2);
		}
	if (optind + 1 != argc ||
	    inet_pton(AF_INET, argv[optind], &opt.to.sin_addr) != 1)
		exit(2);
}

int
main(int argc, char **argv)
{
	struct stream valid = { 0 }, junk = { 0 };
	struct tally replies = { 0 }, stray = { 0 };
	double start, elapsed, end;
	uint32_t mark;
	int fd, junk_fd;

	options(argc, argv);
	fd = make_socket();
	junk_fd = make_socket();
	dice ^= (uint64_t)getpid() << 32 ^ (uint64_t)time(NULL);
	mark = (uint32_t)roll() | 1;
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (uint8_t)(roll() >> 13);
	valid.rate = opt.rate;
	junk.rate = opt.noise_rate;

	start = seconds();
	for (elapsed = 0; elapsed < opt.seconds; elapsed = seconds() - start) {
		unsigned n = due(&valid, elapsed);

		if (n > 0)
			send_requests(fd, &valid, mark, n);
		if (opt.noise && (n = due(&junk, elapsed)) > 0)
			send_noise(junk_fd, &junk, n);
		if (!opt.quiet) {
			take_replies(fd, mark, valid.sent, &replies);
			take_replies(junk_fd, 0, 0, &stray);
		}
	}
	/* 0.2 s for what is still in the server's queue */
	for (end = elapsed + 0.2; !opt.quiet && seconds() - start < end; ) {
		take_replies(fd, mark, valid.sent, &replies);
		take_replies(junk_fd, 0, 0, &stray);
		usleep(1000);
	}
	printf("{\"seconds\": %.6f, \"sent\": %llu, \"answered\": %llu, "
	    "\"twice\": %llu, \"wrong\": %llu, \"noise\": %llu, "
	    "\"noise_bytes\": %llu, \"noise_answered\": %llu, "
	    "\"noise_bytes_back\": %llu}\n", elapsed,
	    (unsigned long long)valid.sent, (unsigned long long)replies.answered,
	    (unsigned long long)replies.twice, (unsigned long long)replies.wrong,
	    (unsigned long long)junk.sent, (unsigned long long)junk.bytes,
	    (unsigned long long)stray.answered, (unsigned long long)stray.bytes);
	return 0;
}
