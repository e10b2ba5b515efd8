/*
 * parse.h - the configuration that a text without mistakes makes.
 */
#ifndef PARSE_H
#define PARSE_H

#include "config.h"
#include "tests/test.h"

/* The caller ends it with config_free. */
static inline void
parse(const char *text, struct conf *c)
{
	struct conf_messages m;

	assert_true(config_parse(text, strlen(text), c, &m));
	config_free_messages(&m);
}

#endif
