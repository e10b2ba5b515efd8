/*
 * steer.c - what steer.c promises of the start and of disruptions: when the
 * clock is set, and when it is not.
 *
 * The kernel's clock is the one below, and the servers are sources that are
 * given replies.  Time is a variable.
 */
#include <errno.h>
#include <stdarg.h>

#include "core/build.h"
#include "steer.h"
#include "sys/instant.h"
#include "sys/state.h"
#include "tell.h"
#include "tests/test.h"

enum { SERVERS = 4, LINES = 200 };

#define TRUTH (1900000000LL * S) /* real time at raw 0 */
#define TRIP (20 * S / 1000)	 /* ns: there and back */

static struct conf conf;
static struct clock its_clock;
static struct tell told;
static struct source source[SERVERS], sensor[1];
static int sensors; /* of the next daemon */
static struct steer *st;
static bool once; /* -q */
static bool no_drift; /* there is no drift file */

static struct {
	int64_t raw;
	int64_t error; /* ns: the clock less the true time */
	double slept;
	bool was_set;
	enum rival_news news; /* of who else writes to the kernel */
	struct clock_kernel kernel;
	bool unsynced; /* the last word of the kernel's status */
	int steps;
	int64_t stepped; /* ns: all steps together */
	int64_t slewed;	 /* ns: the largest phase that was ordered */
	char line[LINES][200];
	int lines;
} world;

/* ------------------------------------------------- what stands for other rooms */

void
log_line(enum log_class class, const char *format, ...)
{
	va_list args;

	(void)class;
	va_start(args, format);
	if (world.lines < LINES)
		(void)vsnprintf(world.line[world.lines++],
		    sizeof world.line[0], format, args);
	va_end(args);
}

void
notify_supervisor(const char *state)
{
	(void)state;
}

struct instant
clock_read(void)
{
	return (struct instant){ world.raw, TRUTH + world.raw + world.error };
}

int64_t
clock_now(clockid_t clock)
{
	(void)clock;
	return world.raw;
}

bool
clock_kernel(struct clock_kernel *k)
{
	*k = world.kernel;
	return true;
}

int
clock_obey(struct clock *c, const struct orders *o)
{
	if (c->permission != CLOCK_MAY)
		return 0;
	world.steps += o->step != 0;
	world.stepped += o->step;
	world.error += o->step;
	if (llabs(o->phase) > world.slewed)
		world.slewed = llabs(o->phase);
	world.unsynced = !o->synced;
	c->last = *o;
	c->given = true;
	return 0;
}

void
clock_begin(struct clock *c, double freq)
{
	c->last.freq = freq;
	world.kernel.freq = freq + 0.0015e-6; /* with a mark, see core/rival.h */
}

void
clock_denied(struct clock *c)
{
	c->permission = CLOCK_DENIED;
}

void
clock_unsync(struct clock *c)
{
	(void)c;
	world.unsynced = true;
}

enum rival_news
clock_news(struct clock *c, int64_t raw)
{
	enum rival_news news = world.news;

	(void)raw;
	world.news = RIVAL_QUIET;
	if (news == RIVAL_STEERS)
		c->permission = CLOCK_YIELDED;
	if (news == RIVAL_IS_GONE)
		c->permission = CLOCK_MAY;
	(void)snprintf(c->remedy, sizeof c->remedy, "another program: stop it");
	return news;
}

int64_t
clock_due(const struct clock *c)
{
	(void)c;
	return NEVER;
}

double
clock_slept(struct clock *c)
{
	double slept = world.slept;

	(void)c;
	world.slept = 0;
	return slept;
}

bool
clock_was_set(struct clock *c)
{
	bool was_set = world.was_set;

	(void)c;
	world.was_set = false;
	return was_set;
}

void
clock_end(struct clock *c)
{
	(void)c;
}

const char *
drift_path(const struct conf *c)
{
	(void)c;
	return "";
}

int
drift_read(const char *path, double *freq)
{
	(void)path;
	*freq = 0;
	errno = ENOENT;
	return no_drift ? -1 : 0;
}

int
drift_write(const char *path, double freq)
{
	(void)path;
	(void)freq;
	return 0;
}

/* ------------------------------------------------------------------ the world */

static int
said(const char *words)
{
	int n = 0;

	for (int i = 0; i < world.lines; i++)
		n += strstr(world.line[i], words) != NULL;
	return n;
}

static struct address
address(int i)
{
	return (struct address){
		.family = 4, .bytes = { 192, 0, 2, (uint8_t)(i + 1) }
	};
}

/* One turn of the loop at the present moment.  Samples that are void are
 * forgotten, as peers.c does. */
static void
turn(void)
{
	struct instant now = clock_read();

	steer_notice(st, &now);
	for (int i = 0; i < st->sources && st->wish.forget; i++)
		source_forget(&source[i], now.raw, st->disc.freq,
		    st->disc.freq_sd);
	if (st->wish.forget && st->sensors > 0)
		source_forget(
		    sensor, now.raw, st->disc.freq, st->disc.freq_sd);
	if (st->wish.forget)
		st->told.first_sent = now.raw;
	steer_turn(st, &now);
	for (int i = 0; i < st->stood && st->wish.elected; i++)
		(st->candidate[i].index < st->sources ?
			&source[st->candidate[i].index] :
			sensor)->selected = st->candidate[i].said;
	st->wish = (struct steer_wishes){ 0 };
	tell_log(&told, st, &now);
	steer_save(st, now.raw);
}

static void
wait(double s)
{
	world.raw = later(world.raw, s);
	turn();
}

/* A server answers now; its clock is so far from the true time, in s. */
static void
hear(int i, double offset)
{
	struct judgement j = { .bound = &st->told.bound, .pivot = TRUTH,
		.random = 0.5 };
	struct stamps t = { world.raw, world.raw + TRIP, 0 };
	struct ntp_packet p = {
		.version = 4, .mode = MODE_SERVER, .stratum = 1,
		.precision = -20, .root_delay = 1e-4,
		.root_dispersion = 1e-4, .refid = (uint32_t)i + 1,
		.origin = 1 + (uint64_t)world.raw,
	};
	uint8_t bytes[NTP_SIZE];

	if (st->told.first_sent == 0)
		st->told.first_sent = world.raw;
	source_sent(&source[i], world.raw, p.origin, true);
	p.receive = p.transmit =
	    ntp_from_real(TRUTH + world.raw + TRIP / 2 + ns(offset));
	ntp_format(&p, bytes);
	world.raw += TRIP;
	assert_int_equal(
	    source_reply(&source[i], bytes, sizeof bytes, &t, &j),
	    SAID_ACCEPTED);
	st->told.last_heard = world.raw;
	steer_elect(st);
	turn();
}

/* A sensor is read now. */
static void
sense(double offset)
{
	const struct sample s = { .raw = world.raw,
		.ahead = TRUTH + ns(offset), .delay = 1e-6, .error = 5e-3 };

	source_sensed(sensor, &s, 0.5);
	st->told.last_heard = world.raw;
	steer_elect(st);
	turn();
}

static void
hear_all(double offset)
{
	for (int i = 0; i < st->sources; i++)
		hear(i, offset);
}

/* A daemon with so many servers starts now. */
static void
start(int servers, bool always)
{
	struct instant now = clock_read();

	conf.servers = servers;
	free(st != NULL ? st->candidate : NULL);
	free(st);
	st = calloc(1, sizeof *st);
	assert_non_null(st);
	memset(source, 0, sizeof source);
	memset(&its_clock, 0, sizeof its_clock);
	memset(&told, 0, sizeof told);
	its_clock.permission = CLOCK_MAY;
	its_clock.precision = 1e-7;
	st->conf = &conf;
	st->clock = &its_clock;
	st->source = source;
	st->sources = servers;
	st->always = always;
	st->once = once;
	for (int i = 0; i < servers; i++) {
		struct address a = address(i);

		source[i].weight = 1;
		source_start(&source[i], &a, now.raw, 0, 0, 100e-6);
		source[i].first_sent = now.raw;
	}
	st->sensor = sensor;
	st->sensors = sensors;
	st->told.bound.earliest = EARLIEST;
	world.unsynced = !world.kernel.synced;
	steer_start(st, &now);
}

/* The machine is in some state, and nothing has happened yet.  warm: the
 * kernel's clock was disciplined by somebody. */
static void
machine(bool warm, double error)
{
	static struct conf_server server[SERVERS];

	memset(server, 0, sizeof server);
	conf.server = server;
	memset(&world, 0, sizeof world);
	world.raw = 5000 * S;
	world.error = ns(error);
	world.kernel.synced = warm;
	world.kernel.freq = 1e-6;
}

/* The next daemon finds the kernel as the last one has left it. */
static void
restart(int servers)
{
	world.kernel.synced = !world.unsynced;
	start(servers, true);
}

/* ------------------------------------------------------------------- synced */

/* After the kiss code RATE the configuration's longest poll does not count. */
static void
a_server_that_wants_fewer_requests_keeps_it_synced(void **state)
{
	(void)state;
	machine(false, 0);
	conf.server[0].poll_most = 64;
	start(1, true);
	for (int i = 0; i < 8; i++) {
		hear(0, 0);
		wait(16);
	}
	source[0].slowest = 1030;
	hear(0, 0);
	for (int i = 0; i < 4; i++) {
		wait(1030);
		assert_true(st->synced);
		hear(0, 0);
	}
}

