/*
 * keys.c - the files of symmetric keys.
 *
 * They are read together with the configuration, at the start and whenever that
 * is read again.  What they hold is in no message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/wipe.h"
#include "sys/file.h"
#include "sys/keys.h"
#include "sys/log.h"

static struct key *
key_at(const struct conf *c, int i)
{
	return i < c->servers ? &c->server[i].key : &c->key[i - c->servers];
}

const char *
keys_file(const struct conf *c, int i)
{
	return key_at(c, i)->path;
}

/* Read the file of a key.  0, or errno; EDOM: it holds no key. */
static int
take_file(struct key *k)
{
	size_t size;
	char *text = file_read(k->path, KEY_TEXT, NULL, &size);
	bool good;

	if (text == NULL)
		return errno;
	good = key_read(text, size, k);
	secret_wipe(text, size);
	free(text);
	return good ? 0 : EDOM;
}

static const char *
words(int error)
{
	switch (error) {
	case EDOM: return "it must have 32 or 64 hexadecimal digits, as \"openssl rand -hex 16\" writes them";
	case EFBIG: return "it is larger than 1024 bytes";
	case EINVAL: return "it is no regular file";
	default: return strerror(error);
	}
}

/* (The sandbox does not know stat(2).) */
static void
say_open(const char *path, const char *conf_name, int line)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IROTH))
		log_line(LOG_CLASS_WARN,
		    "%s:%d: key file %s: everybody may read it; let the daemon's user own it, and chmod 400",
		    conf_name, line, path);
	if (fd >= 0)
		(void)close(fd);
}

bool
keys_load(struct conf *c, const char *conf_name, char *why, size_t size)
{
	for (int i = 0; i < c->servers + c->keys; i++) {
		struct key *k = key_at(c, i);
		int error;

		if (keys_file(c, i) == NULL)
			continue;
		error = take_file(k);
		if (error != 0) {
			int n = snprintf(why, size, "%s:%d: key file %s: %s",
			    conf_name, k->line, k->path, words(error));

			if (error == EACCES && n > 0 && (size_t)n < size)
				(void)snprintf(why + n, size - (size_t)n,
				    ": uid %u must be able to read it, and while the daemon runs, it must be in a directory of the start",
				    (unsigned)geteuid());
			return false;
		}
	}
	for (int i = 0; i < c->servers + c->keys; i++)
		if (keys_file(c, i) != NULL)
			say_open(
			    keys_file(c, i), conf_name, key_at(c, i)->line);
	return true;
}

const char *
keys_beside(const struct conf *c, int i)
{
	const char *path, *before;

	if (i == c->servers + c->keys)
		return c->cafile != NULL ? c->cafile :
					   secure_getenv("SSL_CERT_FILE");
	path = keys_file(c, i);
	before = i > 0 ? keys_file(c, i - 1) : NULL;
	return path != NULL && before != NULL && strcmp(path, before) == 0 ?
	    NULL :
	    path;
}

uint64_t
keys_sum(const struct conf *c)
{
	uint64_t sum = 0xcbf29ce484222325; /* FNV-1a */
	struct file_mark m;

	for (int i = 0; i <= c->servers + c->keys; i++) {
		const char *path = keys_beside(c, i);

		if (path == NULL)
			continue;
		file_mark(path, &m);
		for (size_t j = 0; j < sizeof m; j++)
			sum = (sum ^ ((uint8_t *)&m)[j]) * 0x100000001b3;
	}
	return sum;
}
