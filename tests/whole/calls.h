/*
 * calls.h - the functions that stand for those of the C library.
 */
#ifndef CALLS_H
#define CALLS_H

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>

#include "sys/helper.h"

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
pid_t __real_fork(void);
pid_t __real_getpid(void);
pid_t __real_waitpid(pid_t, int *, int);
int __real_helper_start(struct helpers *, const struct helper_job *, int64_t);

int __wrap_close(int fd);
int __wrap_open(const char *name, int flags, ...);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_lstat(const char *name, struct stat *st);
int __wrap_stat(const char *name, struct stat *st);
int __wrap_access(const char *name, int mode);
int __wrap_unlink(const char *name);
int __wrap_rename(const char *from, const char *to);
int __wrap_fsync(int fd);
int __wrap_ftruncate(int fd, off_t size);
ssize_t __wrap_readlink(const char *name, char *to, size_t size);
int __wrap_mkdir(const char *name, mode_t mode);
ssize_t __wrap_read(int fd, void *to, size_t size);
ssize_t __wrap_write(int fd, const void *from, size_t size);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *at, socklen_t size);
int __wrap_listen(int fd, int backlog);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockname(int fd, struct sockaddr *at, socklen_t *size);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_shutdown(int fd, int how);
int __wrap_accept4(int fd, struct sockaddr *from, socklen_t *size, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t size, int flags);
ssize_t __wrap_sendto(int fd, const void *from, size_t size, int flags, const struct sockaddr *to, socklen_t length);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);
int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout);
int __wrap_ppoll(struct pollfd *p, nfds_t n, const struct timespec *timeout, const sigset_t *mask);
int __wrap_poll(struct pollfd *p, nfds_t n, int ms);
int __wrap_usleep(useconds_t us);
int __wrap_nanosleep(const struct timespec *t, struct timespec *rest);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_adjtimex(struct timex *t);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *t, struct itimerspec *old);
int __wrap_helper_start(struct helpers *h, const struct helper_job *job, int64_t raw);
pid_t __wrap_fork(void);
int __wrap_pipe2(int p[2], int flags);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __wrap_kill(pid_t pid, int sig);
int __wrap_sigaction(int sig, const struct sigaction *a, struct sigaction *old);
__sighandler_t __wrap_signal(int sig, __sighandler_t h);
int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old);
pid_t __wrap_getpid(void);
pid_t __wrap_getppid(void);
uid_t __wrap_getuid(void);
uid_t __wrap_geteuid(void);
pid_t __wrap_setsid(void);
int __wrap_prctl(int option, ...);
int __wrap_getrlimit(int resource, struct rlimit *r);
int __wrap_setrlimit(int resource, const struct rlimit *r);
int __wrap_setpriority(int which, id_t who, int priority);
mode_t __wrap_umask(mode_t mask);
int __wrap_dup2(int from, int to);
char *__wrap_getenv(const char *name);
char *__wrap_secure_getenv(const char *name);
unsigned long __wrap_getauxval(unsigned long type);
ssize_t __wrap_getrandom(void *to, size_t size, unsigned flags);
long __wrap_syscall(long number, ...);
void __wrap_exit(int status);
ssize_t __wrap_pread(int fd, void *to, size_t size, off_t at);
ssize_t __wrap_pwrite(int fd, const void *from, size_t size, off_t at);
ssize_t __wrap_getxattr(const char *path, const char *name, void *to, size_t size);
int __wrap_inotify_init1(int flags);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t events);
struct statfs;
int __wrap_statfs(const char *path, struct statfs *out);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

/* These are in whole.c and nts.c. */
struct steer;
struct tell;
struct instant;
void __real_tell_log(
    struct tell *, const struct steer *, const struct instant *);
void __wrap_tell_log(
    struct tell *, const struct steer *, const struct instant *);
struct peers;
void __real_peers_reply(struct peers *, int);
void __wrap_peers_reply(struct peers *, int);
unsigned __real_alarm(unsigned);
unsigned __wrap_alarm(unsigned);

#endif