static void
replies_without_a_majority_do_not_keep_it_synced(void **state)
{
	(void)state;
	machine(false, 0);
	start(3, true);
	for (int i = 0; i < 8; i++) {
		hear_all(0);
		wait(16);
	}
	assert_true(st->synced);
	for (int i = 0; i < 100 && st->synced; i++) {
		for (int k = 0; k < 3; k++)
			hear(k, k - 1);
		wait(64);
	}
	assert_true(llabs(world.error) < S / 100);
	assert_false(st->synced);
}

/* Synced for a while, and then silence until it is not.  The first answer after
 * that is 3 s off: the machine was stopped, and nobody has told. */
static void
the_first_answer_after_a_silence_is_understood_before_it_counts(void **state)
{
	(void)state;
	for (int servers = 1; servers <= 3; servers += 2)
		for (int most = 64; most <= 1024; most *= 16) {
			machine(false, 0);
			for (int i = 0; i < servers; i++)
				conf.server[i].poll_most = most;
			start(servers, true);
			for (int i = 0; i < 20; i++) {
				hear_all(0);
				wait(64);
			}
			assert_true(st->synced);
			for (int i = 0; i < 100 && st->synced; i++)
				wait(64);
			assert_false(st->synced);
			for (int i = 0; i < 4; i++) {
				hear(0, 3);
				assert_false(st->synced);
				wait(2);
			}
		}
}

/* ------------------------------------------------------------------ restarts */

static void
a_cold_clock_is_set_by_s_in_either_direction(void **state)
{
	(void)state;
	for (int sign = -1; sign <= 1; sign += 2) {
		machine(false, sign * 5);
		start(3, true);
		hear_all(0);
		assert_int_equal(world.steps, 1);
		assert_true(llabs(world.error) < S / 100);
	}
}

static void
a_warm_clock_is_slewed_where_a_slew_can_mend_it(void **state)
{
	static const double errors[] = { 0.2, -0.2, 5, -5, 599, -599 };

	(void)state;
	for (size_t i = 0; i < LEN(errors); i++) {
		machine(true, errors[i]);
		start(3, true);
		hear_all(0);
		wait(1);
		assert_int_equal(world.steps, 0);
		assert_true(world.slewed > 0);
		assert_int_equal(said("is slewed, since the kernel"), 1);
	}
}

static void
a_warm_clock_beyond_what_a_slew_can_mend_is_set_by_s(void **state)
{
	static const double errors[] = { 601, -601, -86400, 3e7 };

	(void)state;
	for (size_t i = 0; i < LEN(errors); i++) {
		machine(true, errors[i]);
		start(3, true);
		hear_all(0);
		assert_int_equal(world.steps, 1);
		assert_true(llabs(world.error) < S / 100);
	}
}

