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
#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#include "sensors.h"
#include "core/build.h"
#include "core/word.h"
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

static bool
is_named(const char *name, const struct phc *p)
{
	return sensor_named(name, p->device, p->clock);
}

/* The line of the configuration that a device belongs to: the first that names
 * it, or else "*".  What only a constraint names is a plain sensor.  NULL:
 * nobody wants it. */
static const struct conf_sensor *
line_of(const struct conf *conf, const struct phc *p)
{
	static const struct conf_sensor plain = { .error = SENSOR_ERROR,
		.weight = 1, .stratum = 1 };
	const struct conf_sensor *line = NULL;
	int i;

	for (i = 0; i < conf->constraints; i++)
		if (conf->constraint[i].sensor &&
		    is_named(conf->constraint[i].host, p))
			line = &plain;
	for (i = 0; i < conf->sensors; i++) {
		if (is_named(conf->sensor[i].device, p))
			return &conf->sensor[i];
		if (*conf->sensor[i].device == '*')
			line = &conf->sensor[i];
	}
	return line;
}

/* Let entry i be what its line says. */
static void
set_up(struct sensors *all, int i, const struct conf_sensor *c)
{
	struct sensor *n = &all->sensor[i];
	struct source *s = &all->source[i];
	uint32_t id;

	n->correction = c->correction * 1000LL;
	n->error = c->error * 1e-6;
	n->tai_told = c->tai;
	if (c->tai)
		n->tai = phc_tai();
	memcpy(n->refid, *c->refid != '\0' ? c->refid : "HARD",
	    sizeof n->refid);
	memcpy(&id, n->refid, sizeof id);
	s->refid = ntohl(id);
	s->last.stratum = (uint8_t)(c->stratum - 1);
	s->trusted = c->trusted;
	s->weight = c->weight;
	s->follows = !c->trusted && all->conf->servers > 0;
	s->poll_least = READ_LEAST;
	s->poll_most = c->trusted ? READ_TRUSTED : READ_MOST;
}

/* The options of entry i may be others.  If its readings mean another time now,
 * that is no jump: the former ones are void. */
static void
take_options(
    struct sensors *all, int i, const struct conf_sensor *c, int64_t raw)
{
	const struct sensor *n = &all->sensor[i];
	const struct sensor was = *n;

	set_up(all, i, c);
	if (n->correction != was.correction || n->tai != was.tai)
		source_forget(&all->source[i], raw, all->told.freq,
		    all->told.freq_sd);
}

/* Say that no open device has this name.  OpenNTPD's own configuration has "*",
 * so that is worth no message. */
static void
tell_missing(const struct sensors *all, const char *name)
{
	for (int i = 0; i < all->sensors; i++)
		if (is_named(name, &all->phc[i]))
			return;
	if (*name != '*')
		log_line(LOG_CLASS_INFO,
		    "sensor %s: no such device, or no right to open it", name);
}

static void
tell_all_missing(const struct sensors *all)
{
	for (int i = 0; i < all->conf->sensors; i++)
		tell_missing(all, all->conf->sensor[i].device);
	for (int i = 0; i < all->conf->constraints; i++)
		if (all->conf->constraint[i].sensor)
			tell_missing(all, all->conf->constraint[i].host);
}

void
sensors_open(struct sensors *all, int64_t raw)
{
	static const struct address none;

	for (int n = 0; n < PHC_MOST && all->sensors < SENSORS_MOST; n++) {
		int i = all->sensors;
		struct phc *p = &all->phc[i];
		const struct conf_sensor *line;

		if (phc_open(p, n) < 0)
			continue;
		line = line_of(all->conf, p);
		if (line == NULL) {
			phc_close(p);
			continue;
		}
		all->source[i].device = p->device;
		source_start(&all->source[i], &none, raw, 0, all->told.freq,
		    all->told.freq_sd);
		set_up(all, i, line);
		all->sensors++;
	}
	tell_all_missing(all);
}

void
sensors_reload(struct sensors *all, int64_t raw)
{
	for (int i = 0; i < all->sensors; i++) {
		const struct conf_sensor *line =
		    line_of(all->conf, &all->phc[i]);
		struct source *s = &all->source[i];

		if (line != NULL) {
			s->state = SOURCE_IDLE;
			s->due = raw;
			take_options(all, i, line, raw);
		} else { /* it stays open, but unused */
			s->state = SOURCE_STOPPED;
			s->due = NEVER;
		}
	}
	tell_all_missing(all);
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
	return sensor_judge(s, &r, all->bound, src->trusted, out);
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
	if (pace_may(&all->jumps, sample->raw, JUMPS, JUMP_EVERY))
		all->wish.jumped = jump;
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
		    word_at(sensor_words, said));
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
	all->wish.elect = true;
	if (said != SENSOR_GOOD) {
		source_unsensed(s,
		    said == SENSOR_BOUND ? SAID_BOUND : SAID_ALARM, raw);
		return;
	}
	source_sensed(s, &sample, fraction(net_random()));
	if (!s->follows)
		all->last_heard = sample.raw;
}

void
sensors_turn(struct sensors *all, int64_t raw)
{
	for (int i = 0; i < all->sensors; i++)
		if (raw >= all->source[i].due)
			ask(all, i, raw);
}

int64_t
sensors_due(const struct sensors *all)
{
	int64_t due = NEVER;

	for (int i = 0; i < all->sensors; i++)
		due = sooner(due, all->source[i].due);
	return due;
}

void
sensors_forget(struct sensors *all, int64_t raw)
{
	for (int i = 0; i < all->sensors; i++)
		source_forget(&all->source[i], raw, all->told.freq,
		    all->told.freq_sd);
}

void
sensors_again(struct sensors *all, int64_t raw)
{
	for (int i = 0; i < all->sensors; i++)
		source_hurry(&all->source[i], raw);
}

void
sensors_leapt(struct sensors *all, int64_t ns)
{
	for (int i = 0; i < all->sensors; i++) {
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
	const struct source *s = all->source;
	int i = 0;

	while (i < all->sensors && !is_named(name, &all->phc[i]))
		i++;
	if (i == all->sensors)
		return "no such device";
	s += i;
	if (s->reach == 0)
		return word_at(sensor_words, all->sensor[i].said);
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
		struct candidate e;

		sensor[i] = (struct status_sensor){
			.device = all->phc[i].device,
			.clock = all->phc[i].clock,
			.refid = d->refid,
			.trusted = o->trusted, .votes = !o->follows,
			.valid = source_candidate(o, now->raw, &e) &&
			    d->said == SENSOR_GOOD,
			.system = o->selected == SELECT_SYSTEM,
			.weight = o->weight, .stratum = o->last.stratum,
			.selected = o->selected,
			.said = word_at(sensor_words, d->said),
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
