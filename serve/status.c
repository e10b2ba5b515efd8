/*
 * status.c - what the daemon answers when it is asked.
 *
 * A struct status and the name of a view become text: ntpctl's tables, JSON,
 * metrics, lines for probes.  This room owns nothing and knows no socket and no
 * clock.
 *
 * JSON and metrics are made of the same lists of fields (CLOCK, SOURCE ...), so
 * that they cannot contradict each other.  The lists become strings in a row
 * and tables of offsets.  Tables of pointers would be relocated at every start,
 * since the program is position-independent, and would so take memory.
 */
#include "serve/status.h"
#include "core/word.h"
#include "serve/text.h"

#include <math.h>
#include <string.h>

/* ----------------------------------------------------------------- fields */

enum kind {
	BOOL,	/* bool */
	BYTE,	/* uint8_t */
	INT,	/* int */
	REACH,	/* int, eight bits */
	COUNT,	/* uint64_t */
	REAL,	/* double, 9 decimals: s to the ns */
	FINE,	/* double, 15 decimals: frequencies */
	POINT,	/* int64_t, ns */
	SECOND, /* int64_t, s */
	TEXT,	/* char [] */
	STRING, /* const char * */
	/* words, and counts by word */
	LEAP, PERMISSION, STATE, SELECTED, SAID, DROPPED, REJECTED, DISRUPTED
};

enum type { HIDDEN, GAUGE, COUNTER, INFO };

struct field {
	uint16_t offset;
	uint8_t kind, type;
};

/* F(member, kind, name in JSON, type, the metric's name, its help).  "ntpd_"
 * comes before the metric's name, and "_total" behind that of a counter. */
#define CLOCK(F)                                                               \
	F(real, POINT, "time", HIDDEN, "", "")                                 \
	F(version, STRING, "version", INFO, "build",                           \
	    "The version of this ntpd; always 1.")                             \
	F(build, SECOND, "build", GAUGE, "build_timestamp_seconds",            \
	    "Date of the source this ntpd was built from.")                    \
	F(uptime, REAL, "uptime", GAUGE, "uptime_seconds",                     \
	    "Time since the start.")                                           \
	F(synced, BOOL, "synced", GAUGE, "clock_synced",                       \
	    "1 if the clock is synchronised.")                                 \
	F(by_https, BOOL, "by_https", GAUGE, "clock_by_https",                 \
	    "1 if HTTPS servers keep it so, as no NTP server answers.")        \
	F(authentic, BOOL, "authenticated", GAUGE, "clock_authenticated",      \
	    "1 if servers with NTS or a key say what the time is.")            \
	F(authentics, INT, "authentic_known", GAUGE, "sources_authentic",      \
	    "Lines of servers with NTS or a key, as configured.")              \
	F(unauthentic, STRING, "not_authenticated", HIDDEN, "", "")            \
	F(ready, BOOL, "ready", GAUGE, "ready",                                \
	    "1 if the clock is synchronised and its error bound small "        \
	    "enough.")                                                         \
	F(ready_within, REAL, "ready_within", GAUGE, "ready_within_seconds",   \
	    "The error bound that is small enough.")                           \
	F(not_ready, TEXT, "not_ready", HIDDEN, "", "")                        \
	F(stratum, BYTE, "stratum", GAUGE, "stratum",                          \
	    "Distance from a reference clock in servers; 0 if "                \
	    "unsynchronised.")                                                 \
	F(leap, LEAP, "leap", GAUGE, "leap",                                   \
	    "1 for what is known of a leap second at the end of the day.")     \
	F(refid, TEXT, "system_source", HIDDEN, "", "")                        \
	F(offset, REAL, "offset", GAUGE, "clock_offset_seconds",               \
	    "Correction of the clock that is still to be made.")               \
	F(bound, REAL, "error_bound", GAUGE, "clock_error_bound_seconds",      \
	    "Largest error the clock can have if the sources are right.")      \
	F(freq, FINE, "frequency", GAUGE, "clock_frequency_ratio",             \
	    "Correction of the clock's frequency; 1e-6 is one ppm.")           \
	F(freq_sd, FINE, "frequency_error", GAUGE,                             \
	    "clock_frequency_error_ratio", "Standard error of the frequency.") \
	F(root_delay, REAL, "root_delay", GAUGE, "root_delay_seconds",         \
	    "Round trip to the reference clock.")                              \
	F(root_dispersion, REAL, "root_dispersion", GAUGE,                     \
	    "root_dispersion_seconds",                                         \
	    "Error collected from the reference clock on.")                    \
	F(last_sync, POINT, "last_sync", GAUGE, "last_sync_timestamp_seconds", \
	    "When sources last agreed on the time; 0 for never.")              \
	F(steps, COUNT, "steps", COUNTER, "clock_steps",                       \
	    "Times that this ntpd has set the clock at once.")                 \
	F(last_step, REAL, "last_step", GAUGE, "clock_last_step_seconds",      \
	    "Size of the last of these steps.")                                \
	F(foreign_sets, COUNT, "foreign_sets", COUNTER, "clock_foreign_sets",  \
	    "Times that another program was seen to set the clock.")           \
	F(foreign_writes, COUNT, "foreign_writes", COUNTER,                    \
	    "clock_foreign_writes",                                            \
	    "Times that another program was seen to steer the clock.")         \
	F(disruptions, DISRUPTED, "disruptions", COUNTER, "clock_disruptions", \
	    "Events that can make the clock wrong at once, by kind.")          \
	F(permission, PERMISSION, "permission", GAUGE, "clock_permission",     \
	    "1 for whether this ntpd may set the clock.")                      \
	F(permission_text, TEXT, "permission_text", INFO, "clock_remedy",      \
	    "What would let it set the clock; always 1.")                      \
	F(sandbox, TEXT, "sandbox", INFO, "sandbox",                           \
	    "What confines it; always 1.")                                     \
	F(refused, COUNT, "refused_calls", COUNTER, "refused_calls",           \
	    "System calls that the sandbox refused.")                          \
	F(filtered, BOOL, "ntp_filtered", GAUGE, "ntp_filtered",               \
	    "1 if UDP 123 seems to be filtered: no server answers.")           \
	F(conf_good, BOOL, "config_good", GAUGE,                               \
	    "config_last_reload_successful",                                   \
	    "1 if the last try to read the configuration was successful.")     \
	F(conf_read, POINT, "config_time", GAUGE,                              \
	    "config_last_reload_success_timestamp_seconds",                    \
	    "When the configuration was last read with success.")              \
	F(conf_why, STRING, "config_error", HIDDEN, "", "")                    \
	F(conf_restart, BOOL, "config_restart_needed", GAUGE,                  \
	    "config_restart_needed",                                           \
	    "1 if a part of the configuration takes effect after a restart.")  \
	F(conf_later, TEXT, "config_after_restart", HIDDEN, "", "")            \
	F(sources, INT, "sources_known", GAUGE, "sources",                     \
	    "Sources of time; members of pools count singly.")                 \
	F(sources_valid, INT, "sources_valid", GAUGE, "sources_valid",         \
	    "Sources of time that are trusted enough to be used.")             \
	F(constraints, INT, "constraints_known", GAUGE, "constraints",         \
	    "Constraints by HTTPS, as configured.")                            \
	F(constraint_errors, INT, "constraint_errors", HIDDEN, "", "")         \
	F(bound_known, BOOL, "constraint_known", GAUGE, "constraint_known",    \
	    "1 if the median of the constraints exists.")                      \
	F(bound_offset, REAL, "constraint_offset", GAUGE,                      \
	    "constraint_median_offset_seconds", "Median less the clock.")      \
	F(bound_error, REAL, "constraint_error", GAUGE,                        \
	    "constraint_median_error_seconds", "How far time may be from it.") \
	F(bound_age, REAL, "constraint_age", GAUGE,                            \
	    "constraint_median_age_seconds", "Age of the answer it is.")       \
	F(waiting, TEXT, "waiting", HIDDEN, "", "")                            \
	F(server.requests, COUNT, "server_requests", COUNTER,                  \
	    "server_requests", "Datagrams that came for the server.")          \
	F(server.replies, COUNT, "server_replies", COUNTER, "server_replies",  \
	    "Of these, answered.")                                             \
	F(server.dropped, DROPPED, "server_dropped", COUNTER,                  \
	    "server_dropped", "Of these, not answered, by reason.")            \
	F(roots, INT, "ca_roots", GAUGE, "ca_roots",                           \
	    "Certificate authorities that constraints may be signed by.")      \
	F(roots_expire, SECOND, "ca_roots_expire", GAUGE,                      \
	    "ca_roots_expiry_timestamp_seconds",                               \
	    "When the first of them expires.")