static void
a_warm_clock_is_set_without_s_only_if_vouched_and_far_behind(void **state)
{
	static const struct {
		double error;
		bool trusted;
		int steps;
	} cases[] = {
		{ -100, true, 0 }, { -601, true, 1 }, { 601, true, 0 },
		{ -601, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		machine(true, cases[i].error);
		start(3, false);
		for (int k = 0; k < 3; k++)
			source[k].trusted = cases[i].trusted;
		hear_all(0);
		wait(20);
		assert_int_equal(world.steps, cases[i].steps);
	}
}

/* A trusted server that says otherwise vouches for nobody. */
static void
who_contradicts_the_majority_does_not_vouch_for_it(void **state)
{
	(void)state;
	machine(false, 0);
	start(3, false);
	source[0].trusted = true;
	hear(0, 0);
	hear(1, 3600);
	hear(2, 3600);
	wait(3);
	hear(1, 3600);
	wait(20);
	assert_int_equal(st->verdict.agree, 2);
	assert_int_equal(world.steps, 0);
}

static void
a_warm_clock_that_is_right_is_synced_with_the_majority(void **state)
{
	(void)state;
	machine(true, 0);
	start(4, true);
	hear(0, 0);
	hear(1, 0);
	assert_false(st->synced);
	hear(2, 0);
	wait(0.1);
	assert_true(st->synced);
	assert_int_equal(world.steps, 0);
}

static void
a_warm_start_with_half_of_its_servers_is_synced_within_ten_seconds(void **state)
{
	int64_t began;

	(void)state;
	machine(true, 0);
	began = world.raw;
	start(4, true);
	hear(0, 0);
	hear(1, 0);
	while (!st->synced && world.raw < later(began, 10)) {
		hear(0, 0);
		hear(1, 0);
		assert_true(steer_due(st) < later(began, 15.1));
		wait(0.5);
	}
	assert_true(st->synced);
}

/* Each of twenty daemons lives for six seconds.  Who answers, and when? */
static void
beside(int servers, const double offset[], const bool silent[], double clock)
{
	machine(true, clock);
	for (int k = 0; k < 20; k++) {
		int64_t began = world.raw;

		restart(servers);
		while (world.raw < later(began, 6)) {
			for (int i = 0; i < servers; i++)
				if (!silent[i])
					hear(i, offset[i]);
			wait(2);
		}
	}
}

static void
twenty_restarts_beside_a_liar_move_nothing(void **state)
{
	static const double lies[] = { 0.3, -5, 500, 3600, -3600, 3e7 };
	static const bool all[4], alone[4] = { false, true, true, true };

	(void)state;
	for (size_t i = 0; i < LEN(lies); i++) {
		const double offset[4] = { lies[i] };

		/* He is one of three, or one of two; or only he answers. */
		beside(3, offset, all, 0);
		assert_int_equal(world.steps, 0);
		assert_true(world.slewed < S / 1000);
		beside(2, offset, all, 0);
		assert_int_equal(world.steps, 0);
		assert_int_equal(world.slewed, 0);
		beside(4, offset, alone, 0);
		assert_int_equal(world.steps, 0);
		assert_int_equal(world.slewed, 0);
	}
}

/* The next start believes the kernel's frequency.  So what half a minute of
 * noisy samples has taught is not left there, but what was known before is, and
 * what many samples have taught. */
static void
a_guess_of_the_frequency_is_not_left_behind(void **state)
{
	(void)state;
	for (int warm = 0; warm < 2; warm++)
		for (int rounds = 8; rounds <= 800; rounds *= 100) {
			struct instant now;

			machine(warm, 0);
			world.kernel.freq = warm * 1e-6;
			no_drift = true;
			start(1, true);
			no_drift = false;
			for (int i = 0; i < rounds; i++) {
				hear(0, 1e-6 * i + i % 2 * 0.002);
				wait(rounds > 8 ? 64 : 4);
			}
			now = clock_read();
			steer_end(st, &now);
			if (rounds > 8 || warm)
				assert_true(fabs(its_clock.last.freq) > 1e-12);
			else {
				assert_true(fabs(its_clock.last.freq) < 1e-12);
				assert_false(world.unsynced);
				no_drift = true;
				restart(1);
				no_drift = false;
				assert_false(st->freq.known);
			}
		}
}

/* Nothing was learnt, so nothing is taken back: what stands in the kernel is
 * another program's. */
static void
a_frequency_of_others_is_left_alone(void **state)
{
	(void)state;
	for (int q = 0; q < 2; q++) {
		struct instant now;

		machine(false, 0);
		world.kernel.freq = 200e-6;
		no_drift = true;
		once = q;
		start(1, true);
		once = no_drift = false;
		wait(20);
		now = clock_read();
		steer_end(st, &now);
		assert_true(fabs(world.kernel.freq - 200e-6) < 0.01e-6);
		assert_int_equal(world.steps, 0);
	}
}

static void
a_cold_clock_is_set_once_in_a_loop_of_restarts(void **state)
{
	(void)state;
	machine(false, -100);
	world.unsynced = true;
	for (int k = 0; k < 20; k++) {
		restart(3);
		hear_all(0);
		hear_all(0.03 * (k % 3));	/* its servers are not exact */
		wait(4);
	}
	assert_int_equal(world.steps, 1);
}

static void
servers_of_which_too_few_answer_set_no_warm_clock_at_once(void **state)
{
	(void)state;
	machine(true, -3600);
	start(3, true);
	hear(0, 0);
	for (int i = 0; i < 6; i++)
		wait(2);
	assert_int_equal(world.steps, 0);
	hear(0, 0);
	wait(4);		/* the start is over: who answers is believed */
	assert_int_equal(world.steps, 1);
}

/* The only server whose name is known is far from its root. */
static void
a_lone_far_server_sets_no_warm_clock_at_once(void **state)
{
	(void)state;
	machine(true, -3600);
	start(3, true);
	source[1].state = source[2].state = SOURCE_UNRESOLVED;
	st->told.first_sent = world.raw;
	for (int i = 0; i < 8; i++) {
		assert_int_equal(world.steps, 0);
		source[0].far = (struct sample){ .raw = world.raw,
			.ahead = TRUTH, .delay = 0.02, .error = 20 };
		steer_elect(st);
		wait(1.8);
	}
	assert_int_equal(world.steps, 0);
	steer_elect(st);
	wait(1);
	assert_int_equal(world.steps, 1);
}

static void
q_sets_a_warm_clock_since_nobody_would_slew_it(void **state)
{
	(void)state;
	machine(true, 5);
	once = true;
	start(3, true);
	once = false;
	hear_all(0);
	assert_int_equal(world.steps, 1);
	assert_int_equal(st->status, 0);
}

/* ----------------------------------------------- another program that steers */

/* The clock is right, and then another program is found to steer it. */
static void
yield(void)
{
	machine(true, 0);
	start(3, true);
	for (int i = 0; i < 5; i++) {
		hear_all(0);
		wait(4);
	}
	assert_true(st->synced);
	world.news = RIVAL_STEERS;
	turn();
	assert_int_equal(said("only measuring: another program: stop it"), 1);
	world.slewed = 0;
	world.lines = 0;
}

static struct status
shown(void)
{
	struct instant now = clock_read();
	struct status s = { 0 };

	conf.ready_within = 1;
	tell_status(&told, st, &now, &s);
	return s;
}

static void
a_write_of_somebody_else_is_answered_by_our_orders(void **state)
{
	(void)state;
	machine(true, 0);
	start(3, true);
	hear_all(0);
	wait(4);
	its_clock.last.freq = 1;
	world.news = RIVAL_WROTE;
	turn();
	assert_true(fabs(its_clock.last.freq) < 1e-3);
}

static void
a_clock_that_is_right_by_another_ones_doing_is_ready(void **state)
{
	struct status s;

	(void)state;
	yield();
	hear_all(0);
	s = shown();
	assert_true(s.synced && s.ready);
	assert_int_equal(s.permission, CLOCK_YIELDED);
	assert_string_equal(s.permission_text, "another program: stop it");
}

static void
a_clock_that_another_one_spoils_is_not_ready_and_left_alone(void **state)
{
	struct status s;

	(void)state;
	yield();
	for (int i = 0; i < 20; i++) {
		world.error += S;	/* it steps, and steps again */
		world.was_set = true;
		turn();
		assert_false(st->wish.again);
		hear_all(0);
		wait(15);
	}
	s = shown();
	assert_false(s.synced || s.ready);
	assert_string_equal(s.not_ready,
	    "only measuring: another program: stop it");
	assert_int_equal(world.steps, 0);
	assert_int_equal(world.slewed, 0);
	assert_int_equal(said("jumped"), 0);
}

/* All servers fall silent, and the honest ones are given up first.  What is left of
 * the liar was known when the others contradicted it. */
static void
a_silent_liar_does_not_move_the_clock(void **state)
{
	(void)state;
	machine(false, 0);
	start(3, true);
	for (int i = 0; i < 10; i++) {
		hear(0, 0);
		hear(1, 0);
		hear(2, 0.32);
		wait(64);
	}
	world.slewed = 0;
	world.steps = 0;
	source[0].reach = source[1].reach = 0;
	for (int i = 0; i < 100; i++) {
		steer_elect(st);
		wait(64);
	}
	assert_int_equal(world.steps, 0);
	assert_true(world.slewed < S / 100);
	assert_int_equal(said("time jumped"), 1);
	/* It speaks again, alone: that is waited out, and then believed. */
	for (int i = 0; i < 10; i++) {
		hear(2, 0.32);
		wait(64);
	}
	assert_true(world.slewed > S / 10);
}

/* The host stopped this machine, and its agent has mended the clock.  A server is
 * believed again at its fourth reply.  Until then it agrees with all between the
 * old time and the new one, and must help no liar there, though that one counts
 * for more. */
static void
a_liar_is_not_joined_by_those_who_do_not_know_yet(void **state)
{
	static const double away = 18000;

	(void)state;
	machine(false, 0);
	start(3, true);
	source[2].weight = 2;
	for (int i = 0; i < 20; i++) {
		hear(0, 0);
		hear(1, 0);
		hear(2, -0.32);
		wait(16);
	}
	world.steps = 0;
	world.error = ns(away);
	world.was_set = true;
	turn();
	assert_int_equal(said("something else set the clock"), 1);
	for (int i = 0; i < 4; i++) {
		hear(0, away);
		hear(2, away - 0.32);
		assert_int_equal(world.steps, 0);
		hear(1, away);
		wait(2);
	}
	assert_int_equal(world.steps, 0);
	assert_true(st->synced);
}

/* Somebody left the clock so far behind, by a step or not, and is gone. */
static void
gone(bool stepped)
{
	yield();
	world.error = -5 * S;
	if (!stepped)
		st->seen.real -= 5 * S;
	hear_all(0);
	for (int i = 0; i < 50; i++)
		wait(15);
	hear_all(0);
	assert_int_equal(world.steps, 0);
	world.news = RIVAL_IS_GONE;
	turn();
	assert_int_equal(said("steering it again"), 1);
	assert_int_equal(shown().permission, CLOCK_MAY);
	wait(2);
	hear_all(0);
	assert_int_equal(said("jumped"), 0);
}

static void
what_another_one_has_slewed_is_slewed_back_when_it_is_gone(void **state)
{
	(void)state;
	gone(false);
	assert_int_equal(world.steps, 0);
	assert_true(world.slewed > 0);
}

static void
what_another_one_has_set_is_set_once_when_it_is_gone(void **state)
{
	(void)state;
	gone(true);
	assert_int_equal(world.steps, 1);
	assert_true(llabs(world.error) < S / 100);
}

/* While the other one steered, the machine was restored from a snapshot, and
 * nobody has set the clock. */
static void
a_restore_that_another_one_left_is_answered_when_it_is_gone(void **state)
{
	(void)state;
	yield();
	world.error = -3600 * S;
	st->told.machine = MACHINE_RESTORED;
	turn();
	hear_all(0);
	for (int i = 0; i < 50; i++)
		wait(15);
	hear_all(0);
	assert_int_equal(world.steps, 0);
	world.news = RIVAL_IS_GONE;
	turn();
	wait(2);
	hear_all(0);
	assert_int_equal(world.steps, 1);
	assert_true(llabs(world.error) < S / 100);
}

/* The constraints have contradicted the clock, and it is set before a server has
 * answered: by a rival, or by somebody else. */
static void
what_is_set_while_constraints_contradict_the_clock_is_set_back(void **state)
{
	(void)state;
	for (int rival = 0; rival < 2; rival++) {
		yield();
		st->always = false;
		if (!rival)
			its_clock.permission = CLOCK_MAY;
		st->told.bound = (struct bound){ .earliest = EARLIEST,
			.wanted = true, .votes = 1, .ahead = TRUTH,
			.error = 120 };
		world.error = -700 * S;
		st->seen = clock_read(); /* nobody has seen how */
		for (int i = 0; i < 3; i++)
			source[i].reach = 0; /* and they are silent */
		steer_elect(st);
		st->told.anew_at = world.raw;
		st->told.bound.made = world.raw + 1;
		wait(1);
		assert_int_equal(said("by the constraints"), 1);
		world.error += 9000 * S;
		world.was_set = true;
		wait(1);
		if (rival)
			world.news = RIVAL_IS_GONE;
		turn();
		wait(2);
		hear_all(0);
		assert_int_equal(world.steps, 1);
		assert_true(llabs(world.error) < S / 100);
	}
}

/* ------------------------------------------------- kept by constraints */

enum { KEEPERS = 3 };

/* Three lines with "timekeeping", and servers that are silent. */
static void
block(bool always, double error)
{
	static struct conf_constraint constraint[KEEPERS];

	machine(false, error);
	for (int i = 0; i < KEEPERS; i++)
		constraint[i].timekeeping = true;
	conf.constraint = constraint;
	conf.constraints = KEEPERS;
	start(3, always);
	conf.constraints = 0;
	st->told.first_sent = world.raw;
	st->told.bound.wanted = true;
	st->told.bound.votes = KEEPERS;
	st->told.bound.raw = world.raw;
	st->told.bound.ahead = TRUTH;
	st->told.bound.error = 120;
	wait(16);
}

/* So many of them agree now that the time is this far from the true one. */
static void
date(int agree, double offset, double distance)
{
	static struct verdict v;

	v = (struct verdict){ .raw = world.raw, .ahead = TRUTH + ns(offset),
		.heard = world.raw, .sd = distance / 4, .distance = distance,
		.path = distance, .freq_sd = 1e-6, .agree = agree,
		.of = KEEPERS, .samples = 1000, .stratum = 15 };
	st->told.kept = &v;
	turn();
}

static void
constraints_keep_the_time_after_a_minute_without_servers(void **state)
{
	struct instant now;
	struct serving serving;

	(void)state;
	block(false, 0.2);
	date(3, 0.01, 0.05);
	assert_false(st->keeping);
	assert_false(shown().synced);
	assert_true(steer_due(st) <= world.raw + 44 * S);
	wait(45);
	assert_true(st->keeping);
	assert_int_equal(said("constraints keep it, 3 of 3 agree"), 1);
	assert_true(world.slewed > 0 && world.steps == 0);
	world.error = 0; /* somebody has set it right */
	wait(0.1);
	assert_false(shown().synced);
	date(3, 0.01, 0.05);
	assert_int_equal(said("clock is now synced by constraints"), 1);
	assert_true(shown().by_https && shown().stratum == 15);
	assert_true(shown().bound >= 0.05 && shown().bound < 0.1);
	now = clock_read();
	tell_clients(st, &now, &serving);
	assert_int_equal(serving.leap, LEAP_ALARM);
}

/* The three cells of the table, by the words and by how wrong the clock is. */
static void
constraints_set_the_clock_at_the_start_only(void **state)
{
	static const struct {
		bool always;
		int agree;
		double error;
		int steps;
	} cell[] = {
		{ true, 3, -5000, 1 }, { true, 2, 5000, 1 },
		{ true, 1, -5000, 0 }, { true, 3, -599, 0 },
		{ false, 3, -5000, 0 }, { false, 3, 5000, 0 },
		{ false, 3, -599, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cell); i++) {
		block(cell[i].always, cell[i].error);
		wait(45);
		date(cell[i].agree, 0, 0.05);
		assert_int_equal(world.steps, cell[i].steps);
		/* What is too far is said, what is not is slewed. */
		assert_int_equal(said("too far to slew"),
		    !cell[i].steps && fabs(cell[i].error) > 600);
		world.error = ns(cell[i].error);
		world.was_set = true;
		/* Constraints that were asked anew contradict the clock, which
		 * lets servers set it as at the start, but not dates alone. */
		st->told.anew_at = st->told.bound.made = world.raw + S;
		wait(200);
		date(3, 0, 0.05);
		assert_int_equal(world.steps, cell[i].steps);
	}
}

/* What constraints may not set is set by servers that answer later, as if these
 * had answered at first. */
static void
servers_set_what_constraints_have_contradicted_for_long(void **state)
{
	(void)state;
	block(false, -5000);
	wait(45);
	date(3, 0, 0.05);
	for (int i = 0; i < 20; i++) {
		st->told.anew_at = world.raw;
		st->told.bound.made = world.raw + 1;
		wait(100);
		date(3, 0, 0.05);
	}
	assert_int_equal(world.steps, 0);
	for (int i = 0; i < 3; i++) {
		st->told.anew_at = world.raw;
		st->told.bound.made = world.raw + 1;
		hear_all(0);
		wait(16);
	}
	assert_int_equal(world.steps, 1);
	assert_true(llabs(world.error) < S / 100);
}

/* The constraints' own bound holds for those that keep the time, too. */
static void
what_breaks_the_bound_keeps_nothing(void **state)
{
	(void)state;
	block(true, 0);
	wait(45);
	date(3, 5000, 0.05);
	assert_int_equal(world.steps + world.slewed, 0);
	assert_int_equal(st->kept, 0);
	st->told.bound.votes = 0;
	date(3, 0, 0.05);
	assert_int_equal(st->kept, 0);
}

static void
servers_take_over_at_their_first_replies(void **state)
{
	(void)state;
	block(true, 0);
	wait(45);
	date(3, 0.1, 0.15);
	assert_true(shown().by_https);
	wait(100);
	/* 100 ms are no jump, since nobody knew better. */
	hear_all(0);
	wait(3);
	assert_int_equal(said("servers keep the time again"), 1);
	assert_false(shown().by_https);
	assert_true(fabs(seconds(st->disc.ahead - TRUTH)) < 0.02);
	/* A date that comes late does not change that. */
	date(3, 0.1, 0.15);
	assert_int_equal(st->kept, 0);
}

/* They have told the time for long: what they left behind is surer than a
 * date, but the clock is not called unsynced while dates confirm it. */
static void
dates_confirm_what_silent_servers_left(void **state)
{
	(void)state;
	block(true, 0);
	for (int i = 0; i < 20; i++) {
		hear_all(0);
		wait(60);
	}
	assert_true(shown().synced && shown().stratum == 2);
	for (int i = 0; i < 60; i++) {
		wait(100);
		date(3, 0.04, 0.06);
	}
	assert_true(shown().synced && shown().by_https);
	assert_true(fabs(seconds(st->disc.ahead - TRUTH)) < 0.01);
	/* Without dates it would be. */
	st->told.kept = NULL;
	for (int i = 0; i < 40; i++)
		wait(100);
	assert_false(shown().synced);
}

/* Dates are too coarse to better what the servers have left, but the clock that
 * somebody has set follows that again. */
static void
what_a_stranger_sets_while_dates_confirm_the_servers_is_slewed(void **state)
{
	(void)state;
	block(true, 0);
	for (int i = 0; i < 20; i++) {
		hear_all(0);
		wait(60);
	}
	for (int i = 0; i < 40; i++) {
		wait(100);
		date(3, 0.04, 0.06);
	}
	assert_true(shown().synced && !st->kept_learnt);
	world.slewed = 0;
	world.error += 5 * S;
	world.was_set = true;
	wait(1);
	assert_false(shown().synced);
	wait(100);
	date(3, 0.04, 0.06);
	assert_true(world.slewed > S / 10);
	assert_int_equal(world.steps, 0);
	world.error = 0; /* it is slewed now */
	st->seen = clock_read();
	wait(100);
	date(3, 0.04, 0.06);
	assert_true(shown().synced);
}

/* Neither do constraints have to wait as servers that jump do, nor do servers
 * that come back after them. */
static void
no_jump_is_seen_where_another_keeps_the_time(void **state)
{
	(void)state;
	block(true, 0);
	for (int i = 0; i < 20; i++) {
		hear_all(0);
		wait(60);
	}
	for (int i = 0; i < 20; i++)
		wait(100);
	world.slewed = world.lines = 0;
	date(3, 0.9, 0.1);
	assert_true(world.slewed > 0);
	/* The same old replies are no news. */
	steer_elect(st);
	wait(1);
	assert_true(st->stood == 3 && st->kept != 0);
	world.error = ns(0.9); /* it is slewed now */
	for (int i = 0; i < 10; i++) {
		wait(100);
		date(3, 0.9, 0.1);
	}
	world.slewed = 0;
	hear_all(0);
	wait(3);
	assert_true(world.slewed > 0);
	assert_int_equal(said("time jumped"), 0);
}

/* Servers that are asked often are missed soon; dates come every few minutes. */
static void
dates_are_not_missed_between_two_of_them(void **state)
{
	(void)state;
	block(true, 0);
	for (int i = 0; i < 3; i++)
		conf.server[i].poll_most = 4;
	start(3, true);
	st->keepers = KEEPERS;
	wait(61);
	date(3, 0, 0.05);
	assert_true(shown().synced);
	wait(300);
	assert_true(shown().synced);
	for (int i = 0; i < 3; i++)
		conf.server[i].poll_most = 0;
}

static void
without_the_word_nothing_is_kept(void **state)
{
	(void)state;
	block(true, 0);
	st->keepers = 0;
	wait(45);
	date(3, 0, 0.05);
	assert_false(st->keeping || shown().synced);
}

static void
a_firewall_is_named_by_evidence(void **state)
{
	(void)state;
	block(true, 0);
	/* A link has just changed, as it does all day on a host of containers. */
	for (int i = 0; i < 3; i++)
		source[i].lost = 5;
	wait(60); /* nothing else works either */
	assert_int_equal(said("UDP 123 may be filtered"), 0);
	st->told.online = world.raw;
	wait(1);
	assert_int_equal(said("UDP 123 may be filtered"), 1);
	assert_non_null(strstr(shown().not_ready, "UDP 123 may be filtered"));
	wait(600);
	assert_int_equal(said("UDP 123 may be filtered"), 1);
	assert_true(shown().filtered);
	/* One reply is enough to take it back. */
	hear(0, 0);
	assert_false(shown().filtered);
}

/* ---------------------------------------------------------------- disruptions */

/* A daemon that has been in step with three servers for some minutes. */
static void
running(void)
{
	machine(false, 0);
	start(3, true);
	for (int i = 0; i < 5; i++) {
		hear_all(0);
		wait(64);
	}
	assert_true(st->synced);
	assert_false(world.unsynced);
	world.steps = 0;
}

/* Nobody is told that the clock is right. */
static void
unsynced(void)
{
	struct instant now = clock_read();
	struct serving s;

	assert_false(st->synced);
	assert_true(world.unsynced);
	tell_clients(st, &now, &s);
	assert_int_equal(s.leap, LEAP_ALARM);
}

/* What can have happened to the machine while the clock came to be wrong by
 * that; the next turn notices it. */
enum event { SLEPT, SET, MOVED, RESTORED };

static void
happens(enum event e, double error)
{
	world.error += ns(error);
	world.slept = e == SLEPT ? fabs(error) : 0;
	st->told.machine = e == MOVED ? MACHINE_MOVED :
	    e == RESTORED	      ? MACHINE_RESTORED :
					MACHINE_SAME;
}

static void
each_disruption_is_answered_by_one_step_and_until_then_unsynced(void **state)
{
	static const double error[] = { -3600, 3600, -7 * 3600, -7 * 3600 };

	(void)state;
	for (int e = SLEPT; e <= RESTORED; e++) {
		running();
		happens((enum event)e, error[e]);
		wait(0.1);
		unsynced();
		hear(0, 0);
		unsynced();
		assert_int_equal(world.steps, 0);
		hear(1, 0);
		hear(2, 0);
		hear_all(0);
		wait(1);
		assert_int_equal(world.steps, 1);
		assert_true(llabs(world.error) < S / 100);
		assert_true(st->synced);
		assert_false(world.unsynced);
		assert_int_equal(st->disruptions[e], 1);
		assert_int_equal(said("asking all peers again") +
			said("something else set the clock"),
		    1);
		assert_int_equal(said("set local clock"), 1);
	}
}

static void
a_small_foreign_set_is_unsynced_too(void **state)
{
	(void)state;
	running();
	happens(SET, 0.12);
	wait(0.1);
	unsynced();
	hear_all(0);
	wait(1);
	assert_true(st->synced);
	assert_int_equal(world.steps, 1);
}

static void
a_clock_that_a_stranger_set_right_is_not_believed_before_the_servers(void **state)
{
	(void)state;
	machine(true, 0.2);
	start(3, true);
	hear_all(0);
	wait(64);
	assert_false(st->synced); /* it is being slewed */
	happens(SET, -0.2);
	wait(0.1);
	unsynced();
	hear_all(0);
	wait(0.1);
	assert_true(st->synced);
	assert_int_equal(world.steps, 0);
}

/* The machine was stopped, and its hypervisor's agent has set the clock by as
 * much.  The samples of before tell the time without that stop, so they would
 * set it back. */
static void
a_machine_that_was_stopped_and_set_by_its_agent_is_not_set_back(void **state)
{
	static const double stopped[] = { 0.5, 3, 500, 10000 };

	(void)state;
	for (size_t i = 0; i < LEN(stopped); i++)
		for (int wrong = 0; wrong < 2; wrong++) {
			running();
			happens(SET, stopped[i] + wrong);
			wait(0.1);
			unsynced();
			for (int k = 0; k < 8; k++) {
				hear_all(stopped[i]);
				assert_in_range(world.steps, 0, wrong);
				wait(2);
			}
			assert_int_equal(world.steps, wrong);
			assert_true(st->synced);
			assert_true(llabs(world.error - ns(stopped[i])) <
			    S / 100);
		}
}

/* How much each event explains: the table of ntpd(8). */
static void
no_event_explains_more_than_it_can_have_caused(void **state)
{
	static const struct {
		enum event event;
		double error; /* of the clock, s */
		int steps;
	} cases[] = {
		{ RESTORED, -30 * 86400.0, 1 }, { MOVED, -3600, 1 },
		{ RESTORED, 590, 1 }, { RESTORED, 700, 0 }, { MOVED, 700, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		running();
		happens(cases[i].event, cases[i].error);
		hear_all(0);
		hear_all(0);
		wait(20);
		assert_int_equal(world.steps, cases[i].steps);
	}
	/* Beside a sleep of ten seconds an hour is not explained. */
	running();
	happens(SLEPT, -10);
	hear_all(3600);
	hear_all(3600);
	assert_int_equal(world.steps, 0);
}

static void
one_event_is_no_leave_for_two_steps(void **state)
{
	(void)state;
	running();
	happens(RESTORED, -3600);
	hear_all(0);
	assert_int_equal(world.steps, 1);
	hear_all(0);
	wait(10);
	hear_all(7200);
	wait(70);
	hear_all(7200);
	assert_int_equal(world.steps, 1);
}

static void
a_lone_answer_after_a_restore_moves_nothing_for_fifteen_seconds(void **state)
{
	(void)state;
	running();
	happens(RESTORED, -3600);
	for (int i = 0; i < 7; i++) {
		hear(0, 1e6);
		wait(1.9);
	}
	assert_int_equal(world.steps, 0);
	unsynced();
	hear(1, 0);
	hear(2, 0);
	assert_int_equal(world.steps, 1);
	assert_true(llabs(world.error) < S / 100);
}

/* The clock was set again before it might be set back, and then the machine
 * slept: from then on nobody is known to be right. */
static void
a_lone_answer_after_a_sleep_moves_nothing_after_a_fight_either(void **state)
{
	(void)state;
	running();
	for (int i = 0; i < 2; i++) {
		happens(SET, -5);
		wait(0.1);
		hear_all(0);
	}
	assert_int_equal(world.steps, 1);
	assert_int_equal(said("is another program setting it"), 1);
	wait(70);
	world.slewed = 0;
	happens(SLEPT, -3600);
	wait(0.1);
	hear(0, 600);
	assert_int_equal(world.steps, 1);
	assert_int_equal(world.slewed, 0);
	hear(1, 0);
	hear(2, 0);
	assert_int_equal(world.steps, 2);
	assert_true(llabs(world.error) < S / 100);
}

static void
a_snapshot_taken_just_after_a_step_is_answered_at_once(void **state)
{
	(void)state;
	machine(false, -100);
	start(3, true);
	hear_all(0);
	hear_all(0);
	assert_int_equal(world.steps, 1);
	happens(RESTORED, -86400);
	hear_all(0);
	assert_int_equal(world.steps, 2);
	assert_int_equal(said("is another program setting it"), 0);
}

static void
another_host_may_have_another_counter(void **state)
{
	struct instant now;

	(void)state;
	running();
	now = clock_read();
	assert_true(discipline_growth(&st->disc) < 100e-6);
	happens(MOVED, 0);
	hear_all(0);
	now = clock_read();
	assert_true(discipline_growth(&st->disc) >= 100e-6);
	assert_true(discipline_bound(&st->disc, &now) < 0.15);
	assert_false(st->freq.known);
}

static void
a_hypervisor_that_tells_of_moves_all_the_time_makes_no_storm(void **state)
{
	int asked = 0;

	(void)state;
	running();
	for (int i = 0; i < 3600; i++) {
		struct instant now;

		happens(MOVED, 0);
		world.raw += S;
		now = clock_read();
		steer_notice(st, &now);
		asked += st->wish.forget;
		st->wish = (struct steer_wishes){ 0 };
	}
	assert_in_range(asked, 8, 17);
	assert_int_equal(st->disruptions[DISRUPTION_MOVED], 3600);
}

static void
a_disruption_asks_the_constraints_anew(void **state)
{
	struct instant now;

	(void)state;
	for (int e = SLEPT; e <= RESTORED; e++) {
		running();
		happens((enum event)e, -200);
		world.raw += S;
		now = clock_read();
		steer_notice(st, &now);
		assert_true(e == SET ?
			st->wish.constraints == CONSTRAINTS_AGAIN &&
			    st->wish.again :
			st->wish.forget);
	}
}

/* The constraints place a clock that somebody has set outside of their bound.
 * That is answered by the majority, not by the rules of the start. */
static void
constraints_do_not_answer_a_disruption_in_place_of_the_servers(void **state)
{
	(void)state;
	running();
	st->always = false;
	st->told.bound = (struct bound){ .earliest = EARLIEST, .wanted = true,
		.votes = 1, .ahead = TRUTH, .made = world.raw, .width = 60 };
	happens(SET, 3600);
	wait(0.1);
	st->told.anew_at = world.raw;
	st->told.bound.made = world.raw + 1;
	wait(0.1);
	unsynced();
	hear_all(0);
	assert_int_equal(world.steps, 1);
	assert_true(llabs(world.error) < S / 100);
	assert_int_equal(said("by the constraints"), 0);
}

static void
with_x_a_restored_machine_is_only_measured(void **state)
{
	(void)state;
	running();
	its_clock.permission = CLOCK_MEASURE;
	happens(RESTORED, -3600);
	hear_all(0);
	hear_all(0);
	wait(20);
	assert_int_equal(world.steps, 0);
	assert_int_equal(said("time jumped"), 0);
	assert_false(st->synced);
}

/* UDP 123 is blocked, and constraints keep the time: they only slew. */
static void
constraints_that_keep_the_time_end_a_disruption_without_a_step(void **state)
{
	static const double error[] = { -30, -3600 };

	(void)state;
	for (size_t i = 0; i < LEN(error); i++) {
		running();
		st->keepers = KEEPERS;
		world.raw = later(world.raw, 2000);
		happens(RESTORED, error[i]);
		wait(0.1);
		unsynced();
		date(3, 0, 0.05);
		assert_int_equal(world.steps, 0);
		assert_int_equal(said("too far to slew"), i);
		assert_int_equal(world.slewed > S / 10, !i);
		world.error = 0;
		world.slept = 0;
		wait(0.1);
		date(3, 0, 0.05);
		assert_true(st->synced);
	}
}

/* What dates cannot mend is answered when servers answer again. */
static void
a_disruption_that_constraints_cannot_mend_is_answered_by_servers(void **state)
{
	(void)state;
	running();
	st->always = false;
	st->keepers = KEEPERS;
	world.raw = later(world.raw, 2000);
	happens(SET, 3600);
	world.was_set = true;
	wait(0.1);
	date(3, 0, 0.05);
	wait(100);
	date(3, 0, 0.05);
	assert_int_equal(world.steps, 0);
	unsynced();
	hear_all(0);
	hear_all(0);
	assert_int_equal(world.steps, 1);
	assert_true(llabs(world.error) < S / 100);
}

/* The turn in which the start is over may be that in which the clock is set. */
static void
a_clock_that_is_set_in_the_last_moment_was_set(void **state)
{
	(void)state;
	machine(false, 100);
	start(3, true);
	hear(0, 0);
	assert_int_equal(world.steps, 0);
	world.raw = later(world.raw, 20);
	hear(1, 0);
	assert_int_equal(world.steps, 1);
	assert_int_equal(said("not set"), 0);
}

/* -------------------------------------------------- what programs are promised */

static struct clockbound_promise
promised(void)
{
	struct instant now = clock_read();
	struct clockbound_promise p = { 0 };

	tell_programs(st, &now, &p);
	return p;
}

/* At a cold start nobody knows the time; at a warm one, what is promised from
 * before it stands until more is known. */
static void
applications_are_promised_what_is_known_from_the_start_on(void **state)
{
	(void)state;
	for (int warm = 0; warm <= 1; warm++) {
		machine(warm, 0);
		start(3, true);
		turn();
		assert_int_equal(promised().status,
		    warm ? CLOCKBOUND_KEPT : CLOCKBOUND_UNKNOWN);
		hear_all(0);
		wait(0.1);
		assert_true(st->synced);
		assert_int_equal(promised().status, CLOCKBOUND_SYNCHRONIZED);
		assert_true(promised().bound < 1);
	}
	/* One that is no longer right before more is known. */
	machine(true, 0);
	start(3, true);
	st->told.machine = MACHINE_RESTORED;
	wait(1);
	assert_int_equal(promised().status, CLOCKBOUND_DISRUPTED);
	assert_int_equal(promised().marker, 1);
}

/* Without a reply, in the first minutes and after hours, the bound is never wider
 * than what was promised from any moment on, until that promise is void. */
static void
a_promise_holds_until_it_is_void(void **state)
{
	struct clockbound_promise p[32]; /* less than HOLD_AFTER */

	(void)state;
	running();
	for (int hours = 0; hours < 8; hours += 7) {
		wait(3600 * hours);
		for (size_t i = 0; i < LEN(p); i++) {
			struct instant now = clock_read();

			/* The kernel does what it was ordered to. */
			world.error += discipline_offset(&st->disc, &now);
			p[i] = promised();
			for (size_t k = i > 3 ? i - 3 : 0; k < i; k++)
				assert_true(p[i].bound <= p[k].bound +
					p[k].growth * 15 * (double)(i - k));
			wait(15);
		}
	}
	assert_false(st->synced);
	assert_int_equal(promised().status, CLOCKBOUND_FREE_RUNNING);
	st->outside = world.raw; /* constraints say that the clock is wrong */
	assert_int_equal(promised().status, CLOCKBOUND_UNKNOWN);
}

static void
a_disruption_is_told_to_applications_and_counted(void **state)
{
	(void)state;
	for (int e = SLEPT; e <= RESTORED; e++) {
		running();
		assert_int_equal(promised().marker, 0);
		happens((enum event)e, -3600);
		wait(0.1);
		assert_int_equal(promised().status, CLOCKBOUND_DISRUPTED);
		assert_int_equal(promised().marker, 1);
		hear_all(0);
		hear_all(0);
		wait(1);
		assert_int_equal(promised().status, CLOCKBOUND_SYNCHRONIZED);
	}
}

/* Another program, or nobody, can move the clock as it likes until the next
 * promise. */
static void
nothing_is_promised_of_a_clock_that_we_do_not_steer(void **state)
{
	static const enum clock_permission without[] = { CLOCK_MEASURE,
		CLOCK_DENIED, CLOCK_YIELDED };

	(void)state;
	running();
	for (size_t i = 0; i < LEN(without); i++) {
		its_clock.permission = without[i];
		assert_int_equal(promised().status, CLOCKBOUND_UNKNOWN);
	}
}

/* --------------------------------------------------- the configuration changes */

/* The sources change places as to[] says; those that are new are silent yet. */
static void
reload(const int to[], int servers)
{
	static struct source was[SERVERS];
	static struct conf other;
	int before = st->sources;

	memcpy(was, source, sizeof was);
	memset(source, 0, sizeof source);
	for (int i = 0; i < before; i++)
		if (to[i] >= 0)
			source[to[i]] = was[i];
	other = conf;
	other.servers = servers;
	steer_reload(st, &other, source, servers,
	    calloc((size_t)servers + st->sensors + 1, sizeof *st->candidate),
	    to);
}

static void
the_clock_does_not_notice_a_reload(void **state)
{
	struct discipline disc;
	int slewed;

	(void)state;
	machine(false, 0);
	start(4, true);
	for (int i = 0; i < 5; i++) {
		hear_all(1e-4 * i);
		wait(2);
	}
	assert_true(st->synced && st->elected);
	disc = st->disc;
	slewed = (int)world.slewed;
	reload((const int[]){ 2, -1, 0, 1 }, 3);
	assert_memory_equal(&st->disc, &disc, sizeof disc);
	assert_true(shown().synced);
	turn();
	assert_true(st->synced && st->elected);
	assert_int_equal(st->verdict.of, 3);
	assert_int_equal(st->stood, 3);
	assert_int_equal(world.slewed, slewed);
	assert_int_equal(world.steps, 0);
	assert_int_equal(world.unsynced, 0);
	assert_int_equal(said("jump") + said("unsynced"), 0);
}

/* The status names no server by a number that is another one's now. */
static void
the_system_source_is_found_under_its_new_number(void **state)
{
	char before[ADDRESS_TEXT];
	int to[] = { 3, 2, 1, 0 };

	(void)state;
	machine(false, 0);
	start(4, true);
	hear_all(0);
	hear_all(0);
	strcpy(before, shown().refid);
	assert_true(before[0] != '\0');
	reload(to, 4);
	assert_string_equal(shown().refid, before);
	/* It is gone: nobody is followed until there is an election. */
	for (int i = 0; i < 4; i++)
		to[i] = i == st->verdict.system ? -1 : i;
	reload(to, 4);
	assert_string_equal(shown().refid, "");
	assert_true(shown().synced);
	turn();
	assert_true(shown().refid[0] != '\0');
	assert_string_not_equal(shown().refid, before);
}

static void
without_any_of_its_servers_the_clock_stays_synced_for_a_while(void **state)
{
	(void)state;
	machine(false, 0);
	start(2, true);
	hear_all(0);
	hear_all(0);
	assert_true(st->synced);
	reload((const int[]){ -1, -1 }, 0);
	turn();
	assert_true(shown().synced);
	assert_string_equal(shown().refid, "");
	for (int i = 0; i < 60; i++)
		wait(60);
	assert_false(shown().synced);
	assert_int_equal(world.steps, 0);
}

/* ------------------------------------------------------------------- sensors */

/* A daemon with so many servers, which are silent, and a sensor. */
static void
start_sensing(int servers, bool always, bool trusted)
{
	static const struct address none;

	memset(sensor, 0, sizeof sensor);
	sensor[0] = (struct source){ .device = "ptp0", .weight = 1,
		.trusted = trusted, .follows = !trusted && servers > 0,
		.poll_least = 4, .poll_most = 16 };
	source_start(sensor, &none, world.raw, 0, 0, 100e-6);
	sensors = 1;
	start(servers, always);
	sensors = 0;
}

static void
a_trusted_sensor_sets_the_clock_at_the_start_without_servers(void **state)
{
	static const struct {
		double error;
		bool warm, always, stepped;
	} cases[] = {
		{ -7200, false, true, true }, { 7200, false, true, true },
		{ -7200, false, false, true }, { 7200, false, false, false },
		{ -59, false, false, false }, { -59, false, true, true },
		/* What the kernel calls its clock makes no difference. */
		{ -300, true, true, true }, { 300, true, true, true },
		{ -0.004, false, true, false }, /* its own error */
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		machine(cases[i].warm, cases[i].error);
		start_sensing(3, cases[i].always, true);
		sense(0);
		assert_int_equal(world.steps, cases[i].stepped);
		assert_int_equal(st->setting, SETTING_DONE);
		if (cases[i].stepped) {
			wait(0.1);
			assert_true(st->synced);
			assert_true(llabs(world.error) < S / 100);
		}
	}
}

static void
a_sensor_without_trust_sets_nothing(void **state)
{
	(void)state;
	for (int servers = 0; servers <= 3; servers += 3) {
		machine(false, -300);
		start_sensing(servers, true, false);
		for (int i = 0; i < 20; i++) {
			sense(0);
			wait(4);
		}
		assert_int_equal(world.steps, 0);
		/* Where there are servers it waits for them. */
		assert_int_equal(world.slewed > 0, servers == 0);
		assert_int_equal(said("no sensor is \"trusted\""), !servers);
	}
}

static void
servers_outvote_a_trusted_sensor(void **state)
{
	(void)state;
	machine(false, -300);
	start_sensing(3, true, true);
	hear_all(0);
	sense(3600);
	hear_all(0);
	assert_int_equal(world.steps, 1);
	assert_true(llabs(world.error) < S / 100);
	assert_int_equal(sensor[0].selected, SELECT_FALSE);
}

/* The daemon of running(), with a trusted sensor. */
static void
running_with_a_sensor(void)
{
	machine(false, 0);
	start_sensing(3, false, true);
	for (int i = 0; i < 5; i++) {
		hear_all(0);
		sense(0);
		wait(64);
	}
	assert_true(st->synced);
	world.steps = 0;
}

static void
a_disruption_is_answered_at_once_by_a_trusted_sensor(void **state)
{
	static const double error[] = { -3600, 3600, -7 * 3600, -7 * 3600 };

	(void)state;
	for (int e = SLEPT; e <= RESTORED; e++) {
		running_with_a_sensor();
		happens((enum event)e, error[e]);
		turn();
		unsynced();
		sense(0);
		assert_int_equal(world.steps, 1);
		assert_true(llabs(world.error) < S / 100);
		wait(0.1);
		assert_true(st->synced);
	}
}

/* Nothing but the sensor's jump shows that the machine was stopped. */
static void
jump(double offset)
{
	steer_jumped(st, offset, world.raw);
	turn();
	unsynced();
	sense(offset);
}

static void
a_trusted_sensors_jump_is_answered_at_once(void **state)
{
	static const double by[] = { 5 * 3600, -5 * 3600, 30 };

	(void)state;
	for (size_t i = 0; i < LEN(by); i++) {
		running_with_a_sensor();
		jump(by[i]);
		assert_int_equal(world.steps, 1);
		assert_true(fabs(seconds(world.error) - by[i]) < 0.01);
		/* The servers say the same, and nothing more happens. */
		for (int k = 0; k < 5; k++) {
			wait(16);
			hear_all(by[i]);
			sense(by[i]);
		}
		assert_int_equal(world.steps, 1);
		assert_true(st->synced);
		assert_int_equal(said("against a trusted sensor"), 1);
	}
}

/* The host stopped the machine, and its agent has mended the clock.  What the
 * sensor said before is not known to be true any more. */
static void
a_sensor_that_was_not_read_since_answers_nothing(void **state)
{
	(void)state;
	running_with_a_sensor();
	world.error += 121 * S;
	world.was_set = true;
	wait(0.1);
	steer_elect(st);
	wait(1);
	assert_int_equal(world.steps, 0);
	unsynced();
	sense(121);
	assert_int_equal(world.steps, 0);
}

static void
servers_set_back_what_only_a_sensor_said(void **state)
{
	(void)state;
	running_with_a_sensor();
	jump(3600);
	assert_int_equal(world.steps, 1);
	for (int k = 0; k < 10; k++) {
		hear_all(0);
		sense(3600);
		wait(16);
	}
	assert_int_equal(world.steps, 2);
	assert_true(llabs(world.error) < S / 100);
}

/* ------------------------------------------------------------ authenticated */

/* A daemon with so many servers, of which the first n authenticate what they
 * say.  bound: constraints tell the time to two minutes. */
static void
start_authentic(int n, int servers, bool always, bool bound)
{
	/* The first one has a symmetric key. */
	for (int i = 0; i < n; i++)
		conf.server[i].nts = i > 0;
	conf.server[0].key.id = n > 0;
	start(servers, always);
	for (int i = 0; i < n; i++)
		source[i].authentic = true;
	if (bound)
		st->told.bound = (struct bound){ .wanted = true, .votes = 3,
			.raw = world.raw, .ahead = TRUTH, .error = 120,
			.earliest = EARLIEST };
	(void)snprintf(st->told.unauthentic, sizeof st->told.unauthentic,
	    "key exchange with ntp.example fails: refused");
}

static void
hear_others(int from, double offset)
{
	for (int i = from; i < st->sources; i++)
		hear(i, offset);
}

/* However soon others answer, and however many: the first authenticated answer
 * sets the clock, within its time. */
static void
a_majority_that_answers_sooner_does_not_set_the_clock(void **state)
{
	static const double after[] = { 0.1, 3, 7 };

	(void)state;
	for (size_t i = 0; i < 2 * LEN(after); i++) {
		machine(i % 2, -3600); /* also a warm one */
		start_authentic(1, 4, true, true);
		hear_others(1, 90);
		while (world.raw < 5000 * S + ns(after[i / 2])) {
			wait(0.5);
			hear_others(1, 90);
		}
		assert_int_equal(world.steps, 0);
		assert_int_equal(st->setting, SETTING_ALWAYS);
		hear(0, 0);
		assert_int_equal(world.steps, 1);
		assert_true(llabs(world.error) < S / 100);
		assert_int_equal(source[1].selected, SELECT_FALSE);
		wait(0.1);
		assert_true(st->synced);
		assert_true(shown().authentic);
	}
}

/* If there is none, what constraints bound is next, and it is said to be so. */
static void
where_none_is_authenticated_constraints_bound_the_others(void **state)
{
	struct status s;

	(void)state;
	machine(false, -3600);
	start_authentic(1, 4, true, true);
	hear_others(1, 0);
	hear_others(1, 0);
	wait(7.5);
	assert_int_equal(world.steps, 0);
	assert_true(steer_due(st) < later(world.raw, 1));
	wait(0.5);
	assert_int_equal(world.steps, 1);
	assert_true(llabs(world.error) < S / 100);
	wait(0.1);
	assert_true(st->synced);
	s = shown();
	assert_false(s.authentic);
	assert_int_equal(s.authentics, 1);
	assert_non_null(strstr(s.unauthentic, "key exchange"));
	assert_int_equal(said("time is not authenticated"), 0);
	wait(60);
	assert_int_equal(said("time is not authenticated: key exchange"), 1);
}

/* They need not wait if every exchange has failed, and none will be begun in
 * these eight seconds. */
static void
who_cannot_be_authenticated_is_not_waited_for(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		machine(false, -3600);
		start_authentic(1, 4, true, true);
		st->told.keys_due = later(world.raw, i == 0 ? 7.5 : 10);
		hear_others(1, 0);
		hear_others(1, 0);
		wait(0.1);
		assert_int_equal(world.steps, i);
		assert_false(shown().authentic);
	}
	/* The reply of one that has its keys may come at any time. */
	st->told.keys_due = 0;
	hear(0, 0);
	wait(0.1);
	assert_true(shown().authentic);
}

/* With neither, nobody is followed: not without a bound, not where it is still
 * to come, and never with "nts require". */
static void
without_both_the_clock_stays_unsynchronised(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		machine(false, -3600);
		conf.nts_require = i == 2;
		start_authentic(1, 4, true, i == 2);
		st->told.bound.wanted = i > 0;
		for (int k = 0; k < 20; k++) {
			hear_others(1, 0);
			wait(4);
		}
		assert_int_equal(world.steps, 0);
		assert_int_equal(world.slewed, 0);
		assert_false(st->synced);
		assert_non_null(strstr(shown().not_ready, "key exchange"));
		hear(0, 0);
		assert_int_equal(world.steps, 1);
		wait(0.1);
		assert_true(st->synced);
		assert_int_equal(source[1].selected,
		    i < 2 ? SELECT_USED : SELECT_NONE);
		conf.nts_require = false;
	}
}

