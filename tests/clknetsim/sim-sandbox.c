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

bool
sandbox_may_set_time(void)
{
	return true;
}

bool
sandbox_could_set_time(void)
{
	return true;
}
