/*
 * helper.c - what helper.c promises: a child is gone when its answer is in
 * or its time is over, has small limits, and is believed nothing.
 *
 * Each test starts real children; waiting is for conditions, with a limit that
 * only a broken program reaches.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/address.h"
#include "sys/dns.h"
#include "sys/helper.h"
#include "sys/instant.h"
#include "sys/sandbox.h"
#include "tests/test.h"

#define LONG 1000.0 /* s: a job's time that does not end in a test */
#define PATIENCE 60 /* s: of a test, for what takes milliseconds */

static struct helpers helpers;

static pid_t
begin_kind(enum helper_kind kind, void (*work)(const void *, void *),
    double patience, size_t size)
{
	const struct helper_job job = {
		.kind = kind,
		.owner = 7,
		.seconds = patience,
		.work = work,
		.size = size,
	};
	int i;

	memset(&helpers, 0, sizeof helpers);
	assert_int_equal(helper_start(&helpers, &job, clock_read().raw), 0);
	for (i = 0; helpers.slot[i].fd == 0; i++)
		;
	return helpers.slot[i].pid;
}

static pid_t
begin(void (*work)(const void *, void *), double patience, size_t size)
{
	return begin_kind(HELPER_NAME, work, patience, size);
}

static struct helper_result
result(void)
{
	int64_t end = later(clock_read().raw, PATIENCE);
	struct helper_result r = { 0 };
	struct pollfd p;

	while (!helper_next(&helpers, clock_read().raw, &r)) {
		assert_true(clock_read().raw < end);
		assert_int_equal(helper_watch(&helpers, &p, 1), 1);
		(void)poll(&p, 1, 100);
	}
	return r;
}

/* How a child of this test ended. */
static int
fate(pid_t pid)
{
	int64_t end = later(clock_read().raw, PATIENCE);
	int status;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) == 0) {
		assert_true(clock_read().raw < end);
		(void)usleep(1000);
	}
	assert_int_equal(got, pid);
	return status;
}

/* For longer than a test is waited for, but not for ever: should it be left
 * behind by a broken program. */
static void
stay_there(void)
{
	int i;

	for (i = 0; i < 2 * PATIENCE; i++)
		(void)poll(NULL, 0, 1000); /* a child may not call sleep(3) */
}

/* ------------------------------------------------------------ a child's end */

/* What a child would do after somebody else has taken it over. */
static void
answer_and_stay(const void *question, void *answer)
{
	(void)question;
	memset(answer, 'x', 4);
	(void)alarm(0);
	if (write(0, answer, 4) == 4)
		stay_there();
}

static struct conf_server servers[3];
static struct key keys[2];
static struct jar jars[2];
static struct conf conf = { .server = servers, .servers = 3, .key = keys,
	.keys = 2 };

/* How many bytes of their secrets are left? */
static uint32_t
left(void)
{
	uint32_t n = 0;

	for (int s = 0; s < conf.servers; s++)
		for (size_t i = 0; i < sizeof(struct key); i++)
			n += ((uint8_t *)&servers[s].key)[i] != 0;
	for (size_t i = 0; i < sizeof keys; i++)
		n += ((uint8_t *)keys)[i] != 0;
	for (size_t i = 0; i < sizeof jars; i++)
		n += ((uint8_t *)jars)[i] != 0;
	return n;
}

static void
count_secrets(const void *question, void *answer)
{
	uint32_t n = left();

	(void)question;
	memcpy(answer, &n, sizeof n);
}

