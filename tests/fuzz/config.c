/*
 * config.c - libFuzzer's entry to config.c.  tests/conf is a corpus.
 *
 * Besides what sanitizers see, it checks that the answer agrees with the
 * messages, that messages are printable and point into the text, and that what
 * was accepted keeps every promise that conf.h and ntpd.conf(5) make.
 */
#include "config.h"
#include "core/address.h"
#include "core/conf.h"
#include "core/constraint.h"
#include "core/source.h"
#include "tests/fuzz/fuzz.h"

static void
printable(const char *s)
{
	CHECK(s != NULL && *s != '\0');
	for (; *s != '\0'; s++)
		CHECK(*s > ' ' && *s <= '~');
}

static void
check_address(const struct address *a, const char *name)
{
	struct address again = { 0 };

	CHECK(a->family == 0 || a->family == 4 || a->family == 6);
	if (name != NULL)
		CHECK(address_parse(name, &again) == (a->family != 0) &&
		    memcmp(&again, a, sizeof(again)) == 0);
}

static void
check_servers(const struct conf *c)
{
	int i, line = 0;

	CHECK(c->servers <= SOURCES_MAX);
	for (i = 0; i < c->servers; i++) {
		const struct conf_server *s = &c->server[i];

		printable(s->name);
		CHECK(strlen(s->name) <= 253);
		CHECK(s->weight >= 1 && s->weight <= 10);
		CHECK(s->line >= line);
		line = s->line;
		CHECK(s->from4.family == 0 || s->from4.family == 4);
		CHECK(s->from6.family == 0 || s->from6.family == 6);
		CHECK((s->poll_least == 0 && s->poll_most == 0) ||
		    (s->poll_least >= 4 && s->poll_most >= s->poll_least &&
		    s->poll_most <= 131072));
		check_address(&s->address, s->name);
	}
	for (i = 0; i < c->sensors; i++) {
		const struct conf_sensor *s = &c->sensor[i];

		CHECK(s->device[0] != '\0');
		CHECK(memchr(s->refid, '\0', sizeof(s->refid)) != NULL);
		CHECK(abs(s->correction) <= 127000000);
		CHECK(s->stratum >= 1 && s->stratum <= 15);
		CHECK(s->error >= 1 && s->error <= 1000000);
		CHECK(s->weight >= 1 && s->weight <= 10);
	}
}

static void
check_constraints(const struct conf *c)
{
	int i, j;

	CHECK(c->constraints <= CONSTRAINTS_MAX);
	for (i = 0; i < c->constraints; i++) {
		const struct conf_constraint *s = &c->constraint[i];
		size_t length = strlen(s->host);

		if (s->sensor) {
			CHECK(length > 0 && !s->pool);
			continue;
		}
		printable(s->host);
		printable(s->path);
		CHECK(length <= 253 && s->path[0] == '/');
		CHECK(strlen(s->path) <= URL_PATH_MAX);
		CHECK(strchr(s->path, '#') == NULL);
		CHECK(strpbrk(s->host, "/[]@#?") == NULL);
		CHECK(s->port > 0);
		check_address(&s->numeric, s->host);
		if (s->numeric.family == 0)
			CHECK(strchr(s->host, ':') == NULL &&
			    s->host[0] != '.' && s->host[length - 1] != '.');
		CHECK(s->addresses >= 0 &&
		    s->addresses <= CONSTRAINT_ADDRESSES);
		CHECK(!s->pool || s->addresses == 0);
		for (j = 0; j < s->addresses; j++)
			CHECK(s->address[j].family != 0);
	}
}

static void
check_listens(const struct conf *c)
{
	int i, j;

	CHECK(c->listens <= LISTENS_MAX && c->metricses <= LISTENS_MAX);
	for (i = 0; i < c->listens + c->metricses; i++) {
		const struct conf_listen *l = i < c->listens ?
		    &c->listen[i] : &c->metrics[i - c->listens];

		printable(l->name);
		CHECK(l->any == (strcmp(l->name, "*") == 0));
		CHECK(l->port > 0);
		check_address(&l->address, l->name);
	}
	CHECK(c->allows <= ALLOWS_MAX);
	for (i = 0; i < c->allows; i++) {
		const struct conf_allow *a = &c->allow[i];
		int size = a->network.family == 4 ? 32 : 128;

		CHECK(a->network.family != 0 && a->network.scope == 0);
		CHECK(a->bits >= 0 && a->bits <= size);
		for (j = a->bits; j < size; j++)
			CHECK((a->network.bytes[j / 8] & 0x80 >> j % 8) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf conf;
	struct conf_messages messages;
	const struct conf_message *m;
	int i, errors = 0, lines = 1, last = 0;
	size_t at;
	bool ok;

	for (at = 0; at < size; at++)
		lines += data[at] == '\n' || data[at] == '\r';
	ok = config_parse((const char *)data, size, &conf, &messages);
	for (i = 0; i < messages.count; i++) {
		m = &messages.message[i];
		CHECK(m->text[0] != '\0' && strlen(m->text) < 512);
		for (at = 0; m->text[at] != '\0'; at++)
			CHECK(m->text[at] >= ' ' && m->text[at] <= '~');
		CHECK(m->line >= 1 && m->line <= lines && m->column >= 1);
		if (m->warning)
			continue;
		/* One for each line. */
		CHECK(m->line > last);
		last = m->line;
		errors++;
	}
	CHECK(errors == messages.errors && ok == (errors == 0));
	if (ok) {
		CHECK(conf.servers > 0 || conf.sensors > 0 ||
		    messages.count > 0);
		CHECK(conf.ready_within >= 1e-6 &&
		    conf.ready_within <= 86400);
		CHECK(conf.limit_rate >= 1 && conf.limit_rate <= LIMIT_MOST);
		CHECK(conf.limit_burst >= 1 &&
		    conf.limit_burst <= LIMIT_MOST);
		CHECK(conf.driftfile == NULL || conf.driftfile[0] != '\0');
		CHECK(conf.cafile == NULL || conf.cafile[0] != '\0');
		check_servers(&conf);
		check_constraints(&conf);
		check_listens(&conf);
	}
	config_free(&conf);
	config_free_messages(&messages);
	return 0;
}
