/*
 * config.h - turns the text of ntpd.conf(5) into a struct conf, or into
 * messages with line and column.  It and lex.c are the only pure rooms that
 * allocate.  After the start the result is const.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "core/conf.h"
#include "core/lex.h"

/* Parse size bytes of text into *conf.  True if there was no error; there may
 * be warnings.  Both results are the caller's, also after false.  They are
 * freed by the functions below: the daemon keeps its configuration for life,
 * but tests read many.  Without memory it gives up: then errors exceeds the
 * number of messages that are errors. */
bool config_parse(
    const char *text, size_t size, struct conf *, struct conf_messages *);
void config_free(struct conf *);
void config_free_messages(struct conf_messages *);

#endif