/* A server that the configuration trusts needs no constraint and no key, and a
 * trusted sensor waits for nobody. */
static void
trust_is_enough_where_nobody_is_authenticated(void **state)
{
	(void)state;
	machine(false, -3600);
	start_authentic(1, 2, true, false);
	source[1].trusted = true;
	hear(1, 0);
	assert_int_equal(world.steps, 0);
	wait(8);
	assert_int_equal(world.steps, 1);
	assert_false(shown().authentic);
	machine(false, -3600);
	conf.server[0].nts = conf.nts_require = true;
	start_sensing(1, true, true);
	source[0].authentic = true;
	sense(0);
	assert_int_equal(world.steps, 1);
	conf.nts_require = false;
}

static void
authenticated_servers_vouch_for_a_clock_far_behind(void **state)
{
	(void)state;
	machine(false, -100);
	start_authentic(1, 1, false, false);
	hear(0, 0);
	assert_int_equal(world.steps, 1);
}

/* More than half of the authentic ones are to answer, not of all. */
static void
one_authenticated_server_of_many_is_a_full_majority(void **state)
{
	(void)state;
	machine(true, 0);
	start_authentic(1, 4, true, true);
	hear(0, 0);
	wait(0.1);
	assert_true(st->synced);
	/* Of two, the first may be the liar. */
	machine(false, -3600);
	start_authentic(2, 2, true, true);
	source[1].first_sent = 0; /* its keys are still exchanged */
	hear(0, 0);
	assert_int_equal(world.steps, 0);
	wait(2.5);
	assert_int_equal(world.steps, 1);
}

