/*
 * date.c - whatever a server sends: http_head says the same of it whether
 * it comes at once or byte by byte, and a date it gives is one that can be.
 */
#include "core/http.h"
#include "core/instant.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_said whole, part = HTTP_MORE;
	struct http_time t, early = { 0 };
	int64_t real = -1;
	char *bytes;

	whole = http_head((const char *)data, size, &t);
	if (whole == HTTP_DATE && (t.real < 0 || t.real % NS_PER_S != 0 ||
	    t.dated == 0 || t.dated > size || t.age > HTTP_AGE_MOST))
		abort();
	/* A copy of each length shows a read past its end. */
	for (size_t n = 0; n <= size && n <= 600 && part == HTTP_MORE; n++) {
		bytes = malloc(n + 1);
		if (bytes == NULL)
			return 0;
		memcpy(bytes, data, n);
		part = http_head(bytes, n, &early);
		free(bytes);
	}
	/* (A refusal may come sooner, and for another reason.) */
	if (size <= 600 && ((part == HTTP_MORE) != (whole == HTTP_MORE) ||
	    (part == HTTP_DATE) != (whole == HTTP_DATE) ||
	    early.real != t.real || early.dated != t.dated))
		abort();

	if (http_date((const char *)data, size, &real) != (real >= 0))
		abort();
	return 0;
}