/* Keys of servers and clients, and cookies. */
static void
a_child_has_no_secrets(void **state)
{
	struct helper_job job = { .seconds = LONG, .work = count_secrets,
		.size = sizeof(uint32_t) };
	struct helper_result r;
	uint32_t n = 1;

	(void)state;
	memset(servers, 1, sizeof servers);
	memset(keys, 1, sizeof keys);
	memset(jars, 1, sizeof jars);
	memset(&helpers, 0, sizeof helpers);
	helpers.conf = &conf;
	helpers.jar = jars;
	helpers.jars = 2;
	assert_int_equal(helper_start(&helpers, &job, clock_read().raw), 0);
	r = result();
	assert_true(r.ok);
	memcpy(&n, r.answer, sizeof n);
	assert_int_equal(n, 0);
	assert_int_equal(left(),
	    3 * sizeof(struct key) + sizeof keys + sizeof jars);
}

static void
stay(const void *question, void *answer)
{
	(void)question;
	(void)answer;
	stay_there();
}

static void
a_child_is_killed_as_soon_as_its_answer_is_in(void **state)
{
	pid_t pid = begin(answer_and_stay, LONG, 4);
	struct helper_result r = result();

	(void)state;
	assert_true(r.ok);
	assert_false(r.late);
	assert_int_equal(r.signal, 0);
	assert_int_equal(r.owner, 7);
	assert_memory_equal(r.answer, "xxxx", 4);
	assert_true(WIFSIGNALED(fate(pid)));
}

static void
a_child_is_killed_when_its_time_is_over(void **state)
{
	pid_t pid = begin(stay, 0.05, 4);
	struct helper_result r = result();

	(void)state;
	assert_false(r.ok);
	assert_true(r.late);
	assert_true(WIFSIGNALED(fate(pid)));
}

static void
close_and_stay(const void *question, void *answer)
{
	(void)question;
	(void)answer;
	(void)alarm(0);
	(void)close(0);
	stay_there();
}

/* What this child says is no answer, and it is killed before its time is over. */
static void
assert_killed(void (*work)(const void *question, void *answer))
{
	pid_t pid = begin(work, LONG, 4);
	struct helper_result r = result();

	assert_false(r.ok);
	assert_false(r.late);
	/* On a busy machine it takes longer to die than we wait for it. */
	assert_int_equal(
	    r.signal != 0 ? r.signal : WTERMSIG(fate(pid)), SIGKILL);
}

static void
a_child_that_closes_its_pipe_is_killed(void **state)
{
	(void)state;
	assert_killed(close_and_stay);
}

static void
write_half_and_stay(const void *question, void *answer)
{
	(void)question;
	(void)alarm(0);
	if (write(0, answer, 2) == 2)
		stay_there();
}

/* Whoever has taken over a child cannot make the daemon wait for the rest. */
static void
half_an_answer_is_none(void **state)
{
	(void)state;
	assert_killed(write_half_and_stay);
}

static void
fill(const void *question, void *answer)
{
	(void)question;
	memset(answer, 'k', HELPER_ANSWER);
}

/* Keys of NTS are in the longest one. */
static void
nothing_of_an_answer_is_left_behind(void **state)
{
	static const char zeros[sizeof(struct helper_result)];
	pid_t pid = begin_kind(HELPER_NTS, fill, LONG, HELPER_ANSWER);
	struct helper_result r = result();

	(void)state;
	assert_true(r.ok);
	assert_int_equal(r.kind, HELPER_NTS);
	for (int i = 0; i < HELPER_ANSWER; i++)
		assert_int_equal(r.answer[i], 'k');
	assert_false(helper_next(&helpers, clock_read().raw, &r));
	assert_memory_equal(&r, zeros, sizeof r);
	/* One such byte may be of a point in time. */
	assert_null(memmem(&helpers, sizeof helpers, "kkkkkkkk", 8));
	helper_reap(&helpers);
	(void)pid;
}

/* A daemon in a process of its own, which leaves its terminal as ntpd.c does and
 * is killed.  Its child becomes ours, as the nearest subreaper's. */
