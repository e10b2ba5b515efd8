/*
 * publish.c - what the daemon shows of itself: struct status for ntpctl and
 * metrics, struct serving for NTP clients.  Copies out, decides nothing.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/build.h"
#include "core/conf.h"
#include "core/constraint.h"
#include "core/discipline.h"
#include "core/instant.h"
#include "core/ntp.h"
#include "core/select.h"
#include "core/source.h"
#include "daemon.h"
#include "constraints.h"
#include "serve/control.h"
#include "serve/serve.h"
#include "serve/status.h"
#include "sys/net.h"
#include "sys/sandbox.h"

/* s: beyond this bound no client should follow us (RFC 5905's MAXDIST is 1.5
 * with everything the client itself adds), unless "ready within" is wider. */
#define SERVE_BOUND 1.0
/* The deepest stratum of a clock that is synchronised (RFC 5905 §7.3).  Where the
 * server is that deep already, ours is the same, as OpenNTPD's. */
#define STRATUM_MOST 15
/* s: strata do not end a ring of servers that follow each other at STRATUM_MOST, so
 * the dispersion does.  It doubles and grows by this at each such hop, and is too
 * wide at the third. */
#define DEEP 0.25
/* The "ready within" that is advised, as a multiple of the present bound, which
 * grows a little between two replies. */
#define READY_ROOM 1.25

/* What clients are told, and so what is shown. */
static uint8_t
told_stratum(const struct daemon *d)
{
	return d->verdict.stratum < STRATUM_MOST ? d->verdict.stratum :
						   STRATUM_MOST;
}

static double
told_dispersion(const struct daemon *d, double bound)
{
	/* Whatever the parts are, half of the delay and the dispersion together
	 * must hold the true time: that is what clients compute with. */
	double s = fmax(
	    d->verdict.root_dispersion, bound - d->verdict.root_delay / 2);

	return d->verdict.stratum > STRATUM_MOST ? DEEP + 2 * s : s;
}

static void
publish_clock(
    const struct daemon *d, const struct instant *now, struct status *s)
{
	s->real = now->real;
	s->uptime = seconds(now->raw - d->began);
	s->version = VERSION;
	s->build = build_epoch;
	s->synced = d->synced;
	s->stratum = d->synced ? told_stratum(d) : 0;
	s->leap = d->synced ? d->verdict.leap : LEAP_ALARM;
	if (d->elected)
		(void)net_text(&d->peers.source[d->verdict.system].address, s->refid);
	s->offset = seconds(discipline_offset(&d->disc, now));
	s->bound = discipline_bound(&d->disc, now);
	s->freq = d->disc.freq;
	s->freq_sd = d->disc.freq_sd;
	s->root_delay = d->verdict.root_delay;
	s->root_dispersion = d->synced ? told_dispersion(d, s->bound) : 0;
	s->last_sync = d->last_sync;
	s->steps = d->clock.steps;
	s->foreign_sets = d->clock.foreign;
	s->last_step = d->last_step;
	s->permission = d->clock.permission;
	(void)snprintf(s->permission_text, sizeof s->permission_text, "%s",
	    s->permission == CLOCK_MEASURE ? "measure only (-x)" :
					     d->clock.remedy);
}

/* Why there is no verdict on the time, nor anything but peers to wait for. */
static const char *
undecided(const struct daemon *d)
{
	const char *said = "no reply from any peer";
	int i, known = 0;

	for (i = 0; i < d->peers.sources; i++) {
		known += d->peers.source[i].state != SOURCE_UNRESOLVED;
		if (d->peers.source[i].said != SAID_ACCEPTED)
			said = source_words[d->peers.source[i].said];
	}
	return d->conf.servers == 0 ? "no peers configured" :
	    known == 0		    ? "no address known of any peer" :
				      said;
}

