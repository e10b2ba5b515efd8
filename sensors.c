/*
 * sensors.c - the hardware clocks of the configuration.
 *
 * This room finds and opens them, reads those that are due, and logs what is
 * worth a line.  What a reading means sensor.c decides, how it is made phc.c.
 * Each is a source like a server, and stands for election beside those.
 *
 * A device may show whatever it had when it was switched on, and one that the
 * configuration does not call "trusted" is not to be believed against servers.
 * So it has no vote where there are servers: it is used while it agrees with
 * them.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sensors.h"
#include "core/build.h"
#include "sys/net.h"

/* s between readings: the shortest and the longest interval.  A trusted one
 * tells of jumps of the time, as after a restored snapshot, and so is read more
 * often. */
#define READ_LEAST 4.0
#define READ_MOST 64.0
#define READ_TRUSTED 16.0
/* s: a device that jumps all the time is believed so often, and then once in
 * this time. */
#define JUMP_EVERY 300.0
enum { JUMPS = 4 };
/* The reference id unless "refid" says another one: OpenNTPD's. */
#define REFID 0x48415244 /* HARD */

/* The device that the configuration calls so, from entry "from" on; -1: there
 * is none. */
static int
find(const struct sensors *all, const char *name, int from)
{
	for (int i = from; i < all->opened; i++)
		if (sensor_named(name, all->phc[i].device, all->phc[i].clock))
			return i;
	return -1;
}

static uint32_t
refid(const char *text)
{
	uint32_t id = 0;

	if (*text == '\0')
		return REFID;
	for (int i = 0; i < 4; i++) /* NUL bytes fill what is shorter */
		id = id << 8 | (unsigned char)(*text != '\0' ? *text++ : 0);
	return id;
}

/* Let entry i be what a line of the configuration says; NULL: it only makes a
 * constraint. */
static void
begin(struct sensors *all, int i, const struct conf_sensor *c, int64_t raw)
{
	static const struct conf_sensor plain = { .error = SENSOR_ERROR,
		.weight = 1, .stratum = 1 };
	static const struct address none;
	struct source *s = &all->source[i];

	if (c == NULL)
		c = &plain;
	all->sensor[i] = (struct sensor){
		.correction = c->correction * 1000LL,
		.error = c->error * 1e-6,
		.tai_told = c->tai, .tai = c->tai ? phc_tai() : 0,
		.last = { .raw = INT64_MIN / 2 },
	};
	*s = (struct source){
		.line = c == &plain ? -1 : (int)(c - all->conf->sensor),
		.device = all->phc[i].device, .refid = refid(c->refid),
		.trusted = c->trusted, .weight = c->weight,
		.follows = !c->trusted && all->conf->servers > 0,
		.poll_least = READ_LEAST,
		.poll_most = c->trusted ? READ_TRUSTED : READ_MOST,
	};
	source_start(s, &none, raw, 0, all->told.freq, all->told.freq_sd);
}

/* Bring entry i to the place "to" among those that are used. */
static void
claim(struct sensors *all, int i, int to)
{
	struct phc other = all->phc[to];

	all->phc[to] = all->phc[i];
	all->phc[i] = other;
}

/* Use the devices that a line names and no line before it has taken. */
static void
take_line(struct sensors *all, const struct conf_sensor *c, int64_t raw)
{
	bool star = strcmp(c->device, "*") == 0;
	int first = all->sensors, i;

	while ((i = star && all->sensors < all->opened ?
			all->sensors :
			find(all, c->device, all->sensors)) >= 0) {
		claim(all, i, all->sensors);
		begin(all, all->sensors++, c, raw);
	}
	/* OpenNTPD's own configuration has "*", so it is worth no message. */
	if (all->sensors == first && !star && find(all, c->device, 0) < 0)
		log_line(LOG_CLASS_INFO, "sensor %s: no such device", c->device);
}

/* Open all devices of the machine, for there are few, and only an open one
 * tells its name. */
static void
open_all(struct sensors *all)
{
	for (int n = 0; n < PHC_MOST; n++) {
		struct phc p;

		if (phc_open(&p, n) == 0)
			all->phc[all->opened++] = p;
		else if (errno != ENOENT && errno != ENOTDIR && errno != ENXIO)
			log_line(LOG_CLASS_INFO, "sensor %s: %s", p.device,
			    strerror(errno));
	}
}

