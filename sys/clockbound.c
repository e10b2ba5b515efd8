/*
 * clockbound.c - writes the page in which programs find how wrong the clock can
 * be.
 *
 * Readers map the file and ask nobody.  A generation number tells them that a
 * write was going on: it is odd meanwhile, and another one afterwards.  We do
 * not map the file, but write to it, which readers of a mapping see at once.  If
 * it were mapped here, whoever cuts the file off would end us by SIGBUS; now the
 * next write makes it whole again.
 *
 * The file is never emptied or replaced, since clients may have it mapped and
 * would not notice.  At the end nothing is done: the bound in it holds and
 * grows, clients see that it is not renewed, and after CLOCKBOUND_VALID it is
 * void.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#include "sys/clockbound.h"
#include "sys/file.h"
#include "sys/instant.h"

enum {
	MAGIC_ONE = 0x414d5a4e,
	MAGIC_TWO = 0x43420200,
	VERSION_TWO = 2,
	HEADER = offsetof(struct clockbound_page, as_of), /* bytes */
	SIZE = sizeof(struct clockbound_page),
	/* s: a client calls a page that is older than 5 s "free running", which
	 * databases refuse.  So it is renewed before that, with a second to
	 * spare. */
	RENEW = 4
};
_Static_assert(HEADER == 16 && SIZE == 80, "PROTOCOL.md, version 2");

/* s: a bound that is not known is told as 31 years.  Subtracted from today's
 * time, it gives no negative number. */
static const double MOST = 1e9;

static bool
put(const struct clockbound *c, size_t from, size_t size)
{
	ssize_t n = pwrite(c->fd, (const char *)&c->page + from, size,
	    (off_t)from);

	/* Another core must not see the next write before this one. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return n == (ssize_t)size;
}

/* Does another daemon write?  Its lock stands until it ends, as ours does: locks
 * of this kind belong to the open file, which children have closed.  Who may only
 * read the page can lock it for reading, which must not keep us out. */
static bool
is_taken(int fd)
{
	struct flock lock = { .l_type = F_WRLCK };

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 &&
	    fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

bool
clockbound_open(struct clockbound *c, const char *path)
{
	struct clockbound_page *p = &c->page;

	c->fd = file_keep(path);
	if (c->fd < 0)
		return false;
	if (is_taken(c->fd)) {
		(void)close(c->fd);
		errno = EAGAIN;
		return false;
	}
	c->kept = pread(c->fd, p, SIZE, 0) == SIZE &&
	    p->magic[0] == MAGIC_ONE && p->magic[1] == MAGIC_TWO &&
	    p->version == VERSION_TWO &&
	    p->as_of[0] <= clock_now(CLOCK_MONOTONIC_COARSE) / NS_PER_S;
	if (!c->kept)
		*p = (struct clockbound_page){
			.magic = { MAGIC_ONE, MAGIC_TWO },
			.version = VERSION_TWO,
		};
	p->size = SIZE;
	return c->open = put(c, 0, SIZE);
}

void
clockbound_write(struct clockbound *c, const struct clockbound_promise *n,
    int64_t raw)
{
	struct clockbound_page *p = &c->page;
	int64_t now = clock_now(CLOCK_MONOTONIC_COARSE);

	if (n->status == CLOCKBOUND_KEPT && c->kept)
		return;
	c->kept = false;
	c->at = raw;
	p->as_of[0] = now / NS_PER_S;
	p->void_after[0] = p->as_of[0] + CLOCKBOUND_VALID;
	p->as_of[1] = p->void_after[1] = now % NS_PER_S;
	p->bound = ns(fmin(n->bound, MOST)) + 1; /* rounded up */
	p->drift = (uint32_t)ns(n->growth) + 1;
	p->marker = n->marker;
	p->vmclock = n->vmclock;
	p->status = n->status == CLOCKBOUND_KEPT ? CLOCKBOUND_UNKNOWN :
						   (int32_t)n->status;
	p->generation |= 1;
	/* Half of a promise is left as one that is being written. */
	if (!put(c, 0, HEADER) || !put(c, HEADER, SIZE - HEADER))
		return;
	if (++p->generation == 0) /* it would say that nothing was written */
		p->generation = 2;
	(void)put(c, 0, HEADER);
}

int64_t
clockbound_due(const struct clockbound *c)
{
	return c->at != 0 ? c->at + RENEW * NS_PER_S : NEVER;
}
