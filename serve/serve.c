/*
 * serve.c - answers to NTP clients.
 *
 * It owns the table of rates and the counters.  listen.c owns the sockets, and
 * ntp.c makes the replies.  Nothing is logged for a packet, and no packet makes
 * memory grow.
 *
 * Requests are taken and replies are sent in batches: two system calls for up
 * to BATCH requests.  The kernel stamps a request when it comes, so it may wait
 * in its queue without loss of accuracy.  The transmit stamp is read just
 * before the batch leaves.  It is too early by the time that the kernel needs
 * for the replies before it, two or three microseconds each; a request that
 * comes alone loses nothing.
 *
 * A token bucket slows a network that asks too often.  It is stored as the one
 * point in time at which it will be full again.  A full bucket need not be
 * remembered, so the table can be small and of fixed size: a new network takes
 * the entry of its set that is nearest to full.  Many forged addresses
 * therefore drive out other networks that asked once, but not one that floods;
 * and a network that is driven out has a full bucket again.
 */
#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

#include "serve/serve.h"
#include "sys/instant.h"
#include "sys/net.h"
#include "sys/os.h"
#include "sys/refid.h"

enum {
	/* Requests that are taken at once.  A larger batch gives more answers
	 * per CPU-second (compared with a plain loop: 0.95 with 4, 1.07 with 8,
	 * 1.10 with 16, 1.14 with 64).  But the last reply of a full batch
	 * leaves later than its stamp says, by 2.5 us for each one before. */
	BATCH = 16,
	/* Batches that are taken from one socket in a turn.  They need some
	 * 3 ms, by which our own requests may be late. */
	BATCHES = 128,
	/* Bytes of what the kernel tells beside a request: its stamp and the
	 * address that it was sent to; and of a wish for the reply's stamp. */
	STAMP = CMSG_SPACE(sizeof(struct timespec)),
	CONTROL = STAMP + CMSG_SPACE(sizeof(struct in6_pktinfo)) +
	    CMSG_SPACE(sizeof(uint32_t)),
	LOOPED = 256 /* bytes of a reply and all headers before it, and more */
};

/* If real - raw changes by more than this, the clock was set.  NOISE, in ns, is
 * that of reading both clocks.  A part of SLEW of the time that has passed is
 * twice the 500 ppm of a usual slew.  A faster one, of more than 1 ms, counts as
 * set, since a limit for it would hide small steps: stamps are read late then. */
#define UNSET_NOISE 100000
#define UNSET_SLEW 1000

/* In the order of enum serve_drop. */
const char serve_words[] =
    "length\0"
    "mode\0"
    "version\0"
    "address\0"
    "access\0"
    "rate\0"
    "send\0"
    "own\0"
    "key";

static const enum serve_drop refusal_drop[NTP_REFUSALS] = {
	[ANSWERED] = DROPS,
	[REFUSED_LENGTH] = DROP_LENGTH,
	[REFUSED_MODE] = DROP_MODE,
	[REFUSED_VERSION] = DROP_VERSION,
};

/* One batch of requests and replies.  It is not part of struct server, because
 * nothing in it outlives a call.  It is static to spare the stack, and because
 * the padding of the messages must be zero (see wait_send). */
static struct {
	struct mmsghdr request[BATCH], reply[BATCH];
	struct iovec iov[BATCH];
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} from[BATCH];
	union {
		struct cmsghdr align;
		uint8_t room[CONTROL];
	} control[BATCH];
	uint8_t bytes[BATCH][KEY_PACKET];
	bool keep; /* the stamps of some replies are wanted */
} batch;

/* ----- who may ask, and how often */

bool
serve_loopback(const struct address *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == 4 ? a->bytes[0] == 127 :
				memcmp(a->bytes, one, sizeof one) == 0;
}

bool
serve_allowed(const struct conf_allow allow[], int n, const struct address *a)
{
	for (int i = 0; i < n; i++)
		if (address_in(a, &allow[i].network, allow[i].bits))
			return true;
	return n == 0;
}

