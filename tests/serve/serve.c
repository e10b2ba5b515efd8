/*
 * serve.c - the server room: who may ask, how often, and what is answered.
 * Sockets are real, on loopback and high ports.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/address.h"
#include "core/conf.h"
#include "core/ntp.h"
#include "core/word.h"
#include "serve/listen.h"
#include "serve/serve.h"
#include "sys/instant.h"
#include "sys/net.h"
#include "sys/refid.h"
#include "tests/test.h"

/* The machine's clocks, moved by as much as a test says.  If "shown" is not 0,
 * that is what both show, and each reading adds "pace" to it: so no pause of a
 * busy machine looks as if the clock had been set. */
static int64_t real_moved, raw_moved, shown, pace;

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int64_t moved = id == CLOCK_REALTIME ? real_moved : raw_moved, ns;
	long result = syscall(SYS_clock_gettime, id, t);

	ns = (int64_t)t->tv_sec * S + t->tv_nsec + moved;
	if (shown != 0)
		ns = shown += pace;
	t->tv_sec = ns / S;
	t->tv_nsec = ns % S;
	return (int)result;
}

/* Messages that wish for a stamp are refused, as gVisor does it. */
static bool unstamped;

long
syscall(long number, ...)
{
	long (*next)(long, ...), a[4];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (unstamped && number == SYS_sendmmsg) {
		const struct msghdr *m = &((struct mmsghdr *)a[1])->msg_hdr;

		/* The wish comes last. */
		if (m->msg_controllen >= CMSG_SPACE(4) &&
		    ((struct cmsghdr *)((char *)m->msg_control +
			 m->msg_controllen - CMSG_SPACE(4)))->cmsg_type ==
			SO_TIMESTAMPING) {
			errno = EINVAL;
			return -1;
		}
		a[2] = 1;
	}
	*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	return next(number, a[0], a[1], a[2], a[3]);
}