static void
a_child_does_not_outlive_a_killed_daemon(void **state)
{
	int pipes[2], status;
	pid_t daemon, child;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	assert_int_equal(pipe(pipes), 0);
	daemon = fork();
	if (daemon == 0) {
		child = begin(stay, LONG, 4);
		(void)setsid();
		if (write(pipes[1], &child, sizeof child) == sizeof child)
			stay_there();
		_exit(1);
	}
	assert_int_equal(read(pipes[0], &child, sizeof child), sizeof child);
	assert_int_equal(kill(daemon, SIGKILL), 0);
	(void)fate(daemon);
	status = fate(child);
	/* SIGKILL ends it, or it has seen that the daemon is gone. */
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 1);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

/* ------------------------------------------------------------------- limits */

/* Say that all limits are in force, and stay. */
static void
tell_and_stay(const void *question, void *answer)
{
	(void)question;
	(void)answer;
	if (write(0, "x", 1) == 1)
		stay_there();
}

/* Start a child that stays, with its limits in force. */
static pid_t
begin_limited(void)
{
	pid_t pid = begin(tell_and_stay, LONG, 2);
	struct pollfd p;

	assert_int_equal(helper_watch(&helpers, &p, 1), 1);
	assert_int_equal(poll(&p, 1, 1000 * PATIENCE), 1);
	return pid;
}

static struct rlimit
limit(pid_t pid, int which)
{
	struct rlimit r;

	assert_int_equal(prlimit(pid, which, NULL, &r), 0);
	return r;
}

static void
a_child_has_small_limits(void **state)
{
	pid_t pid = begin_limited();

	(void)state;
	if (geteuid() == 0) { /* others may not look at it */
		assert_int_equal(limit(pid, RLIMIT_CPU).rlim_cur, 3);
		assert_true(limit(pid, RLIMIT_CPU).rlim_max <= 4);
		/* a lookup needs 102 */
		assert_true(limit(pid, RLIMIT_NOFILE).rlim_max <= 112);
		assert_int_equal(limit(pid, RLIMIT_FSIZE).rlim_max, 0);
		assert_int_equal(limit(pid, RLIMIT_NPROC).rlim_max, 0);
		assert_int_equal(limit(pid, RLIMIT_CORE).rlim_max, 0);
#ifndef __SANITIZE_ADDRESS__
		assert_true(limit(pid, RLIMIT_AS).rlim_max <= 64 << 20);
#endif
	}
	helper_end(&helpers);
	(void)fate(pid);
}

#ifndef __SANITIZE_ADDRESS__
static void
start_a_process(const void *question, void *answer)
{
	pid_t pid = fork();

	(void)question;
	if (pid == 0)
		_exit(0);
	*(char *)answer = pid > 0 ? 'y' : 'n';
}

/* The kernel does not limit the processes of root, but the filter does. */
static void
a_child_starts_no_process(void **state)
{
	(void)state;
	(void)begin(start_a_process, LONG, 1);
	assert_int_equal(result().answer[0], 'n');
}
#endif

/* The daemon has priority over all others (-20).  Its children must not have
 * it: their work is not urgent, and a hostile server decides how long it
 * takes. */
static void
a_child_has_no_priority(void **state)
{
	int was = getpriority(PRIO_PROCESS, 0);
	pid_t pid;

	(void)state;
	if (setpriority(PRIO_PROCESS, 0, -20) != 0)
		skip();
	sandbox_start();
	pid = begin_limited();
	(void)setpriority(PRIO_PROCESS, 0, was);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), 0);
	helper_end(&helpers);
	(void)fate(pid);
}

/* Nor has it the policy of a daemon that was started by "chrt -f 1". */
static void
a_child_is_not_run_in_real_time(void **state)
{
	const struct sched_param first = { .sched_priority = 1 };
	pid_t pid = fork(), child;
	int policy;

	(void)state;
	if (pid == 0) {
		if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
			_exit(77);
		sandbox_start();
		child = begin_limited();
		policy = sched_getscheduler(child);
		if ((sched_getscheduler(0) & SCHED_FIFO) == 0)
			policy = 78;
		helper_end(&helpers);
		_exit(policy);
	}
	policy = WEXITSTATUS(fate(pid));
	if (policy == 77)
		skip();
	assert_int_equal(policy, SCHED_OTHER);
}

