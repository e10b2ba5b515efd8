/*
 * watch.c - tells when the configuration should be read again, since its file
 * has changed, or one that is read together with it.
 *
 * Editors write a file in place or rename another one over it; a ConfigMap is a
 * chain of links, one of which is replaced.  So this room watches the
 * directories on the way to the file by inotify(7), before the sandbox closes
 * the door, and takes each event as a reason to look at the file's inode, size
 * and times.  These also show what inotify does not tell: changes that another
 * host makes in a network's file system, or links that lead elsewhere by now.
 * A file is only read when it has not changed for a second, since a writer may
 * be in the midst of it.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/instant.h"
#include "sys/keys.h"
#include "sys/os.h"
#include "sys/watch.h"

#define SETTLED 1.0 /* s without a change, after which a file is read */
#define DOUBT 5.0   /* s until a file that was bad is read once more, */
#define EVERY 30.0  /* s: and then; between looks where inotify is of no help */
/* Where other files of the directory change all the time, so many looks in vain
 * may follow each other, and then one in so many s. */
enum { VAIN_MOST = 8 };
#define VAIN_EVERY 15.0
#define REST 20 /* times as long as reading takes: that is 5 % of a processor */

/* What happens to a file's name, or ends the writing of a file. */
#define EVENTS                                                                 \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |              \
	    IN_MOVED_TO | IN_ONLYDIR)

/* File systems where others can change a file without inotify's knowledge: NFS,
 * SMB, 9P and FUSE, as which a virtual machine sees its host's files
 * (statfs(2)). */
static const uint32_t others[] = { 0x6969, 0xff534d42, 0xfe534d42, 0x01021997,
	0x65735546 };

static bool
is_of_others(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs) == 0)
		for (size_t i = 0; i < sizeof others / sizeof *others; i++)
			if ((uint32_t)fs.f_type == others[i])
				return true;
	return false;
}

/* Watch the directory of a path.  False: that is not possible. */
static bool
watch_beside(int fd, const char *path)
{
	char place[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');

	if (slash != NULL) /* with the slash, which names the root alone */
		(void)snprintf(place, sizeof place, "%.*s",
		    (int)(slash - path) + 1, path);
	return inotify_add_watch(fd, place, EVENTS) >= 0;
}

/* A mark that no file has.  With it the next look finds a change.  So the file
 * is read again a second after a reading that has not waited for it to settle:
 * what is written within the same tick of the kernel's clock leaves the times
 * as they were. */
static const struct file_mark unknown = { .error = -1 };

/* Watch the directories on the way to a file. */
static void
watch_way(struct watched *w, const char *path)
{
	char at[PATH_MAX];
	bool more = path != NULL &&
	    snprintf(at, sizeof at, "%s", path) < (int)sizeof at;

	w->deaf |= more && is_of_others(path);
	for (int i = 0; i < FILE_LINKS && more && w->fd >= 0; i++) {
		w->deaf |= !watch_beside(w->fd, at);
		more = file_follow(at);
	}
}

/* Look at all files.  One mark stands for all of them. */
static void
mark(const struct watched *w, struct file_mark *m)
{
	file_mark(w->path, m);
	m->changed ^= (int64_t)keys_sum(w->conf);
}

void
watch_open(struct watched *w, const char *path, const struct conf *conf,
    int64_t raw)
{
	*w = (struct watched){ .path = path, .conf = conf, .fd = -1,
		.due = NEVER, .looked = raw, .rest = raw };
	if (path == NULL)
		return;
	w->read = unknown;
	mark(w, &w->seen);
	w->due = later(raw, SETTLED);
	w->fd = wait_changes();
	w->deaf = w->fd < 0;
	watch_way(w, path);
	for (int i = 0; i <= conf->servers + conf->keys; i++)
		watch_way(w, keys_beside(conf, i));
}

void
watch_ask(struct watched *w)
{
	w->asked = true;
}

bool
watch_listens(const struct watched *w)
{
	return w->fd >= 0 && w->due == NEVER;
}

/* Take all events.  It does not matter which they are: the look that follows
 * tells whether they concern the file. */
static void
drain(struct watched *w)
{
	char events[1024];

	for (int i = 0; i < 64 && w->fd >= 0; i++)
		if (read(w->fd, events, sizeof events) <= 0)
			break;
		else
			w->told = true;
}

void
watch_told(struct watched *w, int64_t raw)
{
	drain(w);
	w->due = later(raw, SETTLED);
}

/* An event concerned another file.  If there are many of them, do not listen for
 * a while. */
static void
rest_in_vain(struct watched *w, int64_t raw)
{
	int64_t next;

	pace_take(&w->vain, raw, VAIN_EVERY);
	next = pace_next(&w->vain, VAIN_MOST, VAIN_EVERY);
	if (next > raw)
		w->due = sooner(w->due, next);
}

/* Look at the files.  True if one differs from what was read, and none has
 * changed since the last look. */
static bool
look(struct watched *w, int64_t raw)
{
	struct file_mark now;

	drain(w);
	mark(w, &now);
	w->looked = raw;
	if (file_same(&now, &w->read)) {
		w->seen = now;
		w->due = w->deaf ? later(raw, EVERY) : NEVER;
		if (w->told)
			rest_in_vain(w, raw);
		w->told = false;
		return false;
	}
	if (!file_same(&now, &w->seen)) {
		w->deaf |= !w->told && !file_same(&w->read, &unknown);
		w->seen = now;
		w->due = later(raw, SETTLED);
		return false;
	}
	w->read = now;
	w->told = false;
	w->due = later(raw, SETTLED);
	return true;
}

enum watch_said
watch_turn(struct watched *w, int64_t raw)
{
	if (raw < w->rest)
		return WATCH_REST;
	if (w->asked) {
		w->asked = false;
		if (w->path != NULL) {
			w->read = unknown;
			mark(w, &w->seen);
			w->due = later(raw, SETTLED);
		}
		return WATCH_ASKED;
	}
	if (w->path == NULL ||
	    (raw < w->due && raw < later(w->looked, EVERY)))
		return WATCH_REST;
	return look(w, raw) ? WATCH_CHANGED : WATCH_REST;
}

int64_t
watch_due(const struct watched *w)
{
	int64_t due = w->asked ? w->rest : w->due;

	return due != NEVER && due < w->rest ? w->rest : due;
}

void
watch_doubt(struct watched *w, int64_t raw)
{
	w->read = unknown;
	w->due = later(raw, w->doubted ? EVERY : DOUBT);
	w->doubted = true;
}

void
watch_rest(struct watched *w, int64_t begun, int64_t raw)
{
	w->rest = raw + REST * (raw - begun);
}