static void
twenty_restarts_without_the_keys_move_nothing(void **state)
{
	(void)state;
	machine(true, 0);
	for (int k = 0; k < 20; k++) {
		int64_t began = world.raw;

		world.kernel.synced = !world.unsynced;
		start_authentic(1, 4, true, true);
		while (world.raw < later(began, 6)) {
			hear_others(1, 100);
			wait(2);
		}
	}
	assert_int_equal(world.steps, 0);
	assert_int_equal(world.slewed, 0);
}

/* One authenticated server and three others, in good order for some minutes. */
static void
running_authentic(bool bound)
{
	machine(false, 0);
	start_authentic(1, 4, true, bound);
	for (int i = 0; i < 5; i++) {
		hear_all(0);
		wait(64);
	}
	assert_true(st->synced);
	assert_true(shown().authentic);
	world.steps = 0;
	world.slewed = 0;
}

/* The first server has lost its last eight requests. */
static void
lose(void)
{
	source[0].reach = 0;
	steer_elect(st);
	wait(1);
}

static void
others_do_not_move_a_clock_that_is_authenticated(void **state)
{
	(void)state;
	running_authentic(true);
	for (int i = 0; i < 20; i++) {
		hear(0, 0);
		hear_others(1, 90);
		wait(64);
	}
	assert_int_equal(world.steps, 0);
	assert_true(world.slewed < S / 1000);
	assert_true(shown().authentic);
	assert_int_equal(said("jumped"), 0);
}

