/*
 * jar.c - the cookies of one server of NTS: when new ones are exchanged.
 *
 * Each request uses a cookie, and each good reply brings a new one.  So an
 * exchange is due only if there is none left, or if the server does not know
 * ours any more.  It says so by a NAK.  Anybody could send that, so it counts
 * only if no good reply came until the next request.  Some servers say nothing,
 * as NTPsec does: there a new exchange is tried after a few lost requests.
 *
 * Exchanges cost a server much, and it has many clients.  So after one that
 * failed, or that brought no authentic reply, the time to the next one grows
 * (RFC 8915 §4.2).
 */
#include <math.h>
#include <string.h>

#include "core/instant.h"
#include "core/jar.h"
#include "core/wipe.h"

/* s: RFC 8915 §4.2 has 10 and 1.5 as the least, and five days as the most. */
#define RETRY 10.0
#define RETRY_GROWS 1.5
#define RETRY_MOST 432000.0
#define RETRY_JITTER 0.25 /* this part of it is added at random */
#define FLEET_SPREAD 2.0  /* s, in which a fleet begins */
/* Lost requests in a row after which the cookies may be the reason.  Where a
 * fifth of the packets is lost, that happens at one of 600 requests. */
#define LOST_MOST 4
/* Who can send a NAK for each request, or drop packets, must not cause many
 * exchanges.  If our cookies are unknown indeed, they are soon used up. */
#define RENEW_MOST 4
#define RENEW_EVERY 7200.0 /* s */
#define HURRY_MOST 8
#define HURRY_EVERY 900.0 /* s */

enum {
	AT_ONCE = 2,	/* servers that are asked without delay */
	TRIES_MOST = 40 /* that are counted: more than RETRY_MOST needs */
};

/* What depends on the server: keys, cookies, and where NTP goes. */
static void
empty(struct jar *j)
{
	secret_wipe(&j->nts, sizeof j->nts);
	memset(&j->address, 0, sizeof j->address);
	j->server[0] = '\0';
	j->nak = j->proven = false;
	j->lost = 0;
}

void
jar_start(struct jar *j, int64_t raw, double wait)
{
	empty(j);
	j->asking = false;
	if (wait >= 0)
		j->due = later(raw, wait);
}

double
jar_wait(int index, double random)
{
	return index < AT_ONCE ? 0 : FLEET_SPREAD * random;
}

bool
jar_wants(const struct jar *j, int64_t raw)
{
	return !j->asking && raw >= j->due &&
	    (j->nts.cookies == 0 ||
		((j->nak || j->lost >= LOST_MOST) &&
		    raw >= pace_next(&j->renewed, RENEW_MOST, RENEW_EVERY)));
}

void
jar_asked(struct jar *j, int64_t raw)
{
	if (j->nts.cookies > 0)
		pace_take(&j->renewed, raw, RENEW_EVERY);
	j->asking = true;
	j->exchanges++;
	if (j->tries < TRIES_MOST)
		j->tries++;
}

/* When the next exchange may begin. */
static void
retry(struct jar *j, int64_t raw, double random)
{
	double wait = RETRY;

	for (int i = 1; i < j->tries; i++)
		wait *= RETRY_GROWS;
	j->asking = false;
	j->due = later(
	    raw, fmin(RETRY_MOST, wait * (1 + RETRY_JITTER * random)));
}

void
jar_failed(struct jar *j, int64_t raw, double random)
{
	retry(j, raw, random);
}

void
jar_granted(struct jar *j, const struct nts_grant *g, int64_t from,
    int64_t until, int64_t raw, double random)
{
	empty(j);
	j->nts = g->nts;
	j->port = g->port;
	j->from = from;
	j->until = until;
	j->done = raw;
	j->good++;
	j->reason[0] = '\0';
	retry(j, raw, random);
	if (g->server[0] == '\0')
		return;
	if (!address_parse(g->server, &j->address)) {
		strcpy(j->server, g->server);
		j->asking = true;
	} else if (address_unusable(&j->address) != NULL)
		memset(&j->address, 0, sizeof j->address);
}

void
jar_found(struct jar *j, const struct address found[], int n)
{
	j->asking = false;
	j->server[0] = '\0';
	if (n > 0) /* another one each time, if this brings no reply */
		j->address = found[j->exchanges % (unsigned)n];
	else
		secret_wipe(&j->nts, sizeof j->nts);
}

bool
jar_ready(const struct jar *j)
{
	return j->nts.cookies > 0 && j->server[0] == '\0';
}

void
jar_sent(struct jar *j)
{
	if (j->lost++ > 0)
		j->heard = 0;
}

void
jar_heard(struct jar *j, enum nts_said said)
{
	if (said == NTS_OK) {
		j->nak = false;
		j->lost = j->tries = 0;
		j->heard++;
	} else if (said == NTS_NAK) {
		j->nak = true;
		j->naks++;
	} else
		j->forged++;
}

void
jar_proved(struct jar *j)
{
	j->proven = true;
}

void
jar_hurry(struct jar *j, int64_t raw)
{
	if (j->tries == 0 || j->due <= raw || j->asking ||
	    !pace_may(&j->hurried, raw, HURRY_MOST, HURRY_EVERY))
		return;
	j->due = raw;
}
