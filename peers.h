/*
 * peers.h - the servers of the configuration.
 */
#ifndef PEERS_H
#define PEERS_H

#include "core/instant.h"
#include "daemon.h"
#include "sys/helper.h"

#include <stdbool.h>
#include <stdint.h>

/* Lines and sources as the configuration says; exits without memory. */
void peers_make(struct daemon *);

/* Look up and ask what is due; raw time when it is to be called again. */
void peers_turn(struct daemon *, const struct instant *);
int64_t peers_due(const struct daemon *);

/* A datagram waits on the socket of source i; a name has been looked up. */
void peers_reply(struct daemon *, int i);
void peers_named(struct daemon *, const struct helper_result *, int64_t raw);

/* The network changed: look up at once the names that have failed, those that have
 * fewer addresses than places, and those that are listened on. */
void peers_names(struct daemon *, int64_t raw);

/* Does each server answer and each name resolve, and is the time known? */
bool peers_well(const struct daemon *);

/* The network may be another one: ask the servers that are silent, look up the
 * names that have no answer.  Does nothing while peers_well. */
void peers_anew(struct daemon *, int64_t raw);

/* Requests of ours came back to our own server: those sources are no sources of
 * time. */
void peers_echoed(struct daemon *, int64_t raw);

/* Ask every source at once; forget: what they said is void.  Without forget it
 * does nothing when that has been done too often of late. */
void peers_again(struct daemon *, int64_t raw, bool forget);

/* Nobody has said yet what the time is, or the clock is still to be set. */
bool peers_starting(const struct daemon *);

/* There is somebody to be asked, and nobody has answered in whatever way. */
bool peers_silent(const struct daemon *);

#endif
