/*
 * log.h - one event, one line.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_class {
	LOG_CLASS_CLOCK, /* a warning about the clock itself: never crowded
			    out by others */
	LOG_CLASS_WARN,	 /* syslog warning */
	LOG_CLASS_STATE, /* info that is never crowded out by others */
	LOG_CLASS_INFO,
	LOG_CLASS_REPLY, /* debug line of an accepted reply: no budget */
	LOG_CLASS_DEBUG, /* shown with -d or -vv */
	LOG_CLASS_DETAIL /* shown with -vv only */
};

/* One event, one line; what is not printable ASCII in it becomes '?', since a
 * terminal may take bytes from 0x80 on for control characters.  errno is kept.
 * A stderr that breaks is ignored. */
void log_line(enum log_class, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Show classes up to this one; begin with stderr or syslog.  On a stderr that
 * JOURNAL_STREAM says is the journal's, lines begin with their priority, "<4>"
 * (sd-daemon(3)). */
void log_level(enum log_class);
void log_start(bool to_syslog);

/* From now on lines have a budget (calm.c), or none any longer.  log_turn says
 * what was held back, when log_due says so. */
void log_calm(bool on);
void log_turn(int64_t raw);
int64_t log_due(void);

/* Tell the supervisor, if one gave us NOTIFY_SOCKET (systemd's Type=notify):
 * "READY=1", "STATUS=words", "STOPPING=1", joined by newlines. */
void notify_supervisor(const char *state);

/* An impossible state of our own: the room's name and what broke; exits 1. */
_Noreturn void
fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