static void
the_loss_of_authentication_is_told_once_and_so_is_its_return(void **state)
{
	(void)state;
	running_authentic(true);
	lose();
	for (int i = 0; i < 5; i++) {
		hear_others(1, 0);
		wait(64);
	}
	assert_true(st->synced);
	assert_false(shown().authentic);
	assert_int_equal(said("time is not authenticated: key exchange"), 1);
	for (int i = 0; i < 5; i++) {
		hear_all(0);
		wait(64);
	}
	assert_true(shown().authentic);
	assert_string_equal(shown().unauthentic, "");
	assert_int_equal(said("time is authenticated again"), 1);
	assert_int_equal(said("time is not authenticated"), 1);
	/* A short loss is no news. */
	lose();
	wait(50);
	hear_all(0);
	wait(50);
	assert_int_equal(said("authenticated"), 2);
}

/* Without such a line there is nothing to be told. */
static void
a_new_configuration_ends_the_wait_for_authentication(void **state)
{
	static const int same[] = { 0, 1, 2, 3 };

	(void)state;
	running_authentic(true);
	lose();
	for (int i = 0; i < 3; i++) {
		hear_others(1, 0);
		wait(64);
	}
	assert_int_equal(said("time is not authenticated"), 1);
	conf.server[0].key.id = 0;
	source[0].authentic = false;
	st->told.unauthentic[0] = '\0';
	reload(same, 4);
	for (int i = 0; i < 3; i++) {
		hear_others(1, 0);
		wait(64);
	}
	assert_int_equal(said("authenticated"), 1);
	assert_int_equal(shown().authentics, 0);
	assert_string_equal(shown().unauthentic, "");
	/* With one, the wait begins. */
	conf.server[0].nts = source[0].authentic = true;
	reload(same, 4);
	hear_others(1, 0);
	assert_int_equal(said("authenticated"), 1);
	hear_all(0);
	assert_true(shown().authentic);
}