#define SOURCE(F)                                                              \
	F(name, STRING, "name", HIDDEN, "", "")                                \
	F(address, TEXT, "address", HIDDEN, "", "")                            \
	F(same_as, TEXT, "same_as", HIDDEN, "", "")                            \
	F(pool, BOOL, "pool", HIDDEN, "", "")                                  \
	F(trusted, BOOL, "trusted", HIDDEN, "", "")                            \
	F(authentic, BOOL, "authenticated", GAUGE, "source_authenticated",     \
	    "1 if its replies are authenticated, by NTS or a key.")            \
	F(woven, BOOL, "interleaved", HIDDEN, "", "")                          \
	F(weight, INT, "weight", HIDDEN, "", "")                               \
	F(trust, INT, "trust", HIDDEN, "", "")                                 \
	F(valid, BOOL, "valid", GAUGE, "source_valid",                         \
	    "1 if the source is trusted enough to be used.")                   \
	F(system, BOOL, "system", HIDDEN, "", "")                              \
	F(stratum, INT, "stratum", GAUGE, "source_stratum",                    \
	    "Stratum of the source; 0 if not known.")                          \
	F(leap, LEAP, "leap", HIDDEN, "", "")                                  \
	F(reach, REACH, "reach", GAUGE, "source_reachability_ratio",           \
	    "Part of the last eight requests that was answered.")              \
	F(state, STATE, "state", GAUGE, "source_state",                        \
	    "1 for what the exchange with the source waits for.")              \
	F(selected, SELECTED, "selected", GAUGE, "source_selection",           \
	    "1 for what the last vote made of the source.")                    \
	F(said, SAID, "last_reply", HIDDEN, "", "")                            \
	F(next, REAL, "next", HIDDEN, "", "")                                  \
	F(poll, REAL, "poll", GAUGE, "source_poll_seconds",                    \
	    "Present interval between requests.")                              \
	F(offset, REAL, "offset", GAUGE, "source_offset_seconds",              \
	    "The source's time less the clock's.")                             \
	F(delay, REAL, "delay", GAUGE, "source_delay_seconds", "Round trip.")  \
	F(jitter, REAL, "jitter", GAUGE, "source_jitter_seconds",              \
	    "Unsteadiness of the round trip.")                                 \
	F(distance, REAL, "distance", GAUGE, "source_distance_seconds",        \
	    "Largest error the source's time can have.")                       \
	F(root_delay, REAL, "root_delay", HIDDEN, "", "")                      \
	F(root_dispersion, REAL, "root_dispersion", HIDDEN, "", "")            \
	F(requests, COUNT, "requests", COUNTER, "source_requests",             \
	    "Requests sent to the source.")                                    \
	F(replies, COUNT, "replies", COUNTER, "source_replies",                \
	    "Replies of the source that were accepted.")                       \
	F(rejected, REJECTED, "rejected", COUNTER, "source_rejected",          \
	    "Replies of the source that were not, by reason.")                 \
	F(nts_age, REAL, "nts_age", GAUGE, "source_nts_age_seconds",           \
	    "Since its last exchange of keys.")                                \
	F(nts_exchanges, REAL, "nts_exchanges", COUNTER,                       \
	    "source_nts_exchanges", "Exchanges of keys that were begun.")      \
	F(nts_failures, REAL, "nts_failures", COUNTER, "source_nts_failures",  \
	    "Of these, without success.")                                      \
	F(nts_naks, REAL, "nts_naks", COUNTER, "source_nts_naks",              \
	    "Replies that the server does not know our keys.")                 \
	F(nts_cookies, REAL, "nts_cookies", GAUGE, "source_nts_cookies",       \
	    "Requests that can be sent without another reply.")                \
	F(nts_expire, REAL, "nts_certificate_expire", GAUGE,                   \
	    "source_nts_certificate_expiry_timestamp_seconds",                 \
	    "When its certificates expire.")                                   \
	F(nts_reason, STRING, "nts_error", HIDDEN, "", "")