/* The /24 or /56 of an address as a number, which is never 0. */
static uint64_t
network_of(const struct address *a)
{
	uint64_t key = a->family;
	int octets = a->family == 4 ? 3 : 7;

	for (int i = 0; i < octets; i++)
		key = key << 8 | a->bytes[i];
	return key;
}

/* The set that a network belongs to.  The seed keeps it secret, so that nobody
 * can choose networks that meet in one set.  These are two rounds of
 * splitmix64's finalizer. */
static unsigned
set_of(const struct rate_table *t, uint64_t key)
{
	for (int i = 0; i < 2; i++) {
		key ^= t->seed[i];
		key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9;
		key = (key ^ key >> 27) * 0x94d049bb133111eb;
		key ^= key >> 31;
	}
	return (unsigned)(key % RATE_SETS);
}

void
serve_rate_set(struct rate_table *t, double rate, int burst)
{
	t->interval = (int64_t)((double)NS_PER_S / rate);
	/* The request itself takes one of the burst's tokens. */
	t->allowance = t->interval * (burst - 1);
}

bool
serve_rate(struct rate_table *t, const struct address *a, int64_t raw)
{
	uint64_t network = network_of(a);
	struct rate_entry *set, *e;

	if (serve_loopback(a))
		return true;
	set = e = t->set[set_of(t, network)];
	for (int i = 0; i < RATE_WAYS; i++) {
		if (set[i].network == network) {
			e = &set[i];
			break;
		}
		if (set[i].full < e->full)
			e = &set[i];
	}
	if (e->network != network || e->full < raw)
		e->full = raw;
	e->network = network;
	if (e->full - raw > t->allowance)
		return false;
	e->full += t->interval;
	return true;
}

void
serve_reload(struct server *s, const struct conf *conf)
{
	s->conf = conf;
	serve_rate_set(&s->rate, conf->limit_rate, conf->limit_burst);
}

void
serve_start(struct server *s, const struct conf *conf,
    const struct listening *listening)
{
	s->listening = listening;
	serve_reload(s, conf);
	/* Without random numbers so early after the boot the sets are no
	 * secret.  Whoever makes use of that can only escape the limit. */
	if (s->rate.seed[0] == 0)
		(void)getrandom(
		    s->rate.seed, sizeof s->rate.seed, GRND_NONBLOCK);
}

/* ----- requests and replies */

/* What came with a request. */
struct envelope {
	int64_t stamp;	       /* real: the kernel had it then; 0: unknown */
	struct cmsghdr *local; /* the address that it was sent to, or NULL */
	bool group;	       /* that is a multicast or broadcast address */
	bool keep;	       /* the client may ask when the reply left */
};

/* CMSG_NXTHDR.  The C libraries' macro mixes signed and unsigned numbers, of
 * which the compiler warns. */
static struct cmsghdr *
next_control(const struct msghdr *m, struct cmsghdr *c)
{
	uint8_t *next = (uint8_t *)c + CMSG_ALIGN(c->cmsg_len);
	const uint8_t *end = (uint8_t *)m->msg_control + m->msg_controllen;

	return next + CMSG_LEN(0) <= end ? (void *)next : NULL;
}

/* It also turns the local address into the sender of the reply.  The interface
 * is taken out of it, so that the reply leaves by the route to the client; a
 * link-local address keeps it, since it means nothing without. */
static struct envelope
open_envelope(struct msghdr *m)
{
	struct envelope e = { 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	     c = next_control(m, c)) {
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SO_TIMESTAMPNS) {
			struct timespec t;

			memcpy(&t, CMSG_DATA(c), sizeof t);
			e.stamp = nanoseconds(&t);
		} else if (c->cmsg_level == IPPROTO_IP &&
		    c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *in = (void *)CMSG_DATA(c);

			/* For a broadcast the second one is our own address. */
			e.group =
			    in->ipi_addr.s_addr != in->ipi_spec_dst.s_addr;
			in->ipi_ifindex = 0;
			e.local = c;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *in6 = (void *)CMSG_DATA(c);

			e.group = IN6_IS_ADDR_MULTICAST(&in6->ipi6_addr);
			if (!IN6_IS_ADDR_LINKLOCAL(&in6->ipi6_addr))
				in6->ipi6_ifindex = 0;
			e.local = c;
		}
	}
	return e;
}

