/*
 * machine.c - tells when this virtual machine was moved to another host, or goes
 * on from a snapshot.
 *
 * The hypervisor has a page for that, which /dev/vmclock0 maps (Linux 6.13).  It
 * holds two counters that grow when such a thing happened, and can be read
 * whenever we are awake, without a system call.  A kernel that can wait for a
 * change wakes us.  Where there is no such device, a new id of the
 * machine's generation comes as a uevent (Linux 6.8).  A filter keeps out all
 * other uevents, of which a node with containers has many: so listening costs
 * nothing while nothing happens.
 *
 * Nobody is asked for the time here.  This only says that something happened.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/machine.h"
#include "sys/net.h"

/* The page, as the kernel's linux/vmclock-abi.h has it.  All is little-endian:
 * on other machines the magic number differs, and the device is not used. */
struct vmclock {
	uint32_t magic, size; /* size: of the struct, in bytes */
	uint16_t version;
	uint8_t counter, type;
	uint32_t sequence; /* odd while the hypervisor writes */
	uint64_t disruption, flags;
	uint8_t time[72]; /* what the host thinks of the time: not used */
	uint64_t generation;
};
_Static_assert(offsetof(struct vmclock, generation) == 0x68, "vmclock-abi.h");

enum {
	MAGIC = 0x4b4c4356,
	VERSION_ONE = 1,
	HAS_GENERATION = 1 << 8, /* VMCLOCK_FLAG_VM_GEN_COUNTER_PRESENT */
	NOTIFIES = 1 << 9,	 /* VMCLOCK_FLAG_NOTIFICATION_PRESENT */
	TRIES = 8, /* to read while the hypervisor writes, which takes it
		      nanoseconds */
	/* An older kernel calls the device always ready, and a host that writes
	 * the time each second wakes us each second.  Then it is no longer
	 * waited for, but still looked at. */
	IDLE_MOST = 16
};

/* Read the counters while nobody writes.  False: somebody does. */
static bool
read_counters(const volatile struct vmclock *p, uint64_t *disruption,
    uint64_t *generation)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t sequence = p->sequence;

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		*disruption = p->disruption;
		*generation = p->size >= sizeof *p &&
			p->flags & HAS_GENERATION ?
		    p->generation :
		    0;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if ((sequence & 1) == 0 && p->sequence == sequence)
			return true;
	}
	return false;
}

/* Map the page of the device. */
static void
open_device(struct machine *m, const char *path)
{
	struct vmclock head;
	void *page;

	m->device = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (m->device < 0)
		return;
	/* The kernel maps exactly one page.  What can be read is there, so that
	 * looking at it later cannot fail. */
	if (read(m->device, &head, sizeof head) == (ssize_t)sizeof head &&
	    head.magic == MAGIC && head.version == VERSION_ONE) {
		page = mmap(NULL, (size_t)getpagesize(), PROT_READ, MAP_SHARED,
		    m->device, 0);
		if (page != MAP_FAILED)
			m->page = page;
	}
	if (m->page == NULL || !(head.flags & NOTIFIES))
		m->device = net_undo(m->device);
}

/* Let through what begins with "chan", as "change@/devices/..." does, and holds
 * "_VMG" in its first bytes.  A load from behind the end drops the event.
 * machine_read looks closer. */
static bool
filter_events(int fd)
{
	enum { EACH = 3, SEARCHED = 256 }; /* instructions; bytes */
	struct sock_filter f[EACH * (1 + SEARCHED) + 1], *p = f;
	struct sock_fprog all = { sizeof f / sizeof *f, f };
	const struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);

	for (uint32_t i = 0; i <= SEARCHED; i++) {
		uint32_t word = i == 0 ? 0x6368616e : 0x5f564d47;

		*p++ = (struct sock_filter)BPF_STMT(
		    BPF_LD | BPF_W | BPF_ABS, i);
		*p++ = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, word, i == 0, i != 0);
		*p++ = i == 0 ? drop :
				(struct sock_filter)BPF_STMT(
				    BPF_RET | BPF_K, UINT32_MAX);
	}
	*p = drop;
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &all,
		   sizeof all) == 0;
}

static void
open_events(struct machine *m)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK, .nl_groups = 1 };

	m->uevents = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    NETLINK_KOBJECT_UEVENT);
	if (m->uevents >= 0 &&
	    (!filter_events(m->uevents) ||
		bind(m->uevents, (struct sockaddr *)&kernel, sizeof kernel) <
		    0))
		m->uevents = net_undo(m->uevents);
}

void
machine_open(struct machine *m, const char *path)
{
	*m = (struct machine){ .device = -1, .uevents = -1 };
	open_device(m, path);
	if (m->page == NULL)
		open_events(m);
	(void)machine_look(m);
}

enum machine_said
machine_look(struct machine *m)
{
	enum machine_said said = m->told ? MACHINE_RESTORED : MACHINE_SAME;
	uint64_t disruption, generation;

	m->told = false;
	if (m->page == NULL ||
	    !read_counters(m->page, &disruption, &generation))
		return said;
	if (m->known && generation != m->generation)
		said = MACHINE_RESTORED;
	else if (m->known && disruption != m->disruption)
		said = MACHINE_MOVED;
	m->known = true;
	m->disruption = disruption;
	m->generation = generation;
	if (said != MACHINE_SAME)
		m->idle = 0;
	return said;
}

int
machine_watch(const struct machine *m, struct pollfd p[MACHINE_WATCHED])
{
	int n = 0;

	if (m->device >= 0)
		p[n++] = (struct pollfd){ m->device, POLLIN, 0 };
	if (m->uevents >= 0)
		p[n++] = (struct pollfd){ m->uevents, POLLIN, 0 };
	return n;
}

/* Is this the kernel's word that the machine is of a new generation?  An event
 * is a row of strings; those that users make have another name for it. */
static bool
is_new_generation(const char *event, size_t size)
{
	static const char word[] = "NEW_VMGENID=1";

	for (size_t i = 0; i + sizeof word <= size; i++)
		if ((i == 0 || event[i - 1] == '\0') &&
		    memcmp(event + i, word, sizeof word) == 0)
			return true;
	return false;
}

void
machine_read(struct machine *m)
{
	struct sockaddr_nl from;
	char event[512], byte;
	struct iovec v = { event, sizeof event };
	struct msghdr h;
	ssize_t n;

	/* Each reading tells the device what we have seen.  One of a byte can be
	 * done 4000 times before the end of the page. */
	if (m->device >= 0 &&
	    (read(m->device, &byte, sizeof byte) <= 0 ||
		++m->idle > IDLE_MOST))
		m->device = net_undo(m->device);
	if (m->uevents < 0)
		return;
	do {
		h = (struct msghdr){ .msg_name = &from,
			.msg_namelen = sizeof from, .msg_iov = &v,
			.msg_iovlen = 1 };
		n = recvmsg(m->uevents, &h, 0);
		m->told |= n > 0 && from.nl_pid == 0 &&
		    is_new_generation(event, (size_t)n);
	} while (n > 0);
}
