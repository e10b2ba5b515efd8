/*
 * listen.c - which sockets there are: of addresses, of "*" and of names.  They
 * are real, on loopback and high ports.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/address.h"
#include "core/conf.h"
#include "serve/listen.h"
#include "sys/dns.h"
#include "sys/helper.h"
#include "sys/log.h"
#include "sys/net.h"
#include "tests/test.h"

#define DAY (86400 * S)
enum { RETRY = 30, METRICS_RETRY = 15 }; /* s */

static struct listening listening;
static uint16_t port;

/* ----- what the room is linked against here */

static char logged[65536];

void
log_line(enum log_class class, const char *format, ...)
{
	size_t n = strlen(logged);
	va_list ap;

	if (class == LOG_CLASS_DEBUG || class == LOG_CLASS_DETAIL)
		return;
	va_start(ap, format);
	n += (size_t)vsnprintf(logged + n, sizeof logged - n, format, ap);
	va_end(ap);
	assert_true(n + 1 < sizeof logged);
	strcpy(logged + n, "\n");
}

/* The kernel may be one without IPv6. */
static bool without_ipv6;

int
socket(int domain, int type, int protocol)
{
	if (domain == AF_INET6 && without_ipv6) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return (int)syscall(SYS_socket, domain, type, protocol);
}

/* The names that are being looked up, by line; or why no child can be had. */
static const char *asked[8];
static int refused;

int
helper_start(struct helpers *h, const struct helper_job *job, int64_t raw)
{
	(void)h;
	(void)raw;
	assert_int_equal(job->kind, HELPER_LISTEN_NAME);
	if (refused != 0) {
		errno = refused;
		return -1;
	}
	assert_null(asked[job->owner]);
	asked[job->owner] = ((const struct dns_question *)job->question)->name;
	return 0;
}

void
helper_renumber(
    struct helpers *h, enum helper_kind kind, const int to[], int each)
{
	const char *before[LEN(asked)];

	(void)h;
	assert_int_equal(kind, HELPER_LISTEN_NAME);
	assert_int_equal(each, 1);
	memcpy(before, asked, sizeof before);
	memset(asked, 0, sizeof asked);
	for (size_t i = 0; i < LEN(before); i++)
		if (before[i] != NULL && to[i] >= 0)
			asked[to[i]] = before[i];
}

void
dns_ask(const void *question, void *answer)
{
	(void)question;
	(void)answer;
}

static struct dns_answer answer;

void
dns_take(const struct helper_result *r, const char *name, bool news,
    struct dns_answer *out)
{
	(void)r;
	(void)name;
	(void)news;
	*out = answer;
}

/* The name in this line has these addresses; none: it is not known. */
static void
resolve(int line, const struct address a[], int n, int64_t raw)
{
	struct helper_result r = { .kind = HELPER_LISTEN_NAME, .owner = line };

	answer = (struct dns_answer){ .addresses = n, .reason = "no such name" };
	if (n > 0)
		memcpy(answer.address, a, (size_t)n * sizeof *a);
	listen_named(&listening, &r, raw);
	asked[line] = NULL;
}

static struct address
ip(const char *text)
{
	struct address a;

	assert_true(address_parse(text, &a));
	return a;
}

static int
setup(void **state)
{
	(void)state;
	memset(&listening, 0, sizeof listening);
	memset(asked, 0, sizeof asked);
	refused = 0;
	logged[0] = '\0';
	/* not of the ephemeral range, different for tests side by side */
	port = (uint16_t)(20000 + getpid() % 10000);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	listen_close(&listening);
	assert_int_equal(listening.listeners, 0);
	return 0;
}

/* ----- addresses and "*" */

static struct conf
conf_of(struct conf_listen *line, int n)
{
	struct conf c = { .listen = line, .listens = n };

	for (int i = 0; i < n; i++)
		line[i].port = port;
	return c;
}