static struct address
ip(const char *text)
{
	struct address a;

	memset(&a, 0, sizeof a);
	if (inet_pton(AF_INET, text, a.bytes) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.family = 6;
	else
		fail_msg("not an address: %s", text);
	return a;
}

/* ----- allow from */

static void
allows_the_networks_named(void **state)
{
	static const struct {
		const char *network;
		int bits;
		const char *address;
		bool in;
	} row[] = {
		{ "192.0.2.0", 24, "192.0.2.255", true },
		{ "192.0.2.0", 24, "192.0.3.0", false },
		{ "192.0.2.0", 24, "192.0.1.255", false },
		{ "192.0.2.1", 32, "192.0.2.1", true },
		{ "192.0.2.1", 32, "192.0.2.0", false },
		{ "0.0.0.0", 0, "255.255.255.255", true },
		{ "0.0.0.0", 0, "::1", false },
		{ "::", 0, "::1", true },
		{ "::", 0, "127.0.0.1", false },
		{ "10.0.0.0", 7, "11.255.255.255", true },
		{ "10.0.0.0", 7, "12.0.0.0", false },
		{ "10.0.0.0", 9, "10.127.255.255", true },
		{ "10.0.0.0", 9, "10.128.0.0", false },
		{ "128.0.0.0", 1, "128.0.0.0", true },
		{ "128.0.0.0", 1, "127.255.255.255", false },
		{ "192.0.2.128", 31, "192.0.2.129", true },
		{ "192.0.2.128", 31, "192.0.2.130", false },
		{ "2001:db8::", 32, "2001:db8:ffff::1", true },
		{ "2001:db8::", 32, "2001:db9::", false },
		{ "2001:db8::", 33, "2001:db8:8000::", false },
		{ "2001:db8::1", 128, "2001:db8::1", true },
		{ "2001:db8::1", 128, "2001:db8::2", false },
		{ "fe80::", 10, "febf::1", true },
		{ "fe80::", 10, "fec0::1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct conf_allow allow = { ip(row[i].network), row[i].bits };
		struct address a = ip(row[i].address);

		if (serve_allowed(&allow, 1, &a) != row[i].in)
			fail_msg("%s/%d %s", row[i].network, row[i].bits,
			    row[i].address);
	}
}

static void
allows_everybody_without_a_list(void **state)
{
	struct address four = ip("203.0.113.9"), six = ip("2001:db8::9");

	(void)state;
	assert_true(serve_allowed(NULL, 0, &four));
	assert_true(serve_allowed(NULL, 0, &six));
}

static void
allows_what_any_entry_allows(void **state)
{
	struct conf_allow allow[] = { { ip("192.0.2.0"), 24 },
	    { ip("2001:db8::"), 32 }, { ip("10.0.0.0"), 8 } };
	struct address in = ip("10.1.2.3"), six = ip("2001:db8::3"),
	    out = ip("11.1.2.3");

	(void)state;
	assert_true(serve_allowed(allow, 3, &in));
	assert_true(serve_allowed(allow, 3, &six));
	assert_false(serve_allowed(allow, 3, &out));
}

/* ----- rates */

static struct rate_table table;

static void
fresh(double rate, int burst)
{
	memset(&table, 0, sizeof table);
	table.seed[0] = 0x243f6a8885a308d3;
	table.seed[1] = 0x13198a2e03707344;
	serve_rate_set(&table, rate, burst);
}

/* Of n requests from the address, spread evenly over the time given. */
static int
passed(const char *address, int n, int64_t from, int64_t over)
{
	struct address a = ip(address);
	int ok = 0;

	for (int i = 0; i < n; i++)
		ok += serve_rate(&table, &a, from + over / n * i);
	return ok;
}

static void
lets_a_burst_pass_and_then_the_rate(void **state)
{
	(void)state;
	fresh(10, 40);
	assert_int_equal(passed("192.0.2.1", 1000, 100 * S, 0), 40);
	/* a thousand requests a second, of which ten are answered */
	assert_int_equal(passed("192.0.2.1", 10000, 100 * S, 10 * S), 99);
	/* After four seconds without a request the whole burst is there. */
	assert_int_equal(passed("192.0.2.1", 1000, 114 * S, 0), 40);
	/* After two seconds half of it is there. */
	assert_int_equal(passed("192.0.2.1", 1000, 116 * S, 0), 20);
}

static void
never_slows_who_keeps_to_the_rate(void **state)
{
	(void)state;
	fresh(10, 1);
	assert_int_equal(passed("192.0.2.1", 1000, 0, 100 * S), 1000);
	fresh(0.1, 1);
	assert_int_equal(passed("192.0.2.1", 100, 5 * S, 1000 * S), 100);
}

static void
knows_the_extremes_of_the_configuration(void **state)
{
	(void)state;
	fresh(0.1, LIMIT_MOST);
	assert_int_equal(passed("192.0.2.1", LIMIT_MOST + 5, S, 0), LIMIT_MOST);
	fresh(LIMIT_MOST, LIMIT_MOST);
	assert_int_equal(passed("192.0.2.1", LIMIT_MOST + 5, S, 0), LIMIT_MOST);
	assert_int_equal(passed("192.0.2.1", 10, 2 * S, 0), 10);
}

static void
counts_a_network_as_one(void **state)
{
	(void)state;
	fresh(1, 4);
	assert_int_equal(passed("192.0.2.1", 2, S, 0), 2);
	assert_int_equal(passed("192.0.2.254", 9, S, 0), 2);
	assert_int_equal(passed("192.0.3.1", 9, S, 0), 4);
	assert_int_equal(passed("2001:db8:0:100::1", 2, S, 0), 2);
	assert_int_equal(passed("2001:db8:0:1ff:ffff::", 9, S, 0), 2);
	assert_int_equal(passed("2001:db8:0:200::1", 9, S, 0), 4);
	/* not the same network, though the same bits */
	assert_int_equal(passed("c000:200::", 9, S, 0), 4);
}

static void
never_slows_loopback(void **state)
{
	(void)state;
	fresh(0.1, 1);
	assert_int_equal(passed("127.0.0.1", 100, S, 0), 100);
	assert_int_equal(passed("127.255.255.254", 100, S, 0), 100);
	assert_int_equal(passed("::1", 100, S, 0), 100);
	assert_int_equal(passed("128.0.0.1", 100, S, 0), 1);
	assert_int_equal(passed("::2", 100, S, 0), 1);
}

static void
holds_a_flood_among_forged_addresses(void **state)
{
	struct address flood = ip("198.51.100.1"), a = ip("0.0.0.0");
	uint32_t x = 1;
	int ok = 0;

	(void)state;
	/* One network sends half of all, the other half comes from a million
	 * networks: 20 s at 20000 a second, limit 100 a second. */
	fresh(100, 100);
	for (int i = 0; i < 200000; i++) {
		int64_t raw = S + i * (S / 10000);

		ok += serve_rate(&table, &flood, raw);
		x = x * 1664525 + 1013904223;
		memcpy(a.bytes, &x, 4);
		assert_true(serve_rate(&table, &a, raw));
	}
	assert_in_range(ok, 2000, 2200);
}

static void
slows_many_networks_at_once(void **state)
{
	struct address a = ip("10.0.0.0");
	int ok = 0;

	(void)state;
	/* Half as many as there is room for; few sets are overfull. */
	fresh(1, 2);
	for (int round = 0; round < 10; round++)
		for (int i = 0; i < RATE_SETS * RATE_WAYS / 2; i++) {
			a.bytes[1] = (uint8_t)(i >> 8);
			a.bytes[2] = (uint8_t)i;
			ok += serve_rate(&table, &a, S);
		}
	assert_in_range(ok, RATE_SETS * RATE_WAYS,
	    RATE_SETS * RATE_WAYS * 14 / 10);
}

static void
keeps_the_table_across_a_new_limit(void **state)
{
	(void)state;
	fresh(10, 10);
	assert_int_equal(passed("192.0.2.1", 20, S, 0), 10);
	serve_rate_set(&table, 100, 100);
	assert_int_equal(passed("192.0.2.1", 20, S, 0), 0);
	assert_int_equal(passed("192.0.2.1", 200, 10 * S, 0), 100);
}

/* ----- refid */

static void
names_addresses_as_the_rfc_does(void **state)
{
	struct address four = ip("192.0.2.7"), six = ip("2001:db8::1"),
	    one = ip("::1");

	(void)state;
	assert_int_equal(refid_of(&four), 0xc0000207);
	/* md5sum of the sixteen octets */
	assert_int_equal(refid_of(&six), 0x39ab9b37);
	assert_int_equal(refid_of(&one), 0xcf404dc8);
}

static void
has_a_word_for_every_drop(void **state)
{
	(void)state;
	for (int i = 0; i < DROPS; i++) {
		assert_non_null(word_at(serve_words, i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(word_at(serve_words, i),
			    word_at(serve_words, j));
	}
	assert_string_equal(word_at(serve_words, DROP_LENGTH),
	    word_at(ntp_refusal_words, REFUSED_LENGTH));
	assert_string_equal(word_at(serve_words, DROP_MODE),
	    word_at(ntp_refusal_words, REFUSED_MODE));
	assert_string_equal(word_at(serve_words, DROP_VERSION),
	    word_at(ntp_refusal_words, REFUSED_VERSION));
}

/* ----- a server on loopback */

static struct server server;
static struct listening listening;
static uint16_t port;

static int
setup(void **state)
{
	(void)state;
	memset(&server, 0, sizeof server);
	memset(&listening, 0, sizeof listening);
	real_moved = raw_moved = shown = 0;
	/* not an ephemeral port, and another one in each test process */
	port = (uint16_t)(20000 + getpid() % 10000);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	listen_close(&listening);
	return 0;
}

/* Serve what this line says. */
static void
serve_on(struct conf *c, struct conf_listen *line)
{
	*c = (struct conf){ .listen = line, .listens = 1,
	    .limit_rate = LIMIT_RATE, .limit_burst = LIMIT_RATE };
	line->port = port;
	serve_start(&server, c, &listening);
	listen_open(&listening, c, S);
}

/* ----- when a request came */

static int64_t
real_now(void)
{
	return clock_now(CLOCK_REALTIME);
}

/* One turn of the loop, which answers what is there. */
static void
turn(void)
{
	static const struct serving serving = { .stratum = 2 };
	struct pollfd p[4];
	int n = listen_watch(&listening, LISTEN_NTP, p, 4);

	(void)poll(p, (nfds_t)n, 0);
	serve_deliver(&server, p, n, &serving);
}

static int
asks_loopback(struct conf *c, struct conf_listen *line)
{
	struct sockaddr_storage ss;
	socklen_t size;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	line->address = ip("127.0.0.1");
	serve_on(c, line);
	size = net_sockaddr(&line->address, port, &ss);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, size), 0);
	return fd;
}

/* Send a request, let the clock jump, then answer it.  Returns when the request
 * came, as the reply says; *middle is a reading of the clock after the jump. */
static int64_t
received(int fd, int64_t jump, int64_t *middle)
{
	uint8_t bytes[NTP_SIZE] = { 4 << 3 | MODE_CLIENT };
	struct ntp_packet p;
	int64_t receive, transmit;

	assert_int_equal(send(fd, bytes, sizeof bytes, 0), NTP_SIZE);
	real_moved += jump;
	*middle = real_now();
	turn();
	assert_int_equal(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), NTP_SIZE);
	assert_true(ntp_parse(bytes, sizeof bytes, &p));
	receive = ntp_to_real(p.receive, *middle);
	transmit = ntp_to_real(p.transmit, *middle);
	assert_true(receive <= transmit);
	assert_true(transmit <= real_now());
	return receive;
}

/* Does the reply say when the kernel had the request?  A worker of the kernel
 * switches its stamping on, by and by, after the first socket has asked. */
static bool
takes_stamps(int fd)
{
	int64_t before, middle, receive;
	int tries;

	for (tries = 0; tries < 2000; tries++) {
		before = real_now();
		receive = received(fd, 0, &middle);
		assert_true(before <= receive);
		if (receive <= middle)
			return true;
		(void)usleep(1000);
	}
	return false;
}

static void
takes_the_kernels_stamp(void **state)
{
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);

	(void)state;
	turn();
	assert_true(takes_stamps(fd));
	(void)close(fd);
}