#define SENSOR(F)                                                              \
	F(device, STRING, "device", HIDDEN, "", "")                            \
	F(clock, STRING, "clock", HIDDEN, "", "")                              \
	F(refid, STRING, "refid", HIDDEN, "", "")                              \
	F(trusted, BOOL, "trusted", HIDDEN, "", "")                            \
	F(votes, BOOL, "votes", HIDDEN, "", "")                                \
	F(weight, INT, "weight", HIDDEN, "", "")                               \
	F(stratum, INT, "stratum", HIDDEN, "", "")                             \
	F(valid, BOOL, "valid", GAUGE, "sensor_valid",                         \
	    "1 if the sensor's last reading was good.")                        \
	F(system, BOOL, "system", HIDDEN, "", "")                              \
	F(selected, SELECTED, "selected", GAUGE, "sensor_selection",           \
	    "1 for what the last vote made of the sensor.")                    \
	F(said, STRING, "last_reading", HIDDEN, "", "")                        \
	F(next, REAL, "next", HIDDEN, "", "")                                  \
	F(poll, REAL, "poll", HIDDEN, "", "")                                  \
	F(offset, REAL, "offset", GAUGE, "sensor_offset_seconds",              \
	    "The sensor's time less the clock's.")                             \
	F(delay, REAL, "delay", HIDDEN, "", "")                                \
	F(distance, REAL, "distance", GAUGE, "sensor_distance_seconds",        \
	    "Largest error the sensor's time can have.")                       \
	F(correction, REAL, "correction", HIDDEN, "", "")                      \
	F(tai, INT, "tai", HIDDEN, "", "")                                     \
	F(readings, COUNT, "readings", COUNTER, "sensor_readings",             \
	    "Readings of the sensor.")                                         \
	F(failures, COUNT, "failures", COUNTER, "sensor_failures",             \
	    "Of these, not good.")

#define CONSTRAINT(F)                                                          \
	F(host, STRING, "host", HIDDEN, "", "")                                \
	F(address, TEXT, "address", HIDDEN, "", "")                            \
	F(answered, BOOL, "answered", GAUGE, "constraint_answered",            \
	    "1 if there is an answer in force.")                               \
	F(age, REAL, "age", GAUGE, "constraint_age_seconds",                   \
	    "Age of the answer.")                                              \
	F(offset, REAL, "offset", GAUGE, "constraint_offset_seconds",          \
	    "The answer less the clock.")                                      \
	F(queries, COUNT, "queries", COUNTER, "constraint_queries",            \
	    "Queries made.")                                                   \
	F(failures, COUNT, "failures", COUNTER, "constraint_failures",         \
	    "Queries that brought no date.")                                   \
	F(reason, STRING, "reason", HIDDEN, "", "")

#define LISTENER(F)                                                            \
	F(address, TEXT, "address", HIDDEN, "", "")                            \
	F(service, STRING, "service", HIDDEN, "", "")                          \
	F(bound, BOOL, "bound", GAUGE, "listener_bound",                       \
	    "1 if the address is served, 0 if that is being tried.")           \
	F(reason, TEXT, "reason", HIDDEN, "", "")

#define NAMES(member, kind, json, type, metric, help)                          \
	json "\0" metric "\0" help "\0"
#define CLOCK_FIELD(member, kind, json, type, metric, help)                    \
	{ offsetof(struct status, member), kind, type },
#define SOURCE_FIELD(member, kind, json, type, metric, help)                   \
	{ offsetof(struct status_source, member), kind, type },
#define SENSOR_FIELD(member, kind, json, type, metric, help)                   \
	{ offsetof(struct status_sensor, member), kind, type },
#define CONSTRAINT_FIELD(member, kind, json, type, metric, help)               \
	{ offsetof(struct status_constraint, member), kind, type },
#define LISTENER_FIELD(member, kind, json, type, metric, help)                 \
	{ offsetof(struct status_listener, member), kind, type },

static const char clock_names[] = CLOCK(NAMES);
static const char source_names[] = SOURCE(NAMES);
static const char sensor_names[] = SENSOR(NAMES);
static const char constraint_names[] = CONSTRAINT(NAMES);
static const char listener_names[] = LISTENER(NAMES);
static const struct field clock_fields[] = { CLOCK(CLOCK_FIELD) };
static const struct field source_fields[] = { SOURCE(SOURCE_FIELD) };
static const struct field sensor_fields[] = { SENSOR(SENSOR_FIELD) };
static const struct field constraint_fields[] = { CONSTRAINT(
    CONSTRAINT_FIELD) };
static const struct field listener_fields[] = { LISTENER(LISTENER_FIELD) };

/* Structs of one kind in a row, and their fields. */
struct group {
	const char *names;
	const struct field *fields;
	size_t nfields;
	const char *first; /* the first struct */
	size_t stride;
	int n;
	/* two labels: their names, or NULL, and their offsets; the first is a
	 * char [], the second a const char * */
	const char *label[2];
	size_t at[2];
};

