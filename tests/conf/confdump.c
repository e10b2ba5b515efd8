/*
 * confdump FILE - what config.c makes of a file, for conf.sh and test_conf.py.
 * confdump -m FILE - the same as often as it allocates, and each time another of
 * the allocations fails.
 *
 * Prints the messages as "FILE:LINE:COLUMN: message" (the file's name without
 * its directories), then, if there was no error, everything in struct conf, one
 * thing a line.  With -m only what is wrong.  Exit status 0: parsed, 1: errors.
 */
#include <arpa/inet.h>
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core/address.h"
#include "core/conf.h"

/* Linked with --wrap=malloc,--wrap=realloc: config.o's allocations come here. */
void *__real_malloc(size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_realloc(void *, size_t);

static long fail_at;			/* 0: never */
static bool failed;

static bool
fails(void)
{
	if (fail_at == 0 || --fail_at > 0)
		return false;
	failed = true;
	return true;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

static const char *
show(const struct address *a)
{
	static char text[4][80];
	static int turn;
	char *out = text[turn++ % 4];

	if (a->family == 0)
		return "-";
	inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, out, 64);
	if (a->scope != 0)
		sprintf(out + strlen(out), "%%%u", a->scope);
	return out;
}

static void
show_key(const struct key *k)
{
	if (k->id == 0)
		return;
	printf(" key %u %s ", k->id, k->path != NULL ? k->path : "-");
	for (int i = 0; i < k->size; i++)
		printf("%02x", k->secret[i]);
}

static void
dump(const struct conf *c)
{
	int i, j;

	for (i = 0; i < c->servers; i++) {
		const struct conf_server *s = &c->server[i];

		printf("%d %s \"%s\" address %s weight %d%s", s->line,
		    s->pool ? "servers" : "server", s->name,
		    show(&s->address), s->weight, s->trusted ? " trusted" : "");
		if (s->poll_least != 0 || s->poll_most != 0)
			printf(" poll %g..%g", s->poll_least, s->poll_most);
		if (s->distance_most != 0)
			printf(" maxdistance %g", s->distance_most);
		if (s->interleaved)
			printf(" interleaved");
		if (s->nts)
			printf(" nts port %d", s->nts_port);
		show_key(&s->key);
		if (s->from4.family != 0)
			printf(" from4 %s", show(&s->from4));
		if (s->from6.family != 0)
			printf(" from6 %s", show(&s->from6));
		putchar('\n');
	}
	for (i = 0; i < c->sensors; i++) {
		const struct conf_sensor *s = &c->sensor[i];

		printf("%d sensor \"%s\" correction %d refid \"%s\" stratum %d "
		    "weight %d%s%s", s->line, s->device, s->correction,
		    s->refid, s->stratum, s->weight,
		    s->trusted ? " trusted" : "", s->tai ? " tai" : "");
		if (s->error != SENSOR_ERROR)
			printf(" error %d", s->error);
		putchar('\n');
	}
	for (i = 0; i < c->constraints; i++) {
		const struct conf_constraint *s = &c->constraint[i];

		if (s->sensor) {
			printf("%d constraint sensor \"%s\"\n", s->line, s->host);
			continue;
		}
		printf("%d %s host \"%s\" port %d path \"%s\" numeric %s",
		    s->line, s->pool ? "constraints" : "constraint", s->host,
		    s->port, s->path, show(&s->numeric));
		for (j = 0; j < s->addresses; j++)
			printf(" %s", show(&s->address[j]));
		puts(s->timekeeping ? " timekeeping" : "");
	}
	for (i = 0; i < c->listens + c->metricses; i++) {
		const struct conf_listen *l = i < c->listens ?
		    &c->listen[i] : &c->metrics[i - c->listens];

		printf("%d %s on \"%s\"%s address %s port %d\n", l->line,
		    i < c->listens ? "listen" : "metrics", l->name,
		    l->any ? " any" : "", show(&l->address), l->port);
	}
	for (i = 0; i < c->keys; i++) {
		printf("%d", c->key[i].line);
		show_key(&c->key[i]);
		putchar('\n');
	}
	for (i = 0; i < c->allows; i++)
		printf("allow from %s/%d\n", show(&c->allow[i].network),
		    c->allow[i].bits);
	if (c->driftfile != NULL)
		printf("driftfile \"%s\"\n", c->driftfile);
	if (c->cafile != NULL)
		printf("%d cafile \"%s\"\n", c->cafile_line, c->cafile);
	if (c->clockbound != NULL)
		printf("clockbound \"%s\"\n", c->clockbound);
	if (c->user != NULL)
		printf("%d user \"%s\"\n", c->user_line, c->user);
	if (c->owner != OWNER_YIELD)
		printf("clock owner %s\n",
		    c->owner == OWNER_FIGHT ? "fight" : "ignore");
	if (c->nts_require)
		printf("nts require\n");
	if (c->strict)
		printf("strict\n");
	if (c->ready_within != 1)
		printf("ready within %.10g\n", c->ready_within);
	if (c->limit_rate != LIMIT_RATE ||
	    c->limit_burst != LIMIT_RATE * LIMIT_SECONDS)
		printf("limit rate %.10g burst %d\n", c->limit_rate,
		    c->limit_burst);
}

static void
print(const char *base, bool ok, const struct conf *conf,
    const struct conf_messages *messages)
{
	int i, wrong = 0;

	for (i = 0; i < messages->count; i++) {
		const struct conf_message *m = &messages->message[i];

		wrong += !m->warning;
		printf("%s:%d:%d: %s%s\n", base, m->line, m->column,
		    m->warning ? "warning: " : "", m->text);
	}
	if (ok != (wrong == 0) || wrong != messages->errors)
		puts("inconsistent");
	if (ok)
		dump(conf);
}

/* Without memory there must be an error more than there are messages. */
static bool
run_out(const char *text, size_t size, long at)
{
	struct conf conf;
	struct conf_messages messages;
	int i, wrong = 0;
	bool ok;

	failed = false;
	fail_at = at;
	ok = config_parse(text, size, &conf, &messages);
	fail_at = 0;
	for (i = 0; i < messages.count; i++)
		wrong += !messages.message[i].warning;
	if (failed && (ok || messages.errors <= wrong))
		printf("allocation %ld failed, and nobody said so\n", at);
	config_free(&conf);
	config_free_messages(&messages);
	return failed;
}

int
main(int argc, char *argv[])
{
	const char *name = argv[argc - 1];
	char *text = NULL;
	size_t size = 0, room = 0;
	struct conf conf;
	struct conf_messages messages;
	FILE *f;
	long n;
	bool ok;

	if (argc < 2 || (f = fopen(name, "rb")) == NULL) {
		fprintf(stderr, "usage: confdump [-m] file\n");
		return 2;
	}
	do {
		room += 1 << 16;
		if ((text = __real_realloc(text, room)) == NULL)
			return 2;
		size += fread(text + size, 1, room - size, f);
	} while (size == room);
	fclose(f);
	/* As long as the text, so that ASan sees a read past its end. */
	if (size > 0)
		text = __real_realloc(text, size);

	if (argc > 2) {
		for (n = 1; run_out(text, size, n); n++)
			;
		free(text);
		return 0;
	}
	ok = config_parse(text, size, &conf, &messages);
	print(strrchr(name, '/') == NULL ? name : strrchr(name, '/') + 1, ok,
	    &conf, &messages);
	config_free(&conf);
	config_free_messages(&messages);
	free(text);
	return ok ? 0 : 1;
}