static void
a_stamp_from_before_the_clock_was_set_is_void(void **state)
{
	static const int64_t jump[] = { 5 * S, -5 * S, S / 1000, -S / 1000,
	    86400 * S };
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);
	int64_t middle;

	(void)state;
	for (size_t i = 0; i < sizeof jump / sizeof jump[0]; i++) {
		real_moved = 0;
		turn();
		/* The reading, which is after the jump, takes its place. */
		assert_true(received(fd, jump[i], &middle) >= middle);
	}
	/* trusted again when the clock stays */
	real_moved = 0;
	turn();
	assert_true(takes_stamps(fd));
	(void)close(fd);
}

static void
a_slew_is_not_a_jump(void **state)
{
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);
	int64_t trusted;

	(void)state;
	(void)close(fd);
	turn();
	trusted = server.trusted_from;
	assert_true(trusted != 0);
	/* 500 ppm for an hour, either way */
	for (int sign = -1; sign <= 1; sign += 2) {
		raw_moved += 3600 * S;
		real_moved += 3600 * S + sign * (3600 * S / 2000);
		turn();
		assert_true(server.trusted_from == trusted);
	}
	real_moved += 4 * S;
	raw_moved += S;
	turn();
	assert_true(server.trusted_from > trusted);
}

static void
counts_what_it_does(void **state)
{
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);
	uint8_t bytes[NTP_SIZE] = { 4 << 3 | MODE_CLIENT };

	(void)state;
	/* more than one batch */
	for (int i = 0; i < 100; i++)
		assert_int_equal(send(fd, bytes, sizeof bytes, 0), NTP_SIZE);
	assert_int_equal(send(fd, bytes, 47, 0), 47);
	bytes[0] = 5 << 3 | MODE_CLIENT;
	assert_int_equal(send(fd, bytes, sizeof bytes, 0), NTP_SIZE);
	bytes[0] = 4 << 3 | MODE_SERVER;
	assert_int_equal(send(fd, bytes, sizeof bytes, 0), NTP_SIZE);
	turn();
	assert_true(server.counters.requests == 103);
	assert_true(server.counters.replies == 100);
	for (int i = 0; i < DROPS; i++)
		assert_true(server.counters.dropped[i] ==
		    (i == DROP_LENGTH || i == DROP_VERSION || i == DROP_MODE));
	for (int i = 0; i < 100; i++)
		assert_int_equal(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT),
		    NTP_SIZE);
	assert_int_equal(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), -1);
	(void)close(fd);
}

