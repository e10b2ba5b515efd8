/*
 * net.h - UDP to servers, addresses as text.
 */
#ifndef NET_H
#define NET_H

#include "core/address.h"
#include "core/ntp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* DSCP EF (RFC 3246) in the byte of the traffic class, as deployments of RFC 8633
 * mark time packets. */
enum { NET_EF = 0xb8 };

/* A connected UDP socket to port 123 of address; fresh source port, kernel
 * receive stamps, DSCP EF, non-blocking.  from: local address or family 0.
 * -1 with errno. */
int net_ask(const struct address *to, const struct address *from);

/* The local address of such a socket; false if it has none. */
bool net_local(int fd, struct address *);

/* Send NTP_SIZE bytes; the time is read right before.  0 or -1 with errno. */
int net_send(int fd, const uint8_t bytes[static NTP_SIZE], int64_t *sent_raw);

/* Receive one datagram.  Its size (cut to the buffer; > capacity tells the
 * length on the wire), or -1 with errno.  *got is on the raw axis, from the
 * kernel's stamp where that lies between sent and now. */
ssize_t net_receive(int fd, uint8_t *bytes, size_t capacity, int64_t sent_raw,
    int64_t *got_raw, double *precision);

/* Random bits that never wait for a kernel still gathering them, and a number
 * in [0, 1) made of such. */
uint64_t net_random(void);
double fraction(uint64_t bits);

/* Numeric text of an address, as OpenNTPD prints it. */
const char *net_text(const struct address *, char text[static ADDRESS_TEXT]);

/* The way to struct sockaddr and back. */
socklen_t
net_sockaddr(const struct address *, uint16_t port, struct sockaddr_storage *);
bool net_address(const struct sockaddr *, struct address *);

/* A non-blocking, close-on-exec socket made from a bare type; -1 with errno. */
int net_socket(int domain, int type);

/* Close a socket that came to nothing.  -1, with errno as it was. */
int net_undo(int fd);

#endif
