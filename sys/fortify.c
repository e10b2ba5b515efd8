/*
 * fortify.c - what the libbearssl.a of Debian and Ubuntu wants from glibc.
 *
 * That archive is compiled with _FORTIFY_SOURCE.  So what copies into an object
 * of known size calls variants of the memory functions that check the size (and
 * of read(2), at Ubuntu's level 3).  glibc has them, and musl does not.  Here
 * they are, with their check.  If a libbearssl does not need them, the linker
 * drops them.
 *
 * This file is compiled with -fno-builtin.  Otherwise the compiler would make
 * of a function a call of that function itself.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__memcpy_chk(void *, const void *, size_t, size_t);
void *__memmove_chk(void *, const void *, size_t, size_t);
void *__memset_chk(void *, int, size_t, size_t);
ssize_t __read_chk(int, void *, size_t, size_t);

void *
__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return memcpy(to, from, n);
}

void *
__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return memmove(to, from, n);
}

void *
__memset_chk(void *to, int byte, size_t n, size_t room)
{
	if (n > room)
		abort();
	return memset(to, byte, n);
}

ssize_t
__read_chk(int fd, void *to, size_t n, size_t room)
{
	if (n > room)
		abort();
	return read(fd, to, n);
}