/* However it came, nobody else has the nonce. */
static void
knows_its_own_requests(void **state)
{
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);
	uint8_t bytes[NTP_SIZE];

	(void)state;
	serve_asks(&server, 0x1122334455667788);
	assert_false(serve_echoed(&server, 0x1122334455667788));
	ntp_query(0x1122334455667788, bytes);
	assert_int_equal(send(fd, bytes, sizeof bytes, 0), NTP_SIZE);
	turn();
	assert_true(server.echo && server.counters.dropped[DROP_OWN] == 1);
	assert_true(serve_echoed(&server, 0x1122334455667788));
	assert_int_equal(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), -1);
	/* Another's nonce with the same last bits is answered. */
	ntp_query(0x9922334455667788, bytes);
	assert_int_equal(send(fd, bytes, sizeof bytes, 0), NTP_SIZE);
	turn();
	assert_int_equal(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), NTP_SIZE);
	assert_false(serve_echoed(&server, 0x9922334455667788));
	serve_asks(&server, 0x9922334455667788);
	assert_false(serve_echoed(&server, 0x1122334455667788));
	(void)close(fd);
}

/* Those who follow us know us by the addresses that are listened on; of "*", by
 * those that were asked. */
static void
knows_what_it_is_called(void **state)
{
	struct conf_listen line = { .address = ip("127.0.0.1") },
	    any = { .any = true };
	struct conf c = { .limit_rate = LIMIT_RATE, .limit_burst = LIMIT_RATE };
	uint8_t bytes[NTP_SIZE] = { 4 << 3 | MODE_CLIENT };
	uint32_t refid[LISTEN_NTP_MOST];
	struct sockaddr_storage ss;
	struct address at = ip("127.0.0.9");
	socklen_t size = net_sockaddr(&at, port, &ss);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	serve_start(&server, &c, &listening);
	assert_int_equal(serve_ours(&server, true, refid, LISTEN_NTP_MOST), 0);
	serve_on(&c, &line);
	assert_int_equal(serve_ours(&server, true, refid, LISTEN_NTP_MOST), 1);
	assert_int_equal(refid[0], 0x7f000001);
	/* which is each host's own */
	assert_int_equal(serve_ours(&server, false, refid, LISTEN_NTP_MOST), 0);
	/* metrics have nothing to do with it */
	listening.listener[0].service = LISTEN_METRICS;
	assert_int_equal(serve_ours(&server, true, refid, LISTEN_NTP_MOST), 0);
	listening.listener[0].service = LISTEN_NTP;
	listen_close(&listening);

	serve_on(&c, &any);
	assert_int_equal(serve_ours(&server, true, refid, LISTEN_NTP_MOST), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sendto(fd, bytes, sizeof bytes, 0,
		    (struct sockaddr *)&ss, size), NTP_SIZE);
	turn();
	assert_int_equal(serve_ours(&server, true, refid, LISTEN_NTP_MOST), 1);
	assert_int_equal(refid[0], 0x7f000009);
	assert_int_equal(serve_ours(&server, true, refid, 0), 0);
	(void)close(fd);
}