enum group_kind {
	GROUP_CLOCK, GROUP_SOURCES, GROUP_SENSORS, GROUP_CONSTRAINTS,
	GROUP_LISTENERS, GROUPS
};

#define GROUP(kind, structs, count, ...)                                       \
	return (struct group){ kind##_names, kind##_fields,                    \
		sizeof kind##_fields / sizeof *kind##_fields,                  \
		(const char *)(structs), sizeof *(structs), count, __VA_ARGS__ }

/* Inlined, it would be in the program three times, which costs 400 bytes. */
__attribute__((noinline)) static struct group
group(const struct status *s, enum group_kind kind)
{
	switch (kind) {
	case GROUP_SOURCES:
		GROUP(source, s->source, s->sources + s->shared,
		    { "address", "name" },
		    { offsetof(struct status_source, address),
			offsetof(struct status_source, name) });
	case GROUP_SENSORS:
		GROUP(sensor, s->sensor, s->sensors, { NULL, "device" },
		    { 0, offsetof(struct status_sensor, device) });
	case GROUP_CONSTRAINTS:
		GROUP(constraint, s->constraint, s->constraints,
		    { NULL, "host" },
		    { 0, offsetof(struct status_constraint, host) });
	case GROUP_LISTENERS:
		GROUP(listener, s->listener, s->listeners,
		    { "address", "service" },
		    { offsetof(struct status_listener, address),
			offsetof(struct status_listener, service) });
	default: GROUP(clock, s, 1, { NULL, NULL }, { 0, 0 });
	}
}

/* The value of label i of one of the structs; "" if there is no such label. */
static const char *
label(const struct group *g, const char *one, int i)
{
	if (g->label[i] == NULL)
		return "";
	return i == 0 ? one + g->at[0] :
			*(const char *const *)(const void *)(one + g->at[1]);
}

/* The string behind this one. */
static const char *
after(const char *s)
{
	return s + strlen(s) + 1;
}

/* How many words there are for the values of a kind; 0 if it has none. */
static int
words(enum kind kind)
{
	switch (kind) {
	case LEAP: return 4;
	case PERMISSION: return 4;
	case STATE: return SOURCE_STATES;
	case SELECTED: return SELECT_SAYS;
	case SAID:
	case REJECTED: return SAID_SAYS;
	case DROPPED: return DROPS;
	case DISRUPTED: return DISRUPTIONS;
	default: return 0;
	}
}

/* Word i of a kind, in the order of its enum. */
static const char *
word(const struct status *s, enum kind kind, int i)
{
	const char *w;

	switch (kind) {
	case SELECTED: w = s->selected_words; break;
	case SAID:
	case REJECTED: w = s->said_words; break;
	case DROPPED: w = s->dropped_words; break;
	case LEAP: w = "none\0insert\0delete\0unsynchronised"; break;
	case PERMISSION: w = "granted\0denied\0measuring\0yielded"; break;
	case DISRUPTED: w = "slept\0set\0moved\0restored\0jumped"; break;
	default: w = "unresolved\0idle\0waiting\0stopped"; break;
	}
	return word_at(w, i);
}

/* The index of the word for the field at p, or -1 if there is none. */
static int
chosen(enum kind kind, const void *p)
{
	int i = kind == LEAP   ? *(const uint8_t *)p :
	    kind == PERMISSION ? (int)*(const enum clock_permission *)p :
	    kind == STATE      ? (int)*(const enum source_state *)p :
	    kind == SELECTED   ? (int)*(const enum select_said *)p :
				 (int)*(const enum source_said *)p;

	return i >= 0 && i < words(kind) ? i : -1;
}

static const uint64_t *
counts(enum kind kind, const void *p)
{
	return kind == REJECTED ? *(const uint64_t *const *)p : p;
}

static bool
is_count(enum kind kind)
{
	return kind == DROPPED || kind == REJECTED || kind == DISRUPTED;
}

/* The value of a field of one of the kinds that are a number. */
static void
put_number(struct text *t, enum kind kind, const void *p)
{
	switch (kind) {
	case BOOL: text_count(t, *(const bool *)p, 1); break;
	case BYTE: text_count(t, *(const uint8_t *)p, 1); break;
	case COUNT: text_count(t, *(const uint64_t *)p, 1); break;
	case REAL: text_value(t, *(const double *)p, 9); break;
	case FINE: text_value(t, *(const double *)p, 15); break;
	case POINT: text_time(t, *(const int64_t *)p); break;
	case SECOND: text_int(t, *(const int64_t *)p); break;
	default: text_int(t, *(const int *)p); break;
	}
}

/* ------------------------------------------------------------------- JSON */

static void
json_counts(struct text *t, const struct status *s, enum kind kind,
    const uint64_t *count)
{
	text_char(t, '{');
	for (int i = kind == REJECTED; count != NULL && i < words(kind); i++) {
		text_quoted(t, word(s, kind, i));
		text_put(t, ": ");
		text_count(t, count[i], 1);
		if (i + 1 < words(kind))
			text_put(t, ", ");
	}
	text_char(t, '}');
}

static void
json_value(
    struct text *t, const struct status *s, enum kind kind, const void *p)
{
	switch (kind) {
	case BOOL: text_put(t, *(const bool *)p ? "true" : "false"); break;
	case REAL:
	case FINE:
		if (isfinite(*(const double *)p))
			put_number(t, kind, p);
		else
			text_put(t, "null");
		break;
	case TEXT: text_quoted(t, p); break;
	case STRING: text_quoted(t, *(const char *const *)p); break;
	case DISRUPTED:
	case DROPPED:
	case REJECTED: json_counts(t, s, kind, counts(kind, p)); break;
	default:
		if (words(kind) == 0)
			put_number(t, kind, p);
		else if (chosen(kind, p) < 0)
			text_put(t, "null");
		else
			text_quoted(t, word(s, kind, chosen(kind, p)));
		break;
	}
}