/* An administrator who made the daemon nice made its children nice. */
static void
a_child_stays_nice(void **state)
{
	pid_t pid = fork(), child;
	int nice;

	(void)state;
	if (pid == 0) {
		(void)setpriority(PRIO_PROCESS, 0, 7);
		sandbox_start();
		child = begin_limited();
		nice = getpriority(PRIO_PROCESS, (id_t)child);
		helper_end(&helpers);
		_exit(nice);
	}
	assert_int_equal(fate(pid), 7 << 8);
}

#ifndef __SANITIZE_ADDRESS__
static void
take_memory(const void *question, void *answer)
{
	const size_t much = 100 << 20;

	(void)question;
	*(char *)answer = mmap(NULL, much, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0) == MAP_FAILED ?
	    'n' :
	    'y';
}

static void
a_child_cannot_take_memory(void **state)
{
	(void)state;
	(void)begin(take_memory, LONG, 1);
	assert_int_equal(result().answer[0], 'n');
}
#endif

static void
burn(const void *question, void *answer)
{
	int64_t end = later(clock_read().raw, 2 * PATIENCE);

	(void)question;
	(void)answer;
	while (clock_read().raw < end)
		;
}

static void
a_child_that_computes_for_ever_is_ended(void **state)
{
	struct helper_result r;

	(void)state;
	(void)begin(burn, LONG, 1);
	r = result();
	assert_false(r.ok);
	assert_false(r.late);
	assert_true(r.signal == SIGXCPU || r.signal == SIGKILL);
}

/* ------------------------------------------------------------ what they say */

static const struct dns_answer two = {
	.addresses = 2,
	.address = { { 4, { 192, 0, 2, 1 }, 0 }, { 6, { 0xfe, 0x80 }, 3 } },
};

/* What dns_take makes of it. */
static struct dns_answer
taken(const struct dns_answer *a)
{
	struct helper_result r = { .ok = true };
	struct dns_answer out;

	memcpy(r.answer, a, sizeof *a);
	dns_take(&r, "a.test", true, &out);
	return out;
}

static void
addresses_of_known_families_are_taken(void **state)
{
	struct dns_answer a = two, none = { .reason = "Name does not resolve" };

	(void)state;
	a = taken(&a);
	assert_int_equal(a.addresses, 2);
	assert_memory_equal(a.address, two.address, 2 * sizeof *a.address);
	none = taken(&none);
	assert_int_equal(none.addresses, 0);
	assert_string_equal(none.reason, "Name does not resolve");
}

/* The same server must not have two votes. */
static void
what_the_kernel_ignores_is_cleared(void **state)
{
	struct dns_answer a = { .addresses = 3,
		.address = { { 4, { 192, 0, 2, 1, 7 }, 5 },
		    { 6, { 0x20, 1, 0xd, 0xb8, [15] = 1 }, 5 },
		    { 6, { 0xfe, 0x80, [15] = 1 }, 5 } } };

	(void)state;
	a = taken(&a);
	assert_int_equal(a.addresses, 3);
	assert_int_equal(a.address[0].scope, 0);
	assert_int_equal(a.address[0].bytes[4], 0);
	assert_int_equal(a.address[1].scope, 0);
	assert_int_equal(a.address[2].scope, 5);
}

static void
what_is_no_address_is_left_out(void **state)
{
	static const int counts[] = { -1, INT32_MIN, POOL_MAX + 1, INT32_MAX };
	static const uint8_t families[] = { 0, 1, 2, 5, 10, 255 };
	struct dns_answer a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof counts / sizeof *counts; i++) {
		a = two;
		a.addresses = counts[i];
		a = taken(&a);
		assert_int_equal(a.addresses, counts[i] < 0 ? 0 : 2);
	}
	for (i = 0; i < sizeof families; i++) {
		a = two;
		a.address[1].family = families[i];
		a = taken(&a);
		assert_int_equal(a.addresses, 1);
	}
	a = (struct dns_answer){ .addresses = 0 };
	memset(a.reason, '\x1b', sizeof a.reason); /* words end with NUL */
	a = taken(&a);
	assert_int_equal(strspn(a.reason, "?"), DNS_REASON - 1);
}