/* The size of the reply to a request of size bytes, or -1. */
static ssize_t
asked_with(int fd, const uint8_t *request, size_t size, uint8_t reply[256])
{
	assert_int_equal(send(fd, request, size, 0), size);
	turn();
	return recv(fd, reply, 256, MSG_DONTWAIT);
}

static void
answers_a_key_with_the_same_key(void **state)
{
	struct key keys[] = { { .id = 5, .size = 16, .secret = "secret" },
		{ .id = 7, .size = 32, .secret = "another" } };
	struct conf_listen line[1] = { 0 };
	uint8_t request[256] = { 4 << 3 | MODE_CLIENT, [47] = 9 }, reply[256];
	struct conf c;
	int fd = asks_loopback(&c, line);

	(void)state;
	c.key = keys;
	c.keys = 2;
	for (int i = 0; i < 2; i++) {
		key_sign(&keys[i], request);
		assert_int_equal(
		    asked_with(fd, request, KEY_PACKET, reply), KEY_PACKET);
		assert_ptr_equal(key_of(keys, 2, reply), &keys[i]);
		assert_memory_equal(reply + 24, request + 40, 8);
	}
	/* All bits count, and silence is the answer. */
	for (int byte = 0; byte < KEY_PACKET; byte++) {
		request[byte] ^= 4;
		assert_int_equal(
		    asked_with(fd, request, KEY_PACKET, reply), -1);
		request[byte] ^= 4;
	}
	assert_int_equal(server.counters.dropped[DROP_KEY] +
		server.counters.dropped[DROP_MODE], KEY_PACKET);
	assert_int_equal(server.counters.dropped[DROP_MODE], 1);
	(void)close(fd);
}