/* The members of one struct, without braces.  Those of the clock have lines of
 * their own. */
static void
json_members(struct text *t, const struct status *s, const struct group *g,
    const char *one)
{
	const char *between = one == (const char *)s ? ",\n" : ", ";
	const char *name = g->names;

	for (size_t i = 0; i < g->nfields; i++) {
		if (i > 0)
			text_put(t, between);
		text_quoted(t, name);
		text_put(t, ": ");
		json_value(t, s, g->fields[i].kind, one + g->fields[i].offset);
		name = after(after(after(name)));
	}
}

static void
json_array(struct text *t, const struct status *s, const char *name,
    enum group_kind kind)
{
	const struct group g = group(s, kind);

	text_quoted(t, name);
	text_put(t, ": [");
	for (int i = 0; i < g.n; i++) {
		text_put(t, i > 0 ? ",\n  {" : "\n  {");
		json_members(t, s, &g, g.first + (size_t)i * g.stride);
		text_char(t, '}');
	}
	text_char(t, ']');
}

static void
render_json(struct text *t, const struct status *s, enum status_view view)
{
	const struct group g = group(s, GROUP_CLOCK);
	bool all = view == VIEW_JSON;
	const char *between = all ? ",\n" : "";

	text_put(t, "{\n");
	if (all || view == VIEW_STATUS_JSON)
		json_members(t, s, &g, g.first);
	text_put(t, between);
	if (all || view == VIEW_PEERS_JSON)
		json_array(t, s, "sources", GROUP_SOURCES);
	text_put(t, between);
	if (all || view == VIEW_SENSORS_JSON)
		json_array(t, s, "sensors", GROUP_SENSORS);
	if (all) {
		text_put(t, between);
		json_array(t, s, "constraints", GROUP_CONSTRAINTS);
		text_put(t, between);
		json_array(t, s, "listeners", GROUP_LISTENERS);
	}
	text_put(t, "\n}\n");
}

/* ---------------------------------------------------------------- metrics */

/* One field of the structs of a group, as a metric family. */
struct family {
	const char *metric; /* its name; its help is behind it */
	const struct field *field;
	const struct group *group;
};

/* The head of one sample up to the value, with one more label if named. */
static void
sample_head(struct text *t, const struct family *f, const char *one,
    const char *const more[2])
{
	const struct group *g = f->group;
	const char *const name[] = { g->label[0], g->label[1], more[0] };
	const char *const value[] = { label(g, one, 0), label(g, one, 1),
		more[1] };
	const char *before = "{";

	text_put(t, "ntpd_");
	text_put(t, f->metric);
	text_put(t,
	    f->field->type == COUNTER  ? "_total" :
		f->field->type == INFO ? "_info" :
					 "");
	for (int i = 0; i < 3; i++) {
		if (name[i] == NULL)
			continue;
		text_put(t, before);
		text_put(t, name[i]);
		text_char(t, '=');
		text_quoted(t, value[i]);
		before = ",";
	}
	text_put(t, *before == ',' ? "} " : " ");
}

static int
bits(int reach)
{
	int i, n = 0;

	for (i = 0; i < 8; i++)
		n += reach >> i & 1;
	return n;
}

static const char *
label_of(enum kind kind)
{
	return kind == LEAP    ? "leap" :
	    kind == PERMISSION ? "permission" :
	    kind == DISRUPTED  ? "kind" :
	    is_count(kind)     ? "reason" :
				 "state";
}

/* A sample for each word of a field that has words. */
static void
word_samples(struct text *t, const struct status *s, const struct family *f,
    const char *one)
{
	const enum kind kind = f->field->kind;
	const void *p = one + f->field->offset;
	const uint64_t *count = is_count(kind) ? counts(kind, p) : NULL;

	if (is_count(kind) && count == NULL)
		return;
	for (int i = kind == REJECTED; i < words(kind); i++) {
		const char *const more[] = { label_of(kind), word(s, kind, i) };

		sample_head(t, f, one, more);
		text_count(
		    t, count != NULL ? count[i] : chosen(kind, p) == i, 1);
		text_char(t, '\n');
	}
}

/* The label of a field that is a text, and NULL for one that is a number. */
static const char *
text_label(const struct family *f)
{
	return f->field->kind == STRING ? "version" :
	    f->field->kind == TEXT	? f->metric :
					  NULL;
}

/* Is the field of this struct a number that is not known? */
static bool
is_unknown(const struct field *f, const char *one)
{
	return (f->kind == REAL || f->kind == FINE) &&
	    isnan(*(const double *)(one + f->offset));
}

/* The sample of a field that is one number, or a text as a label. */
static void
sample(struct text *t, const struct family *f, const char *one)
{
	const enum kind kind = f->field->kind;
	const void *p = one + f->field->offset;
	const bool real = kind == REAL || kind == FINE;
	const char *const more[] = { text_label(f),
		kind == STRING ? *(const char *const *)p : p };

	sample_head(t, f, one, more);
	if (more[0] != NULL)
		text_char(t, '1');
	else if (kind == REACH)
		text_value(t, bits(*(const int *)p) / 8.0, 3);
	else if (real && isinf(*(const double *)p))
		text_put(t, "+Inf");
	else
		put_number(t, kind, p);
	text_char(t, '\n');
}

/* Find the structs of the group that get samples, at most 64.  If the address
 * is a label, it must be known: a source without one has nothing to show.  The
 * labels must differ from those of the structs before, since the same labels
 * twice make the whole scrape void.  The host is the only label of constraints,
 * because one that never answered has failures to show, but no address. */
