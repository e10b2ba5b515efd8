/*
 * sim-sandbox.c - no sandbox: the simulator's library makes calls of its own.
 */
#include "sys/sandbox.h"

void
sandbox_start(void)
{
}

void
sandbox_daemon(const struct conf *conf, const struct sandbox_files *files,
    struct sandbox *reached)
{
	(void)conf;
	(void)files;
	(void)reached;
}

unsigned
sandbox_later(const struct sandbox *s, const struct conf *old,
    const struct conf *new)
{
	(void)s;
	(void)old;
	(void)new;
	return 0;
}

void
sandbox_child(enum seccomp_role role, uint16_t port)
{
	(void)role;
	(void)port;
}

void
sandbox_text(const struct sandbox *s, char text[static SANDBOX_TEXT])
{
	(void)s;
	text[0] = '\0';
}
