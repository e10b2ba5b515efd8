/*
 * config.h - turns the text of ntpd.conf(5) into a struct conf, or into
 * messages with line and column.  It and lex.c are the only pure rooms that
 * allocate.  Once it is in force the result is const.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "core/conf.h"
#include "core/lex.h"

/* Parse size bytes of text into *conf.  True if there was no error; there may
 * be warnings.  Both results are the caller's, also after false.  They are
 * freed by the functions below.  Without memory it gives up: then errors
 * exceeds the number of messages that are errors. */
bool config_parse(
    const char *text, size_t size, struct conf *, struct conf_messages *);
void config_free(struct conf *);
/* Let *conf keep those parts (enum conf_part) that another one has.  They are
 * copied.  False without memory. */
bool config_retain(struct conf *, const struct conf *from, unsigned parts);
void config_free_messages(struct conf_messages *);

#endif