/* Did this daemon send the request, whatever way it took to us? */
static bool
is_own(struct server *s, const uint8_t request[static NTP_SIZE])
{
	uint64_t nonce = ntp_get(request, NTP_TRANSMIT);
	size_t i = nonce % SERVE_OWN;

	if (nonce == 0 || s->own[i] != nonce)
		return false;
	s->back[i] = s->echo = true;
	return true;
}

/* Somebody asked us at this address.  It is remembered, because a socket of "*"
 * does not know its addresses. */
static void
remember_address(struct server *s, const struct cmsghdr *local)
{
	struct address a = { 0 };

	if (local->cmsg_level == IPPROTO_IP) {
		const struct in_pktinfo *in = (const void *)CMSG_DATA(local);

		a.family = 4;
		memcpy(a.bytes, &in->ipi_addr, 4);
	} else {
		const struct in6_pktinfo *in6 = (const void *)CMSG_DATA(local);

		a.family = 6;
		memcpy(a.bytes, &in6->ipi6_addr, 16);
	}
	for (int i = 0; i < SERVE_AT; i++)
		if (memcmp(&s->asked_at[i], &a, sizeof a) == 0)
			return;
	s->asked_at[s->asked_count++ % SERVE_AT] = a;
}

/* What is kept of the only reply with this receive stamp, or NULL. */
static struct kept *
find_kept(struct server *s, uint64_t receive)
{
	struct kept *found = NULL;

	for (struct kept *k = s->kept; k < s->kept + SERVE_KEPT; k++)
		if (k->receive == receive) {
			if (found != NULL) /* which one is asked about? */
				return NULL;
			found = k;
		}
	return found;
}

/* A client of interleaved mode names its last reply by the receive stamp of
 * that.  If it is known when that reply left, the next one tells it, once, in the
 * place of when it leaves itself (RFC 9769 §2).  True: it is such a client. */
static bool
weave(struct server *s, const uint8_t request[static NTP_SIZE],
    uint8_t reply[static NTP_SIZE])
{
	uint64_t origin = ntp_get(request, NTP_ORIGIN);
	uint64_t own = ntp_get(request, NTP_RECEIVE);
	struct kept *k;

	if ((origin & 1) == 0)
		return false;
	k = find_kept(s, origin);
	if (k == NULL)
		k = &s->kept[s->kept_count++ % SERVE_KEPT];
	else if (k->transmit != 0 && own != ntp_get(request, NTP_TRANSMIT)) {
		ntp_put(reply, NTP_ORIGIN, own);
		ntp_put(reply, NTP_TRANSMIT, k->transmit);
	}
	*k = (struct kept){ .receive = ntp_get(reply, NTP_RECEIVE) };
	return true;
}

/* Let the kernel give a reply back with the stamp of when it left.  A reading
 * of the clock after the call that sends would be worse than one before it: a
 * receiver on the same machine has the reply by then. */
static void
want_stamp(struct msghdr *m)
{
	const uint32_t software = SOF_TIMESTAMPING_TX_SOFTWARE;
	struct cmsghdr *c =
	    (void *)((uint8_t *)m->msg_control + m->msg_controllen);

	c->cmsg_len = CMSG_LEN(sizeof software);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SO_TIMESTAMPING;
	memcpy(CMSG_DATA(c), &software, sizeof software);
	m->msg_controllen += CMSG_SPACE(sizeof software);
	batch.keep = true;
}

/* Take that wish back, because some kernels refuse it, as that of gVisor.  False:
 * there is none. */
static bool
unwant_stamp(struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	socklen_t local;

	if (c == NULL)
		return false;
	local = c->cmsg_level == SOL_SOCKET ?
	    0 :
	    (socklen_t)CMSG_ALIGN(c->cmsg_len);
	if (m->msg_controllen == local)
		return false;
	m->msg_controllen = local;
	return true;
}

/* Keep when those replies left that the kernel has given back.  They are there
 * when the call that sends returns, or at the next turn.  Each is the end of the
 * bytes, with a MAC or without. */