static void
sleep_for_ever(const void *question, void *answer)
{
	(void)question;
	(void)answer;
	(void)pause();
}

/* Else the servers of many names could never be found. */
static void
tls_leaves_children_to_name_lookups(void **state)
{
	struct helper_job job = { .seconds = LONG, .work = stay, .size = 1 };
	int n;

	(void)state;
	memset(&helpers, 0, sizeof helpers);
	for (n = 0; n < HELPERS_MAX; n++) {
		assert_int_equal(helper_free(&helpers), n < HELPERS_MAX - 4);
		job.kind = n % 2 == 0 ? HELPER_NTS : HELPER_HTTPS;
		if (helper_start(&helpers, &job, clock_read().raw) != 0)
			break;
	}
	assert_int_equal(n, HELPERS_MAX - 4);
	assert_int_equal(errno, EBUSY);
	for (job.kind = HELPER_NAME; n < HELPERS_MAX; n++)
		assert_int_equal(
		    helper_start(&helpers, &job, clock_read().raw), 0);
	assert_int_equal(helper_start(&helpers, &job, clock_read().raw), -1);
	helper_end(&helpers);
	for (n = 0; n < HELPERS_MAX; n++)
		(void)fate(helpers.slot[n].pid);
}

/* The children of owners that are gone end, and nobody gets their answers; the
 * others' find them under their new numbers. */
static void
children_follow_their_owners_numbers(void **state)
{
	static const int to[] = { -1, -1, 0, 5 };
	struct helper_result r;
	pid_t pid = begin(sleep_for_ever, LONG, 1); /* its owner is 7 */
	int i;

	(void)state;
	for (i = 0; helpers.slot[i].fd == 0; i++)
		;
	helper_renumber(&helpers, HELPER_HTTPS, to, 2); /* this is not its kind */
	assert_int_equal(helpers.slot[i].owner, 7);
	helper_renumber(&helpers, HELPER_NAME, to, 2);
	assert_int_equal(helpers.slot[i].owner, 11);
	helpers.slot[i].owner = 3;
	helper_renumber(&helpers, HELPER_NAME, to, 2);
	assert_int_equal(helpers.slot[i].fd, 0);
	assert_int_equal(WTERMSIG(fate(pid)), SIGKILL);
	assert_false(helper_next(&helpers, clock_read().raw, &r));
	helper_reap(&helpers);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_has_no_secrets),
		cmocka_unit_test(a_child_is_killed_as_soon_as_its_answer_is_in),
		cmocka_unit_test(a_child_is_killed_when_its_time_is_over),
		cmocka_unit_test(a_child_that_closes_its_pipe_is_killed),
		cmocka_unit_test(half_an_answer_is_none),
		cmocka_unit_test(nothing_of_an_answer_is_left_behind),
		cmocka_unit_test(tls_leaves_children_to_name_lookups),
		cmocka_unit_test(a_child_does_not_outlive_a_killed_daemon),
		cmocka_unit_test(children_follow_their_owners_numbers),
		cmocka_unit_test(a_child_has_small_limits),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(a_child_starts_no_process),
#endif
		cmocka_unit_test(a_child_has_no_priority),
		cmocka_unit_test(a_child_is_not_run_in_real_time),
		cmocka_unit_test(a_child_stays_nice),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(a_child_cannot_take_memory),
#endif
		cmocka_unit_test(a_child_that_computes_for_ever_is_ended),
		cmocka_unit_test(addresses_of_known_families_are_taken),
		cmocka_unit_test(what_the_kernel_ignores_is_cleared),
		cmocka_unit_test(what_is_no_address_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