/* Take what the constraints need behind the sensors, and close the rest. */
static void
take_constraints(struct sensors *all, int64_t raw)
{
	int used = all->sensors;

	for (int k = 0; k < all->conf->constraints; k++) {
		const struct conf_constraint *c = &all->conf->constraint[k];
		int i = c->sensor ? find(all, c->host, 0) : -1;

		if (c->sensor && i < 0)
			log_line(LOG_CLASS_INFO, "sensor %s: no such device",
			    c->host);
		if (i >= used) {
			claim(all, i, used);
			begin(all, used++, NULL, raw);
		}
	}
	while (all->opened > used)
		phc_close(&all->phc[--all->opened]);
}

static bool
is_wanted(const struct conf *conf)
{
	bool wanted = conf->sensors > 0;

	for (int i = 0; i < conf->constraints; i++)
		wanted |= conf->constraint[i].sensor;
	return wanted;
}

void
sensors_open(struct sensors *all, int64_t raw)
{
	const struct conf *conf = all->conf;
	struct phc found[PHC_MOST];
	size_t n;

	if (!is_wanted(conf))
		return;
	all->phc = found;
	open_all(all);
	n = (size_t)all->opened + 1;
	all->phc = calloc(n, sizeof *all->phc);
	all->source = calloc(n, sizeof *all->source);
	all->sensor = calloc(n, sizeof *all->sensor);
	all->said = calloc(n, sizeof *all->said);
	if (all->phc == NULL || all->source == NULL || all->sensor == NULL ||
	    all->said == NULL)
		fatal("ntpd: out of memory for %d sensors", all->opened);
	memcpy(all->phc, found, (size_t)all->opened * sizeof *found);
	/* Those that have lines of their own are not left to "*". */
	for (int star = 0; star < 2; star++)
		for (int i = 0; i < conf->sensors; i++)
			if ((strcmp(conf->sensor[i].device, "*") == 0) == star)
				take_line(all, &conf->sensor[i], raw);
	take_constraints(all, raw);
}

/* ---------------------------------------------------------------- readings */

/* Read entry i and judge the reading. */
static enum sensor_said
sense(struct sensors *all, int i, struct sample *out)
{
	struct sensor *s = &all->sensor[i];
	struct source *src = &all->source[i];
	struct sensed r;

	if (phc_read(&all->phc[i], &r) < 0)
		return sensor_judge(s, NULL, NULL, false, out);
	if (sensor_scale(s, &r, &all->told.known, phc_tai())) {
		log_line(LOG_CLASS_INFO,
		    s->tai != 0 ? "sensor %s shows TAI" : "sensor %s shows UTC",
		    src->device);
		source_forget(src, r.raw, all->told.freq, all->told.freq_sd);
	}
	return sensor_judge(s, &r, &all->told.bound,
	    src->trusted || i >= all->sensors, out);
}

/* A trusted sensor says that the time has jumped.  If a second
 * reading says so too, all that is known of the time is void. */
static enum sensor_said
doubt_jump(struct sensors *all, int i, struct sample *sample)
{
	struct source *s = &all->source[i];
	enum sensor_said said;
	double jump;

	if (!s->trusted || sensor_jump(s, sample) == 0)
		return SENSOR_GOOD;
	said = sense(all, i, sample);
	jump = said == SENSOR_GOOD ? sensor_jump(s, sample) : 0;
	if (jump == 0)
		return said;
	source_forget(s, sample->raw, all->told.freq, all->told.freq_sd);
	/* All servers are asked again each time. */
	if (sample->raw >= pace_next(&all->jumps, JUMPS, JUMP_EVERY)) {
		pace_take(&all->jumps, sample->raw, JUMP_EVERY);
		all->wish.jumped = jump;
	}
	return said;
}

/* Say whether its readings are good, when that changes. */
static void
tell_said(struct sensors *all, int i, enum sensor_said said, int64_t raw)
{
	const struct phc *p = &all->phc[i];

	if (said == SENSOR_GOOD) {
		if (all->source[i].replies == 0)
			log_line(LOG_CLASS_INFO, "sensor %s now valid (%s)",
			    p->device, p->clock);
		said_well(&all->said[i]);
	} else if (said_news(&all->said[i], (int)said, raw))
		log_line(LOG_CLASS_INFO, "sensor %s not valid: %s", p->device,
		    sensor_words[said]);
}