static void
answers_without_a_key_as_ever(void **state)
{
	struct key keys[] = { { .id = 5, .size = 16, .secret = "secret" } };
	struct conf_listen line[1] = { 0 };
	uint8_t request[256] = { 4 << 3 | MODE_CLIENT }, reply[256];
	struct conf c;
	int fd = asks_loopback(&c, line);

	(void)state;
	for (c.keys = 0; c.keys < 2; c.keys++)
		for (size_t size = NTP_SIZE; size <= 256; size += 4) {
			c.key = keys;
			assert_int_equal(asked_with(fd, request, size, reply),
			    c.keys == 1 && size == KEY_PACKET ? -1 : NTP_SIZE);
		}
	(void)close(fd);
}

/* ----- interleaved mode */

/* What the machine's clock really shows, as a stamp of NTP. */
static uint64_t
true_stamp(void)
{
	struct timespec t;

	(void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
	return ntp_from_real((int64_t)t.tv_sec * S + t.tv_nsec);
}

/* From now on the clock shows no time but what a test makes it.  The kernel's
 * stamps are after that, and so are void. */
static void
take_clock(int64_t ns_each)
{
	shown = real_now() - S;
	pace = ns_each;
	turn();
}

/* Ask about the reply with this receive stamp, in the name of "own". */
static struct ntp_packet
asked_about(int fd, uint64_t origin, uint64_t own)
{
	uint8_t request[NTP_SIZE], reply[256];
	struct ntp_packet p;

	ntp_query(0x1122334455667788, request);
	ntp_put(request, NTP_ORIGIN, origin);
	ntp_put(request, NTP_RECEIVE, own);
	assert_int_equal(asked_with(fd, request, sizeof request, reply),
	    NTP_SIZE);
	assert_true(ntp_parse(reply, NTP_SIZE, &p));
	return p;
}

static void
tells_when_the_last_reply_left(void **state)
{
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);
	struct ntp_packet first, second, third;
	uint64_t at[4];

	(void)state;
	take_clock(1000);
	/* Who asks for the first time is not known to want it. */
	first = asked_about(fd, 0, 0);
	at[0] = true_stamp();
	first = asked_about(fd, first.receive, 9);
	at[1] = true_stamp();
	assert_true(first.origin == 0x1122334455667788);
	/* The kernel's stamp is that of the machine's own clock. */
	second = asked_about(fd, first.receive, 10);
	at[2] = true_stamp();
	assert_true(second.origin == 10);
	assert_true(second.transmit > at[0] && second.transmit < at[1]);
	assert_int_equal(second.transmit & 1, 0);
	third = asked_about(fd, second.receive, 11);
	assert_true(third.origin == 11);
	assert_true(third.transmit > at[1] && third.transmit < at[2]);
	/* only once */
	second = asked_about(fd, second.receive, 12);
	assert_true(second.origin == 0x1122334455667788);
	(void)close(fd);
}

static void
answers_about_what_it_knows_only(void **state)
{
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);
	struct ntp_packet p, q;

	(void)state;
	take_clock(1000);
	p = asked_about(fd, 1, 9);
	assert_true(p.origin == 0x1122334455667788);
	/* A transmit stamp is what clients of basic mode send. */
	q = asked_about(fd, p.transmit, 9);
	assert_true(q.origin == 0x1122334455667788);
	assert_true(asked_about(fd, q.receive, 9).origin ==
	    0x1122334455667788);
	/* Of this one nobody could tell the mode of the reply. */
	q = asked_about(fd, p.receive, 0x1122334455667788);
	assert_true(q.transmit == q.receive - 1);
	/* The clock was set since. */
	server.ahead -= 5 * S;
	turn();
	assert_true(asked_about(fd, q.receive, 9).origin ==
	    0x1122334455667788);
	(void)close(fd);
}

/* Whichever way it was set, what was kept is of another clock. */
static void
a_clock_set_back_ends_interleaved_mode(void **state)
{
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);
	struct ntp_packet p;

	(void)state;
	take_clock(1000);
	p = asked_about(fd, 1, 9);
	shown -= 5 * S;
	turn();
	assert_true(asked_about(fd, p.receive, 9).origin ==
	    0x1122334455667788);
	(void)close(fd);
}

static void
answers_where_the_kernel_stamps_no_reply(void **state)
{
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);
	struct ntp_packet p = { .receive = 1 };

	(void)state;
	unstamped = true;
	for (int i = 0; i < 3; i++) {
		p = asked_about(fd, p.receive, 9);
		assert_true(p.origin == 0x1122334455667788);
	}
	unstamped = false;
	assert_int_equal(server.counters.dropped[DROP_SEND], 0);
	(void)close(fd);
}