static void
take_stamps(struct server *s, int fd)
{
	uint8_t bytes[LOOPED], *end;
	struct iovec iov = { bytes, sizeof bytes };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &batch.control[0] };
	struct kept *k;
	ssize_t n;

	batch.keep = false;
	while (m.msg_controllen = STAMP, /* which comes first */
	    (n = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT)) >= KEY_PACKET) {
		int64_t left = open_envelope(&m).stamp;

		end = bytes + n;
		k = find_kept(s, ntp_get(end - NTP_SIZE, NTP_RECEIVE));
		if (k == NULL)
			k = find_kept(s, ntp_get(end - KEY_PACKET, NTP_RECEIVE));
		if (k != NULL && left != 0)
			k->transmit = ntp_from_real(left) & ~1ULL;
	}
}

static void
prepare(void)
{
	for (int i = 0; i < BATCH; i++) {
		struct msghdr *m = &batch.request[i].msg_hdr;

		batch.iov[i] = (struct iovec){ batch.bytes[i], KEY_PACKET };
		m->msg_iov = &batch.iov[i];
		m->msg_iovlen = 1;
		m->msg_name = &batch.from[i];
		m->msg_namelen = sizeof batch.from[i];
		m->msg_control = &batch.control[i];
		m->msg_controllen = sizeof batch.control[i];
		m->msg_flags = 0;
	}
}

/* Has request i a MAC? What is as long as a packet with one has it, where
 * "listen on" has keys.  Other lengths are answered as if there were no keys:
 * to whom the answer is not enough, he drops it. */
static bool
is_signed(const struct server *s, int i)
{
	return s->conf->keys > 0 && batch.request[i].msg_len == KEY_PACKET;
}

/* Answer request i, whose bytes are replaced by the reply's.  DROPS, or the
 * reason why there is no reply. */
static enum serve_drop
reply_to(
    struct server *s, int i, const struct serving *serving, struct envelope *e)
{
	struct msghdr *m = &batch.request[i].msg_hdr;
	int64_t now = clock_now(CLOCK_REALTIME);
	const struct key *key = NULL;
	uint8_t request[KEY_PACKET];
	enum ntp_refusal refusal;
	struct address from;

	*e = open_envelope(m);
	if (batch.request[i].msg_len >= NTP_SIZE && is_own(s, batch.bytes[i]))
		return DROP_OWN;
	/* There is no stamp, or the clock was set since. */
	if (e->stamp < s->trusted_from || e->stamp > now)
		e->stamp = now;
	memcpy(request, batch.bytes[i], sizeof request);
	refusal = ntp_answer(batch.bytes[i], batch.request[i].msg_len, serving,
	    e->stamp, s->looked, now, batch.bytes[i]);
	if (refusal != ANSWERED)
		return refusal_drop[refusal];
	if (e->group || !net_address(&batch.from[i].any, &from) ||
	    batch.from[i].in.sin_port == 0) /* in6's is at the same place */
		return DROP_ADDRESS;
	if (!serve_allowed(s->conf->allow, s->conf->allows, &from))
		return DROP_ACCESS;
	if (!serve_rate(&s->rate, &from, s->looked))
		return DROP_RATE;
	if (is_signed(s, i)) {
		key = key_of(s->conf->key, s->conf->keys, request);
		if (key == NULL)
			return DROP_KEY;
		/* The MAC of the request took some time. */
		(void)ntp_answer(request, KEY_PACKET, serving, e->stamp,
		    s->looked, clock_now(CLOCK_REALTIME), batch.bytes[i]);
	}
	e->keep = weave(s, request, batch.bytes[i]);
	if (key != NULL)
		key_sign(key, batch.bytes[i]);
	batch.iov[i].iov_len = key != NULL ? KEY_PACKET : NTP_SIZE;
	if (e->local != NULL)
		remember_address(s, e->local);
	return DROPS;
}