static void
ask(struct sensors *all, int i, int64_t raw)
{
	struct source *s = &all->source[i];
	struct sample sample;
	enum sensor_said said = sense(all, i, &sample);

	if (said == SENSOR_GOOD)
		said = doubt_jump(all, i, &sample);
	tell_said(all, i, said, raw);
	if (i < all->sensors)
		all->wish.elect = true;
	if (said != SENSOR_GOOD) {
		source_unsensed(s,
		    said == SENSOR_BOUND ? SAID_BOUND : SAID_ALARM, raw);
		return;
	}
	source_sensed(s, &sample,
	    s->line < 0 ? 0 :
			  (uint8_t)(all->conf->sensor[s->line].stratum - 1),
	    fraction(net_random()));
	if (i < all->sensors && !s->follows)
		all->last_heard = sample.raw;
}

void
sensors_turn(struct sensors *all, int64_t raw)
{
	for (int i = 0; i < all->opened; i++)
		if (raw >= all->source[i].due)
			ask(all, i, raw);
}

int64_t
sensors_due(const struct sensors *all)
{
	int64_t due = NEVER;

	for (int i = 0; i < all->opened; i++)
		due = sooner(due, all->source[i].due);
	return due;
}

void
sensors_forget(struct sensors *all, int64_t raw)
{
	for (int i = 0; i < all->opened; i++)
		source_forget(&all->source[i], raw, all->told.freq,
		    all->told.freq_sd);
}

void
sensors_again(struct sensors *all, int64_t raw)
{
	for (int i = 0; i < all->opened; i++)
		source_hurry(&all->source[i], raw);
}

void
sensors_leapt(struct sensors *all, int64_t ns)
{
	for (int i = 0; i < all->opened; i++) {
		source_leapt(&all->source[i], ns);
		if (all->sensor[i].tai != 0)
			all->sensor[i].tai -= (int)(ns / NS_PER_S);
	}
}

void
sensors_elected(
    struct sensors *all, const struct candidate c[], int n, int first)
{
	for (int i = 0; i < all->sensors; i++)
		all->source[i].selected = SELECT_NONE;
	for (int i = 0; i < n; i++)
		if (c[i].index >= first)
			all->source[c[i].index - first].selected = c[i].said;
}

void
sensors_called(
    struct sensors *all, const struct candidate c[], int n, int first)
{
	for (int i = 0; i < n; i++)
		if (c[i].index >= first)
			all->source[c[i].index - first].named =
			    c[i].said == SELECT_FALSE;
}

const char *
sensors_bound(const struct sensors *all, const char *name,
    struct constraint_answer *out)
{
	int i = find(all, name, 0);
	const struct source *s = &all->source[i < 0 ? 0 : i];

	if (i < 0)
		return "no such device";
	if (s->reach == 0)
		return sensor_words[all->sensor[i].said != SENSOR_GOOD ?
			all->sensor[i].said :
			SENSOR_UNREAD];
	*out = (struct constraint_answer){
		.raw = s->sample.raw, .ahead = s->sample.ahead,
		.error = s->sample.error + s->sample.delay,
	};
	return NULL;
}

/* ------------------------------------------------------------------- shown */

void
sensors_show(const struct sensors *all, const struct instant *now,
    struct status_sensor sensor[], struct status *s)
{
	s->sensor = sensor;
	for (int i = 0; i < all->sensors; i++) {
		const struct source *o = &all->source[i];
		const struct sensor *d = &all->sensor[i];
		const struct conf_sensor *c = &all->conf->sensor[o->line];
		struct candidate e;

		sensor[i] = (struct status_sensor){
			.device = all->phc[i].device,
			.clock = all->phc[i].clock,
			.refid = *c->refid != '\0' ? c->refid : "HARD",
			.trusted = o->trusted, .votes = !o->follows,
			.valid = source_candidate(o, now->raw, &e) &&
			    d->said == SENSOR_GOOD,
			.system = o->selected == SELECT_SYSTEM,
			.weight = o->weight, .stratum = o->last.stratum,
			.selected = o->selected, .said = sensor_words[d->said],
			.next = fmax(0, seconds(o->due - now->raw)),
			.poll = o->interval,
			.offset = NAN, .distance = NAN, .delay = NAN,
			.correction = seconds(d->correction), .tai = d->tai,
			.readings = d->readings, .failures = d->failures,
		};
		if (sensor[i].valid) {
			sensor[i].offset =
			    seconds(e.ahead - (now->real - now->raw));
			sensor[i].distance = e.distance;
			sensor[i].delay = e.delay;
		}
		s->sensors_valid += sensor[i].valid;
	}
	s->sensors = all->sensors;
}