static void
the_loss_of_authentication_without_constraints_ends_the_sync(void **state)
{
	(void)state;
	running_authentic(false);
	lose();
	for (int i = 0; i < 80; i++) {
		hear_others(1, 50);
		wait(64);
	}
	assert_false(st->synced);
	assert_int_equal(world.steps, 0);
	assert_true(world.slewed < S / 1000);
	assert_non_null(strstr(shown().not_ready, "key exchange"));
}

/* What others have made of the clock meanwhile is mended at once. */
static void
authentication_that_returns_waits_for_nothing(void **state)
{
	(void)state;
	running_authentic(true);
	lose();
	for (int i = 0; i < 10; i++) {
		hear_others(1, 90);
		wait(64);
	}
	assert_int_equal(said("jumped"), 1);
	assert_true(world.slewed > S / 10);
	world.error = 90 * S; /* the slew is over */
	st->seen.real += 90 * S;
	hear(0, 0);
	wait(1);
	assert_int_equal(said("jumped"), 1);
	assert_true(its_clock.last.phase < -S / 10);
}

static void
others_alone_answer_no_disruption_at_once(void **state)
{
	static const double error[] = { -3600, 3600, -7 * 3600, -7 * 3600 };

	(void)state;
	for (int e = SLEPT; e <= RESTORED; e++) {
		running_authentic(true);
		happens((enum event)e, error[e]);
		wait(0.1);
		unsynced();
		hear_others(1, 90);
		hear_others(1, 90);
		wait(7);
		hear_others(1, 90);
		assert_int_equal(world.steps, 0);
		hear(0, 0);
		assert_int_equal(world.steps, 1);
		assert_true(llabs(world.error) < S / 100);
		wait(0.1);
		assert_true(st->synced);
		/* If the authentic one does not answer any more: */
		running_authentic(true);
		happens((enum event)e, error[e]);
		wait(0.1);
		source_sent(&source[0], world.raw, 1, true);
		hear_others(1, 0);
		wait(15);
		hear_others(1, 0);
		hear_others(1, 0);
		assert_int_equal(world.steps, 1);
		assert_true(llabs(world.error) < S / 100);
	}
}