static int
told(const struct group *g, const char *out[static STATUS_METRIC_SOURCES])
{
	int i, j, n = 0;

	for (i = 0; i < g->n && n < STATUS_METRIC_SOURCES; i++) {
		const char *a = g->first + (size_t)i * g->stride;

		for (j = 0; j < n; j++)
			if (strcmp(label(g, a, 0), label(g, out[j], 0)) == 0 &&
			    strcmp(label(g, a, 1), label(g, out[j], 1)) == 0)
				break;
		if (j == n && (g->label[0] == NULL || *label(g, a, 0) != '\0'))
			out[n++] = a;
	}
	return n;
}

/* The two lines before the samples.  OpenMetrics differs in three things: these
 * lines name a counter without "_total" and an info without "_info", there is
 * the type "info", and a last line ends the text. */
static void
family_head(struct text *t, const struct family *f, bool open)
{
	const enum type type = f->field->type;
	const char *end = open || type == GAUGE ? " " :
	    type == INFO			? "_info " :
						  "_total ";

	text_put(t, "# HELP ntpd_");
	text_put(t, f->metric);
	text_put(t, end);
	text_put(t, after(f->metric));
	text_put(t, "\n# TYPE ntpd_");
	text_put(t, f->metric);
	text_put(t, end);
	text_put(t,
	    type == COUNTER	     ? "counter\n" :
		type == INFO && open ? "info\n" :
				       "gauge\n");
}

static void
metrics(struct text *t, const struct status *s, enum group_kind kind, bool open)
{
	const struct group g = group(s, kind);
	const char *one[STATUS_METRIC_SOURCES], *name = g.names;
	const int n = told(&g, one);

	for (size_t i = 0; n > 0 && i < g.nfields; i++) {
		const struct family f = { after(name), &g.fields[i], &g };
		bool begun = false;

		name = after(after(after(name)));
		for (int j = 0; j < n && f.field->type != HIDDEN; j++) {
			if (is_unknown(f.field, one[j]))
				continue;
			if (!begun)
				family_head(t, &f, open);
			begun = true;
			if (words(f.field->kind) > 0)
				word_samples(t, s, &f, one[j]);
			else
				sample(t, &f, one[j]);
		}
	}
}

static void
render_metrics(struct text *t, const struct status *s, bool open)
{
	for (int i = 0; i < GROUPS; i++)
		metrics(t, s, (enum group_kind)i, open);
	if (open)
		text_put(t, "# EOF\n");
}

/* ----------------------------------------------------------------- ntpctl */

/* A clock that is right may be so by another program's doing. */
static void
put_yielded(struct text *t, const struct status *s, const char *before)
{
	if (s->permission != CLOCK_YIELDED)
		return;
	text_put(t, before);
	text_put(t, "only measuring: ");
	text_clean(t, s->permission_text);
}

/* Is it vouched for by those who authenticate their replies, if there are any?
 * HTTPS does that as well. */
static void
put_authentic(struct text *t, const struct status *s)
{
	if (s->by_https || (!s->authentic && s->unauthentic[0] == '\0'))
		return;
	text_put(t, s->authentic ? ", authenticated" : ", not authenticated: ");
	text_clean(t, s->unauthentic);
}

/* A blank, and seconds as milliseconds. */
static void
put_ms(struct text *t, double s, int width)
{
	text_char(t, ' ');
	text_real(t, s * 1e3, 3, width);
	text_put(t, "ms");
}

/* How many of the sources of one kind can be used, if there are any. */
static void
put_valid(struct text *t, int valid, int of, const char *words)
{
	if (of == 0)
		return;
	text_int(t, valid);
	text_char(t, '/');
	text_int(t, of);
	text_put(t, words);
}

static void
render_status(struct text *t, const struct status *s)
{
	put_valid(t, s->sources_valid, s->sources, " peers valid, ");
	put_valid(t, s->sensors_valid, s->sensors, " sensors valid, ");
	if (s->bound_known) {
		text_put(t, "constraint offset ");
		text_int(t, (int64_t)floor(s->bound_offset));
		text_char(t, 's');
		if (s->constraint_errors > 0) {
			text_put(t, " (");
			text_int(t, s->constraint_errors);
			text_put(t, " errors)");
		}
		text_put(t, ", ");
	} else if (s->constraints > 0)
		text_put(t, "constraints configured but none available, ");
	if (s->sources == 0 && s->sensors == 0)
		text_put(t, "no peers and no sensors configured\n");
	if (s->synced) {
		text_put(t, "clock synced, stratum ");
		text_count(t, s->stratum, 1);
		if (s->by_https) {
			text_put(t, ", by HTTPS to ");
			text_real(t, s->bound * 1e3, 0, 0);
			text_put(t, "ms");
		}
		put_authentic(t, s);
		put_yielded(t, s, ", ");
	} else {
		text_put(t, "clock unsynced");
		if (s->permission == CLOCK_DENIED ||
		    s->permission == CLOCK_YIELDED) {
			text_put(t, ", ");
			text_clean(t, s->not_ready);
		} else if (s->offset != 0 && isfinite(s->offset)) {
			text_put(t, ", clock offset is");
			put_ms(t, s->offset, 0);
		} else if (s->unauthentic[0] != '\0')
			put_authentic(t, s);
		else if (s->filtered)
			text_put(t, ", UDP 123 may be filtered");
	}
	text_char(t, '\n');
}

/* What is wrong with the configuration, if anything is. */
static void
put_config(struct text *t, const struct status *s, const char *before,
    const char *behind)
{
	if (!s->conf_good) {
		text_put(t, before);
		text_put(t, "configuration refused: ");
		text_clean(t, s->conf_why);
		text_put(t, behind);
	}
	if (s->conf_restart) {
		text_put(t, before);
		text_put(t, "takes effect after a restart: ");
		text_put(t, s->conf_later);
		text_put(t, behind);
	}
}

/* Bytes of the longest address and name together: as in OpenNTPD's ntpctl. */
enum { PEER_LINE = 79 };

