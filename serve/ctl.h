/*
 * ctl.h - the ntpctl program.
 */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>

/* Run ntpctl.  Returns its exit status. */
int ctl_main(int argc, char **argv);

/* Does ntpctl know this word? */
bool ctl_shows(const char *word);

/* Does a daemon answer, and by which path? */
bool ctl_daemon_runs(const char **at);

#endif