void
publish_unknown(const struct daemon *d, const struct instant *now, char *text,
    size_t size)
{
	const struct verdict *v = &d->verdict;
	double silent = seconds(now->raw - d->peers.last_heard);

	constraints_waiting(&d->constraints, text, size);
	if (text[0] != '\0')
		return;
	if (d->outside != 0)
		(void)snprintf(text, size,
		    "clock is off by about %.0fs by the constraints",
		    seconds(d->constraints.bound.ahead - (now->real - now->raw)));
	else if (d->peers.last_heard != 0 && silent > d->silent_most)
		(void)snprintf(text, size, "no reply for %.0fs", silent);
	else if (d->elected)
		(void)snprintf(text, size,
		    !d->far_said ? "clock is off by %.6fs" :
			d->opt.set == SET_ALWAYS ?
			"clock is off by %.6fs, too far to slew: restart to set it" :
			"clock is off by %.6fs, too far to slew: restart with -s to set it",
		    seconds(discipline_offset(&d->disc, now)));
	else if (v->of > 0 && v->agree * 2 <= v->of)
		(void)snprintf(text, size, "no majority: %d of %d peers agree",
		    v->agree, v->of);
	else
		(void)snprintf(text, size, "no usable time: %s", undecided(d));
}

static void
publish_ready(
    const struct daemon *d, const struct instant *now, struct status *s)
{
	char *out = s->not_ready;
	size_t size = sizeof s->not_ready;

	s->ready_within = d->conf.ready_within;
	s->ready = s->synced && s->bound < s->ready_within &&
	    s->permission != CLOCK_DENIED;
	if (s->ready)
		return;
	if (s->permission == CLOCK_DENIED)
		(void)snprintf(out, size, "only measuring: %s: %s",
		    strerror(d->clock.error), s->permission_text);
	else if (s->synced && s->bound >= 1 &&
	    d->disc.distance - d->disc.path > s->bound / 2)
		(void)snprintf(out, size,
		    "error bound %.1fs, the servers' own: set \"ready within %.0f\"",
		    s->bound, ceil(s->bound * READY_ROOM));
	else if (s->synced)
		(void)snprintf(out, size, "error bound %.6fs exceeds %.6fs",
		    s->bound, s->ready_within);
	else
		publish_unknown(d, now, out, size);
}

bool
publish_status(
    const struct daemon *d, const struct instant *now, struct status *s)
{
	int listeners = SERVE_LISTENERS + CONTROL_LISTENERS;
	struct status_source *source;
	struct status_constraint *constraint;
	struct status_listener *listener;

	memset(s, 0, sizeof *s);
	source = calloc((size_t)d->peers.sources + 1, sizeof *source);
	constraint =
	    calloc((size_t)d->conf.constraints + 1, sizeof *constraint);
	listener = calloc((size_t)listeners, sizeof *listener);
	s->source = source; /* for publish_free */
	s->constraint = constraint; /* likewise */
	s->listener = listener;
	if (source == NULL || constraint == NULL || listener == NULL) {
		publish_free(s);
		return false;
	}
	publish_clock(d, now, s);
	peers_show(&d->peers, now, source, s);
	constraints_show(&d->constraints, now, constraint, s);
	s->listeners = serve_status(&d->server, listener, SERVE_LISTENERS);
	s->listeners += control_listeners(
	    &d->control, listener + s->listeners, CONTROL_LISTENERS);
	s->server = d->server.counters;
	publish_ready(d, now, s);
	s->dropped_words = serve_words;
	return true;
}

void
publish_free(struct status *s)
{
	free((void *)(uintptr_t)s->source);
	free((void *)(uintptr_t)s->constraint);
	free((void *)(uintptr_t)s->listener);
	s->source = NULL;
	s->constraint = NULL;
	s->listener = NULL;
}

/* The least power of two, as its exponent, that is not below x > 0. */
static int8_t
log2_above(double x)
{
	int exponent;

	return (int8_t)(frexp(x, &exponent) == 0.5 ? exponent - 1 : exponent);
}

void
publish_serving(
    const struct daemon *d, const struct instant *now, struct serving *out)
{
	double bound = discipline_bound(&d->disc, now);
	double dispersion = told_dispersion(d, bound);
	double most = fmax(SERVE_BOUND, d->conf.ready_within);
	bool deep = d->verdict.stratum > STRATUM_MOST;

	memset(out, 0, sizeof *out);
	out->leap = LEAP_ALARM;
	out->precision = log2_above(d->clock.precision);
	out->raw = now->raw;
	out->reference = d->last_sync;
	if (!d->synced || bound > most || (deep && dispersion > most))
		return;
	out->leap = d->verdict.leap;
	out->stratum = told_stratum(d);
	out->refid = d->verdict.refid;
	out->root_delay = d->verdict.root_delay;
	out->root_dispersion = dispersion;
	out->growth = discipline_growth(&d->disc);
}