static void
put_seconds(struct text *t, double s)
{
	text_char(t, ' ');
	text_count(t, s > 0 ? (uint64_t)rint(s) : 0, 4);
	text_char(t, 's');
}

static void
render_peer(
    struct text *t, const struct status_source *s, const char *words)
{
	const char *address = s->address[0] != '\0' ? s->address :
	    s->same_as[0] != '\0'		    ? s->same_as :
						      "not resolved";
	char buf[PEER_LINE];
	struct text line = { buf, sizeof buf, 0 };

	if (s->same_as[0] != '\0')
		text_put(&line, "same as ");
	text_clean(&line, address);
	text_char(&line, ' ');
	if (s->pool)
		text_put(&line, "from pool ");
	if (strcmp(address, s->name) != 0)
		text_clean(&line, s->name);
	text_bytes(t, buf, line.used < sizeof buf ? line.used : sizeof buf);

	text_put(t, s->system ? "\n * " : "\n   ");
	text_count(t, (uint64_t)s->weight, 2);
	text_char(t, ' ');
	text_count(t, (uint64_t)s->trust, 2);
	text_char(t, ' ');
	if (s->stratum > 0)
		text_count(t, (uint64_t)s->stratum, 2);
	else
		text_put(t, " -");
	put_seconds(t, s->next);
	put_seconds(t, s->poll);
	if (s->valid) {
		text_char(t, ' ');
		put_ms(t, s->offset, 12);
		put_ms(t, s->delay, 9);
		text_char(t, ' ');
		put_ms(t, s->jitter, 8);
		text_put(t, s->authentic ? "  authenticated\n" : "\n");
	} else if (s->same_as[0] != '\0')
		text_put(t, "             ---- counted there ----\n");
	else {
		/* A lasting reason is shown, but none of the network's. */
		text_put(t, "             ---- peer not valid ----");
		if (s->nts_reason[0] != '\0' || s->said == SAID_SELF ||
		    s->said == SAID_LOOP || s->said == SAID_ROOT) {
			text_put(t, s->nts_reason[0] != '\0' ?
				" (key exchange: " : " (");
			text_clean(t, s->nts_reason[0] != '\0' ?
				s->nts_reason :
				word_at(words, (int)s->said));
			text_char(t, ')');
		}
		text_char(t, '\n');
	}
}

static void
render_peers(struct text *t, const struct status *s)
{
	if (s->sources == 0) {
		text_put(t, "no peers configured\n");
		return;
	}
	text_put(t,
	    "peer\n   wt tl st  next  poll          offset       delay"
	    "      jitter\n");
	for (int i = 0; i < s->sources + s->shared; i++)
		render_peer(t, &s->source[i], s->said_words);
}

static void
render_sensors(struct text *t, const struct status *s)
{
	if (s->sensors == 0) {
		text_put(t, "no sensors configured\n");
		return;
	}
	text_put(t,
	    "sensor\n   wt gd st  next  poll          offset  correction\n");
	for (int i = 0; i < s->sensors; i++) {
		const struct status_sensor *o = &s->sensor[i];

		text_put(t, o->device);
		text_put(t, "  ");
		text_clean(t, o->refid);
		text_put(t, o->system ? "\n * " : "\n   ");
		text_count(t, (uint64_t)o->weight, 2);
		text_count(t, o->valid, 3);
		text_count(t, (uint64_t)o->stratum, 3);
		put_seconds(t, o->next);
		put_seconds(t, o->poll);
		if (o->valid) {
			text_put(t, "  ");
			put_ms(t, o->offset, 11);
			put_ms(t, o->correction, 9);
			text_char(t, '\n');
		} else
			text_put(t, "         - sensor not valid -\n");
	}
}

/* How many of a line's characters are shown: at most STATUS_LINE.  The line is
 * cut between words, because half of a host's name would be another host's. */
static size_t
whole_words(const char *buf, size_t used)
{
	size_t n = STATUS_LINE;

	if (used <= STATUS_LINE)
		return used;
	while (n > STATUS_LINE / 2 && buf[n] != ' ')
		n--;
	return buf[n] == ' ' ? n : STATUS_LINE;
}

static void
put_ready(struct text *t, const struct status *s, const char *between)
{
	if (s->ready) {
		text_put(t, "ready: error bound ");
		text_real(t, s->bound, 6, 0);
		text_put(t, "s, stratum ");
		text_count(t, s->stratum, 1);
		text_put(t, s->by_https ? ", by HTTPS" : "");
		put_authentic(t, s);
		put_yielded(t, s, between);
	} else {
		text_put(t, "not ready: ");
		text_clean(t, s->not_ready[0] != '\0' ? s->not_ready :
		    "clock is unsynced");
	}
	put_config(t, s, between, "");
}

static void
render_ready(struct text *t, const struct status *s)
{
	char buf[STATUS_LINE + 1];
	struct text line = { buf, sizeof buf, 0 };

	put_ready(&line, s, "; ");
	text_bytes(t, buf, whole_words(buf, line.used));
	text_char(t, '\n');
}

/* ------------------------------------------------------------- the screen */

/* What a line of the screen says of a source, a sensor or a constraint. */
struct row {
	const char *state; /* as below */
	double offset, delay; /* s, or NAN */
	int stratum;	      /* 0: not known */
	const char *kind, *name, *address, *proof, *reason; /* or "" */
	const char *leap; /* or NULL */
};

/* A mark: well, wrong, or neither; then the state.  The first ones are those of
 * enum select_said. */
enum { OF_FAILED = SELECT_SAYS, OF_SILENT, OF_WAITS, OF_ANSWERS };
static const char row_states[][13] = { "  unused    ", "! disagrees ",
	"  outlier   ", "+ agrees    ", "+ followed  ", "! failed    ",
	"! silent    ", "  waits     ", "+ answers   " };