/* A socket of somebody else. */
static int
occupy(const char *address)
{
	struct address a = ip(address);
	struct sockaddr_storage ss;
	socklen_t size = net_sockaddr(&a, port, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&ss, size) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool
is_taken(const char *address)
{
	int fd = occupy(address);

	if (fd < 0)
		return true;
	(void)close(fd);
	return false;
}

static void
binds_what_is_named_and_says_so(void **state)
{
	struct conf_listen line[] = { { .address = ip("127.0.0.1") },
	    { .address = ip("127.0.0.2") }, { .address = ip("127.0.0.1") } };
	struct conf c = conf_of(line, 3);
	struct pollfd p[8];

	(void)state;
	listen_open(&listening, &c, S);
	assert_string_equal(logged,
	    "listening on 127.0.0.1 \nlistening on 127.0.0.2 \n");
	assert_int_equal(listen_watch(&listening, LISTEN_NTP, p, 8), 2);
	assert_int_equal(listen_watch(&listening, LISTEN_NTP, p, 1), 1);
	assert_int_equal(p[0].events, POLLIN);
	assert_true(listen_due(&listening) == NEVER);
	assert_true(is_taken("127.0.0.1"));
	assert_false(is_taken("127.0.0.3"));
	/* not handed on to children */
	assert_int_equal(fcntl(p[0].fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void
any_is_one_socket_for_each_family(void **state)
{
	struct conf_listen line[] = { { .address = ip("127.0.0.1") },
	    { .any = true } };
	struct conf c = conf_of(line, 2);
	struct pollfd p[8];
	int n, six = socket(AF_INET6, SOCK_DGRAM, 0);

	(void)state;
	(void)close(six);
	listen_open(&listening, &c, S);
	n = listen_watch(&listening, LISTEN_NTP, p, 8);
	assert_int_equal(n, six < 0 ? 1 : 2);
	assert_string_equal(logged, six < 0 ? "listening on 0.0.0.0 \n" :
	    "listening on 0.0.0.0 \nlistening on :: \n");
	/* without IPv6 there is nothing to wait for either */
	assert_true(listen_due(&listening) == NEVER);
}

static void
any_without_ipv6_lacks_nothing(void **state)
{
	struct conf_listen line[] = { { .any = true } };
	struct conf c = conf_of(line, 1);
	struct status_listener status[4];
	struct pollfd p[8];

	(void)state;
	without_ipv6 = true;
	listen_open(&listening, &c, S);
	without_ipv6 = false;
	assert_int_equal(listen_watch(&listening, LISTEN_NTP, p, 8), 1);
	assert_string_equal(logged, "listening on 0.0.0.0 \n");
	assert_int_equal(listen_status(&listening, LISTEN_NTP, status, 4), 1);
	assert_string_equal(status[0].address, "0.0.0.0");
	assert_true(status[0].bound);
}

/* Beside the wildcard no other address of its family can be bound. */
static void
any_written_out_holds_all_of_its_family(void **state)
{
	struct conf_listen line[] = { { .address = ip("127.0.0.1") },
	    { .name = "me.test" }, { .address = ip("0.0.0.0") },
	    { .address = ip("127.0.0.2") } };
	struct address found = ip("127.0.0.3");
	struct conf c = conf_of(line, 4);
	struct pollfd p[8];

	(void)state;
	listen_open(&listening, &c, S);
	resolve(1, &found, 1, S);
	assert_string_equal(logged, "listening on 0.0.0.0 \n");
	assert_int_equal(listen_watch(&listening, LISTEN_NTP, p, 8), 1);
	/* Nothing is due but the name's next lookup. */
	assert_true(listen_due(&listening) == S + DAY);
}

static void
any_holds_the_addresses_of_names(void **state)
{
	struct conf_listen line[] = { { .name = "me.test" }, { .any = true } };
	struct address found = ip("127.0.0.3");
	struct conf c = conf_of(line, 2);
	struct status_listener status[8];

	(void)state;
	listen_open(&listening, &c, S);
	resolve(0, &found, 1, S);
	assert_true(listen_due(&listening) == S + DAY);
	for (int i = listen_status(&listening, LISTEN_NTP, status, 8); i-- > 0;)
		assert_true(status[i].bound);
}

static void
tries_a_taken_port_again_and_names_the_remedy(void **state)
{
	struct conf_listen line[] = { { .address = ip("127.0.0.1") } };
	struct conf c = conf_of(line, 1);
	struct status_listener status[4];
	struct pollfd p[4];
	int fd = occupy("127.0.0.1");
	char expected[200];

	(void)state;
	assert_true(fd >= 0);
	listen_open(&listening, &c, 100 * S);
	(void)snprintf(expected, sizeof expected, "bind on 127.0.0.1 failed, "
	    "retrying: %s (is another time daemon running, chronyd perhaps?)\n",
	    strerror(EADDRINUSE));
	assert_string_equal(logged, expected);
	assert_int_equal(listen_watch(&listening, LISTEN_NTP, p, 4), 0);
	assert_true(listen_due(&listening) == (100 + RETRY) * S);
	assert_int_equal(listen_status(&listening, LISTEN_NTP, status, 4), 1);
	assert_string_equal(status[0].address, "127.0.0.1");
	assert_string_equal(status[0].reason, strerror(EADDRINUSE));
	assert_false(status[0].bound);

	/* It is not tried before it is due, and the same failure is not logged
	 * twice. */
	listen_turn(&listening, NULL, 101 * S);
	assert_true(listen_due(&listening) == (100 + RETRY) * S);
	listen_turn(&listening, NULL, (100 + RETRY) * S);
	assert_true(listen_due(&listening) == (100 + 2 * RETRY) * S);
	assert_string_equal(logged, expected);

	(void)close(fd);
	logged[0] = '\0';
	listen_turn(&listening, NULL, (100 + 2 * RETRY) * S);
	assert_string_equal(logged, "listening on 127.0.0.1 \n");
	assert_int_equal(listen_watch(&listening, LISTEN_NTP, p, 4), 1);
	assert_true(listen_due(&listening) == NEVER);
	assert_int_equal(listen_status(&listening, LISTEN_NTP, status, 4), 1);
	assert_true(status[0].bound);
	assert_string_equal(status[0].reason, "");
}

static void
tries_an_absent_address_again(void **state)
{
	/* TEST-NET-3: no host has it */
	struct conf_listen line[] = { { .address = ip("203.0.113.77") } };
	struct conf c = conf_of(line, 1);
	char expected[200];

	(void)state;
	listen_open(&listening, &c, S);
	(void)snprintf(expected, sizeof expected,
	    "bind on 203.0.113.77 failed, retrying: %s\n",
	    strerror(EADDRNOTAVAIL));
	assert_string_equal(logged, expected);
	assert_true(listen_due(&listening) == (1 + RETRY) * S);
}

static int
fd_of(const char *address)
{
	struct address a = ip(address);

	for (int i = 0; i < listening.listeners; i++)
		if (memcmp(&listening.listener[i].address, &a, sizeof a) == 0)
			return listening.listener[i].fd;
	return -1;
}

static void
reload(const struct conf *c, int64_t raw)
{
	static struct helpers helpers; /* the stand-in takes any */

	assert_true(listen_reload(&listening, c, &helpers, raw));
}

static void
a_reload_keeps_what_is_still_wanted(void **state)
{
	struct conf_listen before[] = { { .address = ip("127.0.0.1") },
	    { .address = ip("127.0.0.2") } };
	struct conf_listen after[] = { { .address = ip("127.0.0.3") },
	    { .address = ip("127.0.0.2") } };
	struct conf a = conf_of(before, 2), b = conf_of(after, 2);
	int fd;

	(void)state;
	listen_open(&listening, &a, S);
	fd = fd_of("127.0.0.2");
	logged[0] = '\0';
	reload(&b, 2 * S);
	assert_string_equal(logged, "listening on 127.0.0.3 \n");
	assert_int_equal(fd_of("127.0.0.2"), fd);
	assert_false(is_taken("127.0.0.1"));
}

static void
a_reload_changes_to_any_and_back(void **state)
{
	struct conf_listen one[] = { { .address = ip("127.0.0.1") } };
	struct conf_listen any[] = { { .any = true } };
	struct conf a = conf_of(one, 1), b = conf_of(any, 1);

	(void)state;
	listen_open(&listening, &a, S);
	reload(&b, S);
	assert_true(fd_of("0.0.0.0") >= 0);
	assert_int_equal(fd_of("127.0.0.1"), -1);
	reload(&a, S);
	assert_int_equal(fd_of("0.0.0.0"), -1);
	assert_true(fd_of("127.0.0.1") >= 0);
	assert_null(strstr(logged, "failed"));
	assert_false(is_taken("127.0.0.2"));
}

static void
a_reload_without_listen_closes_all(void **state)
{
	struct conf_listen one[] = { { .address = ip("127.0.0.1") } };
	struct conf a = conf_of(one, 1), none = conf_of(NULL, 0);
	struct pollfd p[4];

	(void)state;
	listen_open(&listening, &a, S);
	reload(&none, S);
	assert_int_equal(listen_watch(&listening, LISTEN_NTP, p, 4), 0);
	assert_false(is_taken("127.0.0.1"));
}

static void
listens_on_all_addresses_of_a_name(void **state)
{
	struct conf_listen line[] = { { .name = (char *)"server.example" } };
	struct conf_listen again[] = { { .address = ip("127.0.0.9") },
	    { .name = (char *)"server.example" } };
	struct conf c = conf_of(line, 1), d = conf_of(again, 2);
	struct address first[] = { ip("127.0.0.4"), ip("127.0.0.5") };
	struct address second[] = { ip("127.0.0.5"), ip("127.0.0.6") };
	struct status_listener status[4];
	int fd;

	(void)state;
	listen_open(&listening, &c, S);
	assert_int_equal(listening.listeners, 0);
	assert_int_equal(listen_status(&listening, LISTEN_NTP, status, 4), 1);
	assert_string_equal(status[0].address, "server.example");
	assert_string_equal(status[0].reason, "not resolved");
	assert_false(status[0].bound);

	resolve(0, first, 2, S);
	assert_true(fd_of("127.0.0.4") >= 0);
	fd = fd_of("127.0.0.5");
	assert_true(fd >= 0);
	assert_int_equal(listen_status(&listening, LISTEN_NTP, status, 4), 2);

	/* a lookup that finds nothing takes nothing away */
	resolve(0, NULL, 0, S);
	assert_int_equal(fd_of("127.0.0.5"), fd);

	resolve(0, second, 2, S);
	assert_int_equal(fd_of("127.0.0.4"), -1);
	assert_int_equal(fd_of("127.0.0.5"), fd);
	assert_true(fd_of("127.0.0.6") >= 0);

	/* after a reload they are those of its new line */
	reload(&d, S);
	assert_int_equal(fd_of("127.0.0.5"), fd);
	assert_true(fd_of("127.0.0.9") >= 0);
	resolve(1, first, 1, S);
	assert_true(fd_of("127.0.0.4") >= 0);
	assert_int_equal(fd_of("127.0.0.6"), -1);
	assert_true(fd_of("127.0.0.9") >= 0);
}

/* The lookup of a name goes on under the line's new number, so that its answer
 * cannot become that of another name; one that nobody wants any more is
 * dropped. */
static void
a_lookup_that_is_under_way_is_no_other_names(void **state)
{
	struct conf_listen two[] = { { .name = (char *)"gone.example" },
	    { .name = (char *)"stays.example" } };
	struct conf_listen one[] = { { .name = (char *)"stays.example" },
	    { .name = (char *)"new.example" } };
	struct conf a = conf_of(two, 2), b = conf_of(one, 2);
	struct address found = ip("127.0.0.4");

	(void)state;
	listen_open(&listening, &a, S);
	listen_turn(&listening, NULL, S);
	assert_string_equal(asked[0], "gone.example");
	reload(&b, S);
	assert_string_equal(asked[0], "stays.example");
	assert_null(asked[1]);
	resolve(0, &found, 1, S);
	assert_true(fd_of("127.0.0.4") >= 0);
	listen_turn(&listening, NULL, S);
	assert_string_equal(asked[1], "new.example");
}

/* What a reload makes of a listener at 127.0.0.4 and another one, which a name
 * has brought or a line has named. */
static void
a_reload_hands_listeners_from_line_to_line(void **state)
{
	struct conf_listen name[] = { { .name = (char *)"server.example" } };
	struct conf_listen both[] = { { .address = ip("127.0.0.4") },
	    { .name = (char *)"server.example" } };
	struct conf_listen any[] = { { .any = true },
	    { .name = (char *)"server.example" } };
	struct conf n = conf_of(name, 1), b = conf_of(both, 2),
		    a = conf_of(any, 2);
	struct address found[] = { ip("127.0.0.4"), ip("127.0.0.5") };
	int fd, other;

	(void)state;
	listen_open(&listening, &n, S);
	resolve(0, found, 2, S);
	fd = fd_of("127.0.0.4");
	other = fd_of("127.0.0.5");
	assert_true(fd >= 0 && other >= 0);
	/* It is written now, and stays when the name loses it. */
	reload(&b, S);
	assert_int_equal(fd_of("127.0.0.4"), fd);
	assert_int_equal(fd_of("127.0.0.5"), other);
	resolve(1, found + 1, 1, S);
	assert_int_equal(fd_of("127.0.0.4"), fd);
	resolve(1, found, 2, S);
	/* It is the name's alone again. */
	reload(&n, S);
	assert_int_equal(fd_of("127.0.0.4"), fd);
	assert_int_equal(fd_of("127.0.0.5"), other);
	/* "*" takes their place. */
	reload(&a, S);
	assert_int_equal(fd_of("127.0.0.4"), -1);
	assert_int_equal(fd_of("127.0.0.5"), -1);
	assert_true(fd_of("0.0.0.0") >= 0);
	assert_null(strstr(logged, "failed"));
	reload(&n, S);
	assert_true(fd_of("127.0.0.4") >= 0);
	assert_int_equal(fd_of("0.0.0.0"), -1);
}

static void
has_a_limit_and_says_so_once(void **state)
{
	static struct conf_listen line[LISTEN_NTP_MOST + 10];
	struct conf c;

	(void)state;
	for (int i = 0; i < LISTEN_NTP_MOST + 10; i++) {
		line[i].address = ip("127.0.1.0");
		line[i].address.bytes[3] = (uint8_t)(i + 1);
	}
	c = conf_of(line, LISTEN_NTP_MOST + 10);
	listen_open(&listening, &c, S);
	assert_int_equal(listening.listeners, LISTEN_NTP_MOST);
	assert_non_null(strstr(logged, "more than 128 addresses"));
	assert_null(strstr(strstr(logged, "more than") + 1, "more than"));
}

/* ----- names */

static void
looks_names_up_and_not_what_is_an_address(void **state)
{
	struct conf_listen ntp[] = { { .address = ip("127.0.0.1") },
	    { .name = (char *)"a.example" }, { .any = true } };
	struct conf_listen metrics[] = { { .name = (char *)"b.example",
	    .port = port } };
	struct address found = ip("127.0.0.8");
	struct conf c = conf_of(ntp, 3);

	(void)state;
	c.metrics = metrics;
	c.metricses = 1;
	listen_open(&listening, &c, S);
	assert_true(listen_due(&listening) <= S);
	listen_turn(&listening, NULL, S);
	assert_string_equal(asked[0], "b.example");
	assert_null(asked[1]);
	assert_string_equal(asked[2], "a.example");
	assert_null(asked[3]);
	/* A name is not looked up twice at the same time. */
	assert_true(listen_due(&listening) == NEVER);
	listen_turn(&listening, NULL, 2 * S);
	/* It is looked up each day, and soon after the network has changed. */
	resolve(0, &found, 1, 3 * S);
	assert_true(listen_due(&listening) == 3 * S + DAY);
	listen_hurry(&listening, 100 * S);
	assert_true(listen_due(&listening) <= 102 * S);
	listen_turn(&listening, NULL, 102 * S);
	assert_string_equal(asked[0], "b.example");
}

/* On a host of containers, links come and go all day. */
static void
changes_of_the_network_are_no_storm_of_lookups(void **state)
{
	struct conf_listen line[] = { { .name = (char *)"a.example" } };
	struct address found = ip("127.0.0.8");
	struct conf c = conf_of(line, 1);
	int n = 0;

	(void)state;
	listen_open(&listening, &c, S);
	for (int64_t t = S; t < DAY; t += 15 * S) {
		listen_hurry(&listening, t);
		listen_turn(&listening, NULL, t + S);
		if (asked[0] != NULL)
			resolve(0, &found, ++n % 2, t + S);
	}
	assert_in_range(n, 1000, 2500);
}

static void
waits_for_a_child_that_can_be_had(void **state)
{
	struct conf_listen line[] = { { .name = (char *)"a.example" } };
	struct conf c = conf_of(line, 1);

	(void)state;
	listen_open(&listening, &c, S);
	refused = EBUSY;
	listen_turn(&listening, NULL, S);
	assert_true(listen_due(&listening) == S + S / 2);
	/* EBUSY was no failure.  ENOMEM is the first one, and waits longer. */
	refused = ENOMEM;
	listen_turn(&listening, NULL, 2 * S);
	assert_true(listen_due(&listening) > 10 * S);
	assert_string_equal(logged, "");
}

static void
says_once_that_a_name_is_not_known(void **state)
{
	struct conf_listen line[] = { { .name = (char *)"a.example" } };
	struct conf c = conf_of(line, 1);
	struct address found = ip("127.0.0.4");

	(void)state;
	listen_open(&listening, &c, S);
	resolve(0, NULL, 0, S);
	resolve(0, NULL, 0, 100 * S);
	assert_string_equal(logged,
	    "could not resolve \"a.example\": no such name\n");
	resolve(0, &found, 1, 200 * S);
	assert_true(fd_of("127.0.0.4") >= 0);
}

/* ----- metrics */

static struct conf
metrics_of(struct conf_listen *line, int n)
{
	struct conf c = { .metrics = line, .metricses = n };

	for (int i = 0; i < n; i++)
		line[i].port = port;
	return c;
}

static void
metrics_take_connections(void **state)
{
	struct conf_listen line[] = { { .address = ip("127.0.0.1") },
	    { .address = ip("127.0.0.1") } };
	struct conf c = metrics_of(line, 2);
	struct status_listener status[4];
	struct pollfd p[4];
	struct sockaddr_storage ss;
	socklen_t size = net_sockaddr(&line[0].address, port, &ss);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char expected[100];

	(void)state;
	listen_open(&listening, &c, S);
	(void)snprintf(expected, sizeof expected,
	    "metrics on 127.0.0.1 port %d\n", port);
	assert_string_equal(logged, expected);
	assert_int_equal(listen_watch(&listening, LISTEN_METRICS, p, 4), 1);
	assert_int_equal(listen_watch(&listening, LISTEN_NTP, p + 1, 3), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, size), 0);
	(void)close(fd);
	assert_int_equal(fcntl(p[0].fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(p[0].fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(
	    listen_status(&listening, LISTEN_METRICS, status, 4), 1);
	assert_string_equal(status[0].service, "metrics");
	assert_true(status[0].bound);
	assert_int_equal(listen_status(&listening, LISTEN_NTP, status, 4), 0);
}

static void
both_services_share_an_address(void **state)
{
	struct conf_listen line[] = { { .any = true } };
	struct conf_listen metrics[] = { { .address = ip("127.0.0.1") } };
	struct conf c = conf_of(line, 1);
	struct pollfd p[4];

	(void)state;
	c.metrics = metrics_of(metrics, 1).metrics;
	c.metricses = 1;
	listen_open(&listening, &c, S);
	assert_true(listen_watch(&listening, LISTEN_NTP, p, 4) >= 1);
	assert_int_equal(listen_watch(&listening, LISTEN_METRICS, p, 4), 1);
	assert_int_equal(listening.count[LISTEN_METRICS], 1);
}

static void
tries_a_taken_port_of_metrics_again(void **state)
{
	struct conf_listen line[] = { { .address = ip("127.0.0.1") } };
	struct conf c = metrics_of(line, 1);
	struct sockaddr_storage ss;
	socklen_t size = net_sockaddr(&line[0].address, port, &ss);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char expected[200];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	listen_open(&listening, &c, 100 * S);
	(void)snprintf(expected, sizeof expected,
	    "metrics on 127.0.0.1 port %d: %s, retrying\n", port,
	    strerror(EADDRINUSE));
	assert_string_equal(logged, expected);
	assert_true(listen_due(&listening) == (100 + METRICS_RETRY) * S);
	listen_turn(&listening, NULL, (100 + METRICS_RETRY) * S);
	assert_string_equal(logged, expected);
	(void)close(fd);
	listen_turn(&listening, NULL, (100 + 2 * METRICS_RETRY) * S);
	assert_true(fd_of("127.0.0.1") >= 0);
	assert_true(listen_due(&listening) == NEVER);
}

/* Nine addresses for eight places; and eight others take the places of eight. */
static void
metrics_have_a_limit_and_names_may_move(void **state)
{
	struct conf_listen line[LISTEN_METRICS_MOST + 1] = { 0 };
	struct conf_listen name[] = { { .name = (char *)"a.example" } };
	struct address one[LISTEN_METRICS_MOST], two[LISTEN_METRICS_MOST];
	struct conf c, d = metrics_of(name, 1);

	(void)state;
	for (int i = 0; i <= LISTEN_METRICS_MOST; i++) {
		line[i].address = ip("127.0.1.1");
		line[i].address.bytes[3] = (uint8_t)(i + 1);
	}
	for (int i = 0; i < LISTEN_METRICS_MOST; i++) {
		one[i] = two[i] = line[i].address;
		two[i].bytes[2] = 2;
	}
	c = metrics_of(line, LISTEN_METRICS_MOST + 1);
	listen_open(&listening, &c, S);
	assert_int_equal(listening.listeners, LISTEN_METRICS_MOST);
	assert_non_null(strstr(logged, "metrics: more than 8 addresses\n"));

	listen_open(&listening, &d, S);
	assert_int_equal(listening.listeners, 0);
	resolve(0, one, LISTEN_METRICS_MOST, S);
	resolve(0, two, LISTEN_METRICS_MOST, S);
	assert_int_equal(fd_of("127.0.1.1"), -1);
	assert_true(fd_of("127.0.2.1") >= 0);
	assert_true(fd_of("127.0.2.8") >= 0);
}

int
main(void)
{
#define SOCKET_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		SOCKET_TEST(binds_what_is_named_and_says_so),
		SOCKET_TEST(any_is_one_socket_for_each_family),
		SOCKET_TEST(any_without_ipv6_lacks_nothing),
		SOCKET_TEST(any_written_out_holds_all_of_its_family),
		SOCKET_TEST(any_holds_the_addresses_of_names),
		SOCKET_TEST(tries_a_taken_port_again_and_names_the_remedy),
		SOCKET_TEST(tries_an_absent_address_again),
		SOCKET_TEST(a_reload_keeps_what_is_still_wanted),
		SOCKET_TEST(a_reload_changes_to_any_and_back),
		SOCKET_TEST(a_reload_without_listen_closes_all),
		SOCKET_TEST(a_lookup_that_is_under_way_is_no_other_names),
		SOCKET_TEST(a_reload_hands_listeners_from_line_to_line),
		SOCKET_TEST(listens_on_all_addresses_of_a_name),
		SOCKET_TEST(has_a_limit_and_says_so_once),
		SOCKET_TEST(looks_names_up_and_not_what_is_an_address),
		SOCKET_TEST(changes_of_the_network_are_no_storm_of_lookups),
		SOCKET_TEST(waits_for_a_child_that_can_be_had),
		SOCKET_TEST(says_once_that_a_name_is_not_known),
		SOCKET_TEST(metrics_take_connections),
		SOCKET_TEST(both_services_share_an_address),
		SOCKET_TEST(tries_a_taken_port_of_metrics_again),
		SOCKET_TEST(metrics_have_a_limit_and_names_may_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
