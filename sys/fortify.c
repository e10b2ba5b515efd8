/*
 * fortify.c - what the libbearssl.a of Debian and Ubuntu wants from glibc.
 *
 * That archive is compiled with _FORTIFY_SOURCE: copies into objects of known
 * size call glibc's checking variants of the memory functions (and of read, at
 * Ubuntu's level 3), which musl does not have.  Here they are, with the check, so that it stays alive in a static
 * program.  A libbearssl without them links as well; then nobody calls these
 * and the linker drops them.
 *
 * Compiled with -fno-builtin, or the compiler would make calls of themselves
 * out of them.
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