/* A length of time in the unit that fits, in ten columns. */
static void
put_span(struct text *t, double s)
{
	const double size = fabs(s);

	if (isnan(s))
		text_put(t, "          ");
	else {
		text_real(t, s * (size < 1e-3 ? 1e6 : size < 1 ? 1e3 : 1), 1, 8);
		text_put(t, size < 1e-3 ? "us" : size < 1 ? "ms" : "s ");
	}
}

static void
put_row(struct text *t, const struct row *r)
{
	text_put(t, r->state);
	put_span(t, r->offset);
	put_span(t, r->delay);
	if (r->stratum > 0)
		text_count(t, (uint64_t)r->stratum, 6);
	else
		text_put(t, "      ");
	text_put(t, r->kind);
	text_clean(t, r->name);
	if (r->address[0] != '\0' && strcmp(r->address, r->name) != 0) {
		text_char(t, ' ');
		text_clean(t, r->address);
	}
	text_put(t, r->proof);
	if (r->leap != NULL) {
		text_put(t, ", leap ");
		text_put(t, r->leap);
	}
	if (r->reason[0] != '\0') {
		text_put(t, ": ");
		text_clean(t, r->reason);
	}
	text_char(t, '\n');
}

static void
put_source(struct text *t, const struct status *status,
    const struct status_source *s)
{
	int state = OF_FAILED;
	const char *reason = "";

	if (s->valid || (s->reach != 0 && s->selected != SELECT_NONE))
		state = (int)s->selected;
	else if (s->same_as[0] != '\0') {
		state = SELECT_NONE;
		reason = "its address is listed already";
	} else if (s->nts_reason[0] != '\0')
		reason = s->nts_reason;
	else if (s->address[0] == '\0')
		reason = "no address known";
	else if (s->said != SAID_ACCEPTED)
		reason = word(status, SAID, (int)s->said);
	else
		state = s->reach == 0 && s->requests > s->replies +
			(s->state == SOURCE_WAITING) ? OF_SILENT : OF_WAITS;
	put_row(t, &(struct row){ row_states[state], s->offset, s->delay,
	    s->stratum, s->pool ? "  pool " : "  ", s->name,
	    s->same_as[0] != '\0' ? s->same_as : s->address,
	    !s->authentic ? "" : isnan(s->nts_exchanges) ? ", key" : ", NTS",
	    reason,
	    s->leap != LEAP_NONE ? word(status, LEAP, s->leap) : NULL });
}

static void
render_screen(struct text *t, const struct status *s)
{
	text_put(t, s->ready ? "+ clock " : "! clock ");
	text_put(t, s->synced ? "synchronised, " : "not synchronised, ");
	put_ready(t, s, "\n! ");
	text_put(t,
	    "\n\n  state         offset     delay stratum  source\n");
	for (int i = 0; i < s->sources + s->shared; i++)
		put_source(t, s, &s->source[i]);
	for (int i = 0; i < s->sensors; i++) {
		const struct status_sensor *o = &s->sensor[i];

		put_row(t, &(struct row){ row_states[o->valid ?
		    (int)o->selected : OF_FAILED], o->offset, o->delay,
		    o->stratum, "  sensor ", o->device, o->clock, "",
		    o->valid ? "" : o->said, NULL });
	}
	for (int i = 0; i < s->constraints; i++) {
		const struct status_constraint *c = &s->constraint[i];

		put_row(t, &(struct row){ row_states[c->reason[0] != '\0' ?
		    OF_FAILED : c->answered ? OF_ANSWERS : OF_WAITS],
		    c->offset, NAN, 0, "  https://", c->host, c->address, "",
		    c->reason, NULL });
	}
}

size_t
status_render(
    enum status_view view, const struct status *s, char *out, size_t size)
{
	struct text t = { out, size, 0 };

	switch (view) {
	case VIEW_STATUS:
		render_status(&t, s);
		text_put(&t, "sandbox: ");
		text_put(&t, s->sandbox);
		text_char(&t, '\n');
		put_config(&t, s, "", "\n");
		break;
	case VIEW_PEERS: render_peers(&t, s); break;
	case VIEW_SENSORS: render_sensors(&t, s); break;
	case VIEW_ALL:
		render_status(&t, s);
		put_config(&t, s, "", "\n");
		if (s->sources > 0) {
			text_char(&t, '\n');
			render_peers(&t, s);
		}
		if (s->sensors > 0) {
			text_char(&t, '\n');
			render_sensors(&t, s);
		}
		break;
	case VIEW_READY: render_ready(&t, s); break;
	case VIEW_LIVE: text_put(&t, "live\n"); break;
	case VIEW_SCREEN: render_screen(&t, s); break;
	case VIEW_METRICS: render_metrics(&t, s, false); break;
	case VIEW_OPENMETRICS: render_metrics(&t, s, true); break;
	default: render_json(&t, s, view); break;
	}
	return t.used;
}

const char *
status_type(enum status_view view)
{
	switch (view) {
	case VIEW_STATUS_JSON:
	case VIEW_PEERS_JSON:
	case VIEW_SENSORS_JSON:
	case VIEW_JSON: return "application/json";
	case VIEW_METRICS: return "text/plain; version=0.0.4; charset=utf-8";
	case VIEW_OPENMETRICS:
		return "application/openmetrics-text; version=1.0.0; "
		       "charset=utf-8";
	default: return "text/plain; charset=utf-8";
	}
}

/* In the order of enum status_view. */
static const char paths[] =
    "/ntpctl/status\0/ntpctl/peers\0/ntpctl/Sensors\0/ntpctl/all\0"
    "/status/status\0/status/peers\0/status/Sensors\0/status\0"
    "/metrics\0/readyz\0/healthz\0/ntpctl";

const char *
status_path(enum status_view view)
{
	return view < VIEW_OPENMETRICS ? word_at(paths, (int)view) : NULL;
}
