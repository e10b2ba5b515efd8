/*
 * ctl.h - the ntpctl program.
 */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>

/* The ntpctl program; returns its exit status. */
int ctl_main(int argc, char **argv);

/* Is this a word that ntpctl would show something for? */
bool ctl_shows(const char *word);

/* Does a daemon answer at the control socket? */
bool ctl_daemon_runs(void);

#endif