static void
send_replies(struct server *s, int fd, unsigned n)
{
	unsigned done = 0;

	while (done < n) {
		int sent = wait_send(fd, batch.reply + done, n - done);

		if (sent > 0) {
			done += (unsigned)sent;
			s->counters.replies += (unsigned)sent;
		} else if (errno != EINTR &&
		    !(errno == EINVAL &&
			unwant_stamp(&batch.reply[done].msg_hdr))) {
			/* The first of them cannot be sent: there is no route,
			 * no room, or a firewall.  Its client asks again. */
			done++;
			s->counters.dropped[DROP_SEND]++;
		}
	}
}

/* Answer one batch.  False if nothing is left to read. */
static bool
serve_batch(struct server *s, int fd, const struct serving *serving)
{
	unsigned replies = 0;
	int n;

	prepare();
	/* MSG_TRUNC keeps the length on the wire, even if less fits. */
	n = recvmmsg(fd, batch.request, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
	if (n <= 0)
		return n < 0 && errno == EINTR;

	s->counters.requests += (unsigned)n;
	for (int i = 0; i < n; i++) {
		struct msghdr *m = &batch.reply[replies].msg_hdr;
		struct envelope e;
		enum serve_drop drop = reply_to(s, i, serving, &e);

		if (drop != DROPS) {
			s->counters.dropped[drop]++;
			continue;
		}
		m->msg_iov = &batch.iov[i];
		m->msg_iovlen = 1;
		m->msg_name = &batch.from[i];
		m->msg_namelen = batch.request[i].msg_hdr.msg_namelen;
		m->msg_control = &batch.control[i];
		m->msg_controllen = 0;
		if (e.local != NULL) {
			m->msg_control = e.local;
			m->msg_controllen =
			    (socklen_t)CMSG_ALIGN(e.local->cmsg_len);
		}
		if (e.keep)
			want_stamp(m);
		replies++;
	}
	send_replies(s, fd, replies);
	if (batch.keep)
		take_stamps(s, fd);
	return n == BATCH;
}

/* If the clock was set since the last look, earlier stamps are void: with them,
 * a reply would tell the client an offset that never was.  One that was kept would
 * tell it the time of the clock before. */
static void
look(struct server *s)
{
	int64_t raw = clock_now(CLOCK_MONOTONIC_RAW);
	int64_t real = clock_now(CLOCK_REALTIME);
	int64_t change = real - raw - s->ahead;
	int64_t limit = (raw - s->looked) / UNSET_SLEW + UNSET_NOISE;

	if (s->looked == 0 || change > limit || change < -limit) {
		s->trusted_from = real;
		memset(s->kept, 0, sizeof s->kept);
	}
	s->ahead = real - raw;
	s->looked = raw;
}

void
serve_deliver(struct server *s, const struct pollfd p[], int n,
    const struct serving *serving)
{
	look(s);
	for (int i = 0; i < n; i++) {
		if ((p[i].revents & (POLLIN | POLLERR)) == 0)
			continue;
		if (p[i].revents & POLLERR)
			take_stamps(s, p[i].fd);
		for (int j = 0; j < BATCHES; j++)
			if (!serve_batch(s, p[i].fd, serving))
				break;
	}
}

void
serve_asks(struct server *s, uint64_t nonce)
{
	s->own[nonce % SERVE_OWN] = nonce;
	s->back[nonce % SERVE_OWN] = false;
}

bool
serve_echo(struct server *s)
{
	bool echo = s->echo;

	s->echo = false;
	return echo;
}

bool
serve_echoed(const struct server *s, uint64_t nonce)
{
	return s->own[nonce % SERVE_OWN] == nonce && s->back[nonce % SERVE_OWN];
}

int
serve_ours(const struct server *s, bool loopback, uint32_t refid[], int max)
{
	const int listeners = s->listening->listeners;
	int n = 0, i;

	for (i = 0; i < listeners + SERVE_AT && n < max; i++) {
		const struct listener *l = &s->listening->listener[i];
		const struct address *a =
		    i < listeners ? &l->address : &s->asked_at[i - listeners];

		if ((i < listeners &&
			(l->fd < 0 || l->service != LISTEN_NTP)) ||
		    a->family == 0 || address_wild(a) ||
		    (serve_loopback(a) && !loopback))
			continue;
		refid[n++] = refid_of(a);
	}
	return n;
}