/* They lacked a descriptor, so that one of three could be asked, which lies. */
static void
servers_that_could_not_be_asked_are_waited_for(void **state)
{
	(void)state;
	running();
	happens(SLEPT, -60);
	wait(0.1);
	for (int i = 0; i < 3; i++) {
		hear(0, 30);
		wait(5);
		assert_int_equal(world.steps, 0);
	}
	hear(1, 0);
	hear(2, 0);
	assert_int_equal(world.steps, 1);
	assert_true(llabs(world.error) < S / 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_that_is_set_in_the_last_moment_was_set),
		cmocka_unit_test(applications_are_promised_what_is_known_from_the_start_on),
		cmocka_unit_test(a_promise_holds_until_it_is_void),
		cmocka_unit_test(a_disruption_is_told_to_applications_and_counted),
		cmocka_unit_test(nothing_is_promised_of_a_clock_that_we_do_not_steer),
		cmocka_unit_test(
		    servers_that_could_not_be_asked_are_waited_for),
		cmocka_unit_test(
		    a_write_of_somebody_else_is_answered_by_our_orders),
		cmocka_unit_test(
		    a_clock_that_is_right_by_another_ones_doing_is_ready),
		cmocka_unit_test(
		    a_clock_that_another_one_spoils_is_not_ready_and_left_alone),
		cmocka_unit_test(
		    a_server_that_wants_fewer_requests_keeps_it_synced),
		cmocka_unit_test(
		    replies_without_a_majority_do_not_keep_it_synced),
		cmocka_unit_test(
		    the_first_answer_after_a_silence_is_understood_before_it_counts),
		cmocka_unit_test(
		    what_another_one_has_slewed_is_slewed_back_when_it_is_gone),
		cmocka_unit_test(
		    what_another_one_has_set_is_set_once_when_it_is_gone),
		cmocka_unit_test(
		    a_restore_that_another_one_left_is_answered_when_it_is_gone),
		cmocka_unit_test(
		    what_is_set_while_constraints_contradict_the_clock_is_set_back),
		cmocka_unit_test(the_clock_does_not_notice_a_reload),
		cmocka_unit_test(
		    the_system_source_is_found_under_its_new_number),
		cmocka_unit_test(
		    without_any_of_its_servers_the_clock_stays_synced_for_a_while),
		cmocka_unit_test(a_cold_clock_is_set_by_s_in_either_direction),
		cmocka_unit_test(
		    a_warm_clock_is_slewed_where_a_slew_can_mend_it),
		cmocka_unit_test(
		    a_warm_clock_beyond_what_a_slew_can_mend_is_set_by_s),
		cmocka_unit_test(
		    a_warm_clock_is_set_without_s_only_if_vouched_and_far_behind),
		cmocka_unit_test(
		    who_contradicts_the_majority_does_not_vouch_for_it),
		cmocka_unit_test(
		    a_warm_clock_that_is_right_is_synced_with_the_majority),
		cmocka_unit_test(
		    a_warm_start_with_half_of_its_servers_is_synced_within_ten_seconds),
		cmocka_unit_test(twenty_restarts_beside_a_liar_move_nothing),
		cmocka_unit_test(a_guess_of_the_frequency_is_not_left_behind),
		cmocka_unit_test(a_frequency_of_others_is_left_alone),
		cmocka_unit_test(
		    a_cold_clock_is_set_once_in_a_loop_of_restarts),
		cmocka_unit_test(
		    servers_of_which_too_few_answer_set_no_warm_clock_at_once),
		cmocka_unit_test(a_lone_far_server_sets_no_warm_clock_at_once),
		cmocka_unit_test(
		    q_sets_a_warm_clock_since_nobody_would_slew_it),
		cmocka_unit_test(
		    constraints_keep_the_time_after_a_minute_without_servers),
		cmocka_unit_test(constraints_set_the_clock_at_the_start_only),
		cmocka_unit_test(
		    servers_set_what_constraints_have_contradicted_for_long),
		cmocka_unit_test(what_breaks_the_bound_keeps_nothing),
		cmocka_unit_test(servers_take_over_at_their_first_replies),
		cmocka_unit_test(dates_confirm_what_silent_servers_left),
		cmocka_unit_test(
		    what_a_stranger_sets_while_dates_confirm_the_servers_is_slewed),
		cmocka_unit_test(a_silent_liar_does_not_move_the_clock),
		cmocka_unit_test(a_liar_is_not_joined_by_those_who_do_not_know_yet),
		cmocka_unit_test(no_jump_is_seen_where_another_keeps_the_time),
		cmocka_unit_test(dates_are_not_missed_between_two_of_them),
		cmocka_unit_test(without_the_word_nothing_is_kept),
		cmocka_unit_test(a_firewall_is_named_by_evidence),
		cmocka_unit_test(
		    each_disruption_is_answered_by_one_step_and_until_then_unsynced),
		cmocka_unit_test(a_small_foreign_set_is_unsynced_too),
		cmocka_unit_test(
		    a_clock_that_a_stranger_set_right_is_not_believed_before_the_servers),
		cmocka_unit_test(
		    a_machine_that_was_stopped_and_set_by_its_agent_is_not_set_back),
		cmocka_unit_test(
		    no_event_explains_more_than_it_can_have_caused),
		cmocka_unit_test(one_event_is_no_leave_for_two_steps),
		cmocka_unit_test(
		    a_lone_answer_after_a_restore_moves_nothing_for_fifteen_seconds),
		cmocka_unit_test(
		    a_lone_answer_after_a_sleep_moves_nothing_after_a_fight_either),
		cmocka_unit_test(
		    a_snapshot_taken_just_after_a_step_is_answered_at_once),
		cmocka_unit_test(another_host_may_have_another_counter),
		cmocka_unit_test(
		    a_hypervisor_that_tells_of_moves_all_the_time_makes_no_storm),
		cmocka_unit_test(a_disruption_asks_the_constraints_anew),
		cmocka_unit_test(
		    constraints_do_not_answer_a_disruption_in_place_of_the_servers),
		cmocka_unit_test(with_x_a_restored_machine_is_only_measured),
		cmocka_unit_test(
		    constraints_that_keep_the_time_end_a_disruption_without_a_step),
		cmocka_unit_test(
		    a_disruption_that_constraints_cannot_mend_is_answered_by_servers),
		cmocka_unit_test(
		    a_trusted_sensor_sets_the_clock_at_the_start_without_servers),
		cmocka_unit_test(a_sensor_without_trust_sets_nothing),
		cmocka_unit_test(servers_outvote_a_trusted_sensor),
		cmocka_unit_test(
		    a_disruption_is_answered_at_once_by_a_trusted_sensor),
		cmocka_unit_test(a_trusted_sensors_jump_is_answered_at_once),
		cmocka_unit_test(a_sensor_that_was_not_read_since_answers_nothing),
		cmocka_unit_test(servers_set_back_what_only_a_sensor_said),
		cmocka_unit_test(
		    a_majority_that_answers_sooner_does_not_set_the_clock),
		cmocka_unit_test(
		    where_none_is_authenticated_constraints_bound_the_others),
		cmocka_unit_test(
		    who_cannot_be_authenticated_is_not_waited_for),
		cmocka_unit_test(without_both_the_clock_stays_unsynchronised),
		cmocka_unit_test(
		    trust_is_enough_where_nobody_is_authenticated),
		cmocka_unit_test(
		    authenticated_servers_vouch_for_a_clock_far_behind),
		cmocka_unit_test(
		    one_authenticated_server_of_many_is_a_full_majority),
		cmocka_unit_test(
		    twenty_restarts_without_the_keys_move_nothing),
		cmocka_unit_test(
		    others_do_not_move_a_clock_that_is_authenticated),
		cmocka_unit_test(
		    the_loss_of_authentication_is_told_once_and_so_is_its_return),
		cmocka_unit_test(
		    a_new_configuration_ends_the_wait_for_authentication),
		cmocka_unit_test(
		    the_loss_of_authentication_without_constraints_ends_the_sync),
		cmocka_unit_test(
		    authentication_that_returns_waits_for_nothing),
		cmocka_unit_test(others_alone_answer_no_disruption_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
