/*
 * net.h - UDP to servers, addresses as text.
 */
#ifndef NET_H
#define NET_H

#include "core/address.h"
#include "core/instant.h"
#include "core/ntp.h"

#include <sys/socket.h>
#include <sys/types.h>

/* DSCP EF (RFC 3246) in the byte of the traffic class, as deployments of RFC
 * 8633 mark time packets. */
enum { NET_EF = 0xb8 };

/* Open a non-blocking UDP socket that is connected to this port of an address.
 * It has a new source port, receive stamps of the kernel, and DSCP EF.  from is
 * the local address, or has family 0.  -1 with errno. */
int net_ask(
    const struct address *to, uint16_t port, const struct address *from);

/* The local address of such a socket; false if it has none. */
bool net_local(int fd, struct address *);

/* Send.  sent_raw is the kernel's stamp of when it left, if that is there by the
 * end of the call, or a reading before it.  0, or -1 with errno. */
int net_send(int fd, const uint8_t *bytes, size_t size, int64_t *sent_raw);

/* Receive one datagram.  Returns its size, or -1 with errno; the buffer has at
 * most "capacity" bytes of it.  t->sent must be set; t->got is made of the
 * kernel's stamp, if that lies between t->sent and now. */
ssize_t
net_receive(int fd, uint8_t *bytes, size_t capacity, struct stamps *t);

/* Random bits; the call never waits for a kernel that is still gathering
 * them. */
uint64_t net_random(void);

/* The numeric text of an address, as OpenNTPD prints it. */
const char *net_text(const struct address *, char text[static ADDRESS_TEXT]);

/* Make a struct sockaddr of an address, and an address of that. */
socklen_t
net_sockaddr(const struct address *, uint16_t port, struct sockaddr_storage *);
bool net_address(const struct sockaddr *, struct address *);

/* Make a socket that does not block and that is closed by exec(3).  The type is
 * without flags.  -1 with errno. */
int net_socket(int domain, int type);

/* Close a socket that came to nothing.  -1, with errno as it was. */
int net_undo(int fd);

#endif
