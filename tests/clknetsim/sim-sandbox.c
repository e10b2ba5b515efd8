/*
 * sim-sandbox.c - no sandbox: the simulator's library makes calls of its own.
 */
#include "sys/sandbox.h"

void
sandbox_daemon(void)
{
}

void
sandbox_child(void)
{
}

void
sandbox_remedy(char *text, size_t size)
{
	if (size > 0)
		*text = '\0'; /* the clock can always be set */
}