/* Each has a place until others have taken it. */
static void
remembers_many_interleaved_clients(void **state)
{
	static uint64_t last[SERVE_KEPT];
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);

	(void)state;
	take_clock(1000);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < SERVE_KEPT; i++) {
			struct ntp_packet p = asked_about(fd, last[i] | 1, 9);

			assert_true((p.origin == 9) == (round > 0));
			last[i] = p.receive;
		}
	/* One more than there are places. */
	(void)asked_about(fd, 1, 9);
	assert_true(asked_about(fd, last[1], 9).origin == 9);
	assert_true(asked_about(fd, last[0], 9).origin != 9);
	(void)close(fd);
}

/* Two requests that came at the same time. */
static void
no_reply_is_taken_for_another(void **state)
{
	struct conf_listen line[1] = { 0 };
	struct conf c;
	int fd = asks_loopback(&c, line);
	struct ntp_packet p;

	(void)state;
	take_clock(0);
	p = asked_about(fd, 1, 9);
	assert_true(asked_about(fd, 1, 9).receive == p.receive);
	assert_true(asked_about(fd, p.receive, 9).origin ==
	    0x1122334455667788);
	shown += S / 10000;
	assert_true(asked_about(fd, p.receive, 9).receive != p.receive);
	(void)close(fd);
}

static void
an_interleaved_reply_has_its_key(void **state)
{
	struct key keys[] = { { .id = 5, .size = 16, .secret = "secret" } };
	struct conf_listen line[1] = { 0 };
	uint8_t request[256] = { 4 << 3 | MODE_CLIENT, [47] = 9 }, reply[256];
	struct conf c;
	int fd = asks_loopback(&c, line);
	uint64_t origin = 1;

	(void)state;
	c.key = keys;
	c.keys = 1;
	take_clock(1000);
	for (uint64_t i = 0; i < 3; i++) {
		ntp_put(request, NTP_ORIGIN, origin);
		ntp_put(request, NTP_RECEIVE, 10 + i);
		key_sign(keys, request);
		assert_int_equal(
		    asked_with(fd, request, KEY_PACKET, reply), KEY_PACKET);
		assert_ptr_equal(key_of(keys, 1, reply), keys);
		assert_true(ntp_get(reply, NTP_ORIGIN) == (i ? 10 + i : 9));
		origin = ntp_get(reply, NTP_RECEIVE);
	}
	(void)close(fd);
}

int
main(void)
{
#define SOCKET_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allows_the_networks_named),
		cmocka_unit_test(allows_everybody_without_a_list),
		cmocka_unit_test(allows_what_any_entry_allows),
		cmocka_unit_test(lets_a_burst_pass_and_then_the_rate),
		cmocka_unit_test(never_slows_who_keeps_to_the_rate),
		cmocka_unit_test(knows_the_extremes_of_the_configuration),
		cmocka_unit_test(counts_a_network_as_one),
		cmocka_unit_test(never_slows_loopback),
		cmocka_unit_test(holds_a_flood_among_forged_addresses),
		cmocka_unit_test(slows_many_networks_at_once),
		cmocka_unit_test(keeps_the_table_across_a_new_limit),
		cmocka_unit_test(names_addresses_as_the_rfc_does),
		cmocka_unit_test(has_a_word_for_every_drop),
		SOCKET_TEST(takes_the_kernels_stamp),
		SOCKET_TEST(a_stamp_from_before_the_clock_was_set_is_void),
		SOCKET_TEST(a_slew_is_not_a_jump),
		SOCKET_TEST(knows_its_own_requests),
		SOCKET_TEST(knows_what_it_is_called),
		SOCKET_TEST(counts_what_it_does),
		SOCKET_TEST(answers_a_key_with_the_same_key),
		SOCKET_TEST(answers_without_a_key_as_ever),
		SOCKET_TEST(tells_when_the_last_reply_left),
		SOCKET_TEST(answers_about_what_it_knows_only),
		SOCKET_TEST(no_reply_is_taken_for_another),
		SOCKET_TEST(answers_where_the_kernel_stamps_no_reply),
		SOCKET_TEST(a_clock_set_back_ends_interleaved_mode),
		SOCKET_TEST(remembers_many_interleaved_clients),
		SOCKET_TEST(an_interleaved_reply_has_its_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
