/* blank.h - what a made-up struct status or status_source has at least.
 *
 * serve/status.h promises that these texts are there, if only empty.  Whoever
 * makes one up begins with them, so that a new text is added here only. */
#ifndef BLANK_H
#define BLANK_H

#define BLANK_STATUS .unauthentic = "", .conf_why = ""

#define BLANK_SOURCE .nts_reason = ""

#endif
