/*
 * resolv.c - whatever a name server sends, and whatever the files hold: an
 * answer that is none gives no address, and what is found is within bounds.
 */
#include "core/address.h"
#include "core/resolv.h"
#include "tests/fuzz/fuzz.h"

static void
check_answer(const uint8_t *data, size_t size)
{
	uint8_t query[RESOLV_QUERY], *bytes = malloc(size + 1);
	size_t n = resolv_query("a.time.test", size & 1, 0x6162, query);
	struct resolv_found found;
	enum resolv_said said;

	if (bytes == NULL)
		return;
	/* A copy of the exact length shows a read past its end.  With the right
	 * head and question, the rest is reached sooner. */
	memcpy(bytes, data, size);
	if (size >= n && (size & 2)) {
		memcpy(bytes, query, 2);
		memcpy(bytes + 12, query + 12, n - 12);
		memcpy(bytes + 4, "\0\1", 2);
	}
	said = resolv_answer(bytes, size, query, n, &found);
	if (said >= RESOLV_SAYS || found.addresses < 0 ||
	    found.addresses > POOL_MAX ||
	    (said == RESOLV_FOUND) > (found.addresses > 0) ||
	    (said != RESOLV_FOUND && said != RESOLV_CUT &&
		found.addresses > 0))
		abort();
	free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct resolv table;
	struct resolv_conf conf;
	char address[ADDRESS_TEXT], name[RESOLV_NAME];
	size_t n = strnlen((const char *)data, size);
	int i;

	check_answer(data, size);
	resolv_conf((const char *)data, size, &conf);
	if (conf.servers < 1 || conf.servers > RESOLV_SERVERS)
		abort();
	(void)resolv_hosts((const char *)data, size, "time", address);
	if (n >= sizeof name)
		n = sizeof name - 1;
	memcpy(name, data, n);
	name[n] = '\0';
	(void)resolv_localhost(name);
	if (resolv_fault(name) != NULL)
		strcpy(name, "a");
	resolv_begin(&table, &conf, name, 0, 0);
	if (table.names < 1 || table.names > RESOLV_NAMES)
		abort();
	for (i = 0; i < table.names; i++)
		if (resolv_fault(table.name[i].text) != NULL)
			abort();
	return 0;
}
