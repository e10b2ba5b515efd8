/* clockbound.h - how wrong is the clock?  For programs beside "clockbound on".
 *	const struct bound_page *p = bound_open("/var/run/clockbound/shm0");
 *	int64_t from, to;	// ns since 1970: the true time is between them
 *	if (p != NULL && bound_now(p, &from, &to) == BOUND_SYNCHRONIZED) ...
 * bound_now makes no system call.  It does not look at /dev/vmclock0. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BOUND_UNKNOWN, BOUND_SYNCHRONIZED, BOUND_FREE_RUNNING, BOUND_DISRUPTED };

struct bound_page { /* ClockBound's protocol, version 2 */
	uint32_t magic[2], size;
	uint16_t version, generation; /* odd: it is being written */
	int64_t as_of[2], void_after[2], ns; /* s, ns; the bound at as_of */
	uint64_t marker;
	uint32_t drift; /* ppb: how fast the bound grows */
	int32_t status;
	uint8_t vmclock, unused[7];
};

static inline int64_t
bound_clock(clockid_t clock)
{
	struct timespec t = { 0, 0 }; (void)clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline const struct bound_page * /* NULL: there is none yet */
bound_open(const char *path)
{
	struct bound_page p, *at = MAP_FAILED;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read(fd, &p, sizeof p) == sizeof p && p.version == 2 &&
	    p.magic[0] == 0x414d5a4e && p.magic[1] == 0x43420200)
		at = mmap(NULL, sizeof p, PROT_READ, MAP_SHARED, fd, 0);
	(void)close(fd);
	return at != MAP_FAILED ? at : NULL;
}

static inline int /* the points count if it is synchronized or free running */
bound_now(const volatile struct bound_page *page, int64_t *from, int64_t *to)
{
	struct bound_page p = { .status = BOUND_UNKNOWN };
	uint16_t before = 1, tries = 1000;
	for (; tries > 0 && (before & 1 || before != page->generation); tries--) {
		before = __atomic_load_n(&page->generation, __ATOMIC_ACQUIRE);
		p = *page;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	}
	int64_t real = bound_clock(CLOCK_REALTIME), mono = bound_clock(CLOCK_MONOTONIC_COARSE);
	int64_t age = mono - p.as_of[0] * 1000000000LL - p.as_of[1];
	*from = real - p.ns - (int64_t)((double)age * p.drift * 1e-9);
	*to = real + (real - *from);
	return p.status == BOUND_DISRUPTED ? BOUND_DISRUPTED : before == 0 || tries == 0 ||
	    p.status == BOUND_UNKNOWN || age < 0 || mono / 1000000000 >= p.void_after[0] ?
	    BOUND_UNKNOWN : age >= 5000000000LL ? BOUND_FREE_RUNNING : p.status;
}
