/*
 * log.h - one event, one line.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_class {
	LOG_CLASS_CLOCK, /* a warning about the clock itself; many other lines
			    do not keep it out of the log */
	LOG_CLASS_WARN,	 /* a warning, also for syslog */
	LOG_CLASS_STATE, /* an info that other lines do not keep out */
	LOG_CLASS_INFO,
	LOG_CLASS_REPLY, /* a debug line of an accepted reply: no budget */
	LOG_CLASS_DEBUG, /* shown with -d or -vv */
	LOG_CLASS_DETAIL /* shown with -vv only */
};

/* Log one event as one line.  Whatever is not printable ASCII becomes '?',
 * since a terminal may take bytes from 0x80 on for control characters.  errno
 * is kept.  A line that cannot be written at once is dropped. */
void log_line(enum log_class, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* log_level: show the classes up to this one.  log_start: begin to write to
 * standard error, or to syslog.  If JOURNAL_STREAM says that standard error
 * belongs to the journal, lines begin with their priority, such as "<4>"
 * (sd-daemon(3)). */
void log_level(enum log_class);
void log_start(bool to_syslog);

/* From now on lines have a budget (calm.c), or none any longer.  log_turn logs
 * how many lines were held back; log_due is the raw time when it is to be
 * called. */
void log_calm(bool on);
void log_turn(int64_t raw);
int64_t log_due(void);

/* Tell the supervisor "READY=1", "STATUS=words" or "STOPPING=1", or several of
 * them with newlines between.  Only one that gave us NOTIFY_SOCKET is told
 * (systemd's Type=notify). */
void notify_supervisor(const char *state);

/* The program cannot go on: log why, and exit with status 1.  For a state that
 * our own code makes impossible, the message begins with the name of the
 * room. */
_Noreturn void
fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
