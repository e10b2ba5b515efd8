/*
 * ctl.h - the ntpctl program.
 */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>
#include <stddef.h>

/* Run ntpctl.  Returns its exit status. */
int ctl_main(int argc, char **argv);

/* Show the text of VIEW_SCREEN on stdout.  On a terminal it has colours, unless
 * NO_COLOR or TERM says otherwise, and long lines are continued below. */
void ctl_screen(const char *text, size_t size);

/* Does ntpctl know this word? */
bool ctl_shows(const char *word);

/* Does a daemon answer, and by which path? */
bool ctl_daemon_runs(const char **at);

#endif
