/*
 * rights.c - what rights.c promises: advice that fits, ids without a library,
 * and no capability but those that are needed.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/rights.h"
#include "tests/test.h"

static const struct rights plain = {
	.users = USERS_FIRST,
	.place = PLACE_MACHINE,
};

static const char *
remedy(struct rights r)
{
	static char text[128];

	rights_remedy(&r, text, sizeof text);
	return text;
}

static void
advises_by_what_it_saw(void **state)
{
	struct rights r = plain;

	(void)state;
	assert_string_equal(remedy(r),
	    "root has no CAP_SYS_TIME here: start ntpd from where it has");
	r.could = true;
	assert_string_equal(remedy(r),
	    "CAP_SYS_TIME was dropped before the start: keep it");
	r.may = true;
	assert_non_null(strstr(remedy(r), "a security module"));
	r.filtered = true;
	assert_non_null(strstr(remedy(r), "a seccomp profile"));
	r.place = PLACE_UNIT;
	assert_non_null(strstr(remedy(r), "SystemCallFilter="));
	r.users = USERS_OTHER;
	assert_non_null(strstr(remedy(r), "a user namespace (rootless)"));
	r.place = PLACE_KUBERNETES;
	assert_non_null(strstr(remedy(r), "hostUsers"));
}

/* A file capability counts for any uid, but not with no_new_privs. */
static void
a_barred_file_capability_has_its_advice(void **state)
{
	struct rights r = plain;

	(void)state;
	r.uid = 65534;
	r.could = r.barred = true;
	assert_non_null(strstr(remedy(r), "start without no-new-privileges"));
	r.place = PLACE_KUBERNETES;
	assert_non_null(strstr(remedy(r), "allowPrivilegeEscalation: true"));
	r.place = PLACE_UNIT; /* that helps with no_new_privs as well */
	assert_non_null(strstr(remedy(r), "AmbientCapabilities="));
	r.place = PLACE_CONTAINER;
	r.could = false; /* it must be there for the file to give it */
	assert_non_null(strstr(remedy(r), "--cap-add SYS_TIME"));
	r.uid = 0;
	r.could = true;
	assert_non_null(strstr(remedy(r), "dropped before the start"));
}

static void
advice_fits_its_line(void **state)
{
	struct rights r = plain;

	(void)state;
	for (int i = 0; i < 2 * 2 * 2 * 2 * 2 * 3 * 5; i++) {
		r.uid = i & 1 ? 0x7fffffff : 0;
		r.may = i & 2;
		r.could = i & 4;
		r.filtered = i & 8;
		r.barred = i & 16;
		r.users = (enum rights_users)(i / 32 % 3);
		r.place = (enum rights_place)(i / 96);
		assert_in_range(strlen(remedy(r)), 20, 126);
	}
}

static void
finds_ids_of_names_and_numbers(void **state)
{
	uid_t uid = 1;
	gid_t gid = 1;

	(void)state;
	assert_true(rights_ids("root", &uid, &gid));
	assert_int_equal(uid, 0);
	assert_int_equal(gid, 0);
	assert_true(rights_ids("nobody", &uid, &gid));
	assert_true(uid > 0 && gid > 0);
	/* A number that no entry has. */
	assert_true(rights_ids("1234567", &uid, &gid));
	assert_int_equal(uid, 1234567);
	assert_int_equal(gid, 1234567);
	assert_false(rights_ids("roo", &uid, &gid));
	assert_false(rights_ids("root:", &uid, &gid));
	assert_false(rights_ids("root:x", &uid, &gid));
	assert_false(rights_ids("12x", &uid, &gid));
	assert_false(rights_ids("-1", &uid, &gid));
	assert_false(rights_ids("4294967295", &uid, &gid));
	assert_false(rights_ids("4294967296", &uid, &gid));
	assert_false(rights_ids("", &uid, &gid));
}

static void
a_number_in_passwd_brings_its_group(void **state)
{
	uid_t uid, named;
	gid_t gid, of_named;
	char text[16];

	(void)state;
	assert_true(rights_ids("nobody", &named, &of_named));
	(void)snprintf(text, sizeof text, "%u", named);
	assert_true(rights_ids(text, &uid, &gid));
	assert_int_equal(uid, named);
	assert_int_equal(gid, of_named);
}

/* Do this in a child, whose exit status says whether it held. */
static void
in_child(bool (*holds)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(holds() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static uint64_t
set_of(int which)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) != 0)
		return ~0ull;
	return which == 0 ?
	    data[0].effective | (uint64_t)data[1].effective << 32 :
	    which == 1 ?
	    data[0].permitted | (uint64_t)data[1].permitted << 32 :
	    data[0].inheritable | (uint64_t)data[1].inheritable << 32;
}

static bool
only_has(uint64_t may)
{
	for (int i = 0; i < 3; i++)
		if ((set_of(i) & ~may) != 0)
			return false;
	for (int i = 0; i < 41; i++)
		if ((may >> i & 1) == 0 &&
		    (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) ==
			    1 ||
			(geteuid() == 0 &&
			    prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)))
			return false;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static bool
drops_for_a_client(void)
{
	return rights_drop(false) && only_has(1ull << CAP_SYS_TIME);
}

static bool
drops_for_a_server(void)
{
	bool had = set_of(1) >> CAP_NET_BIND_SERVICE & 1;

	return rights_drop(true) &&
	    (set_of(0) >> CAP_NET_BIND_SERVICE & 1) == had &&
	    only_has(1ull << CAP_SYS_TIME | 1ull << CAP_NET_BIND_SERVICE);
}

static bool
becomes_and_keeps_what_serves(void)
{
	bool had = set_of(1) >> CAP_NET_BIND_SERVICE & 1;

	return rights_become(65534, 65533) && getuid() == 65534 &&
	    geteuid() == 65534 && getgid() == 65533 && rights_drop(true) &&
	    (set_of(0) >> CAP_NET_BIND_SERVICE & 1) == had &&
	    only_has(1ull << CAP_SYS_TIME | 1ull << CAP_NET_BIND_SERVICE) &&
	    setuid(0) == -1 && open("/etc/shadow", O_RDONLY) == -1;
}

static bool
drops_all_in_a_child(void)
{
	rights_drop_all();
	return set_of(0) == 0 && set_of(1) == 0 && set_of(2) == 0 &&
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static void
keeps_only_what_is_needed(void **state)
{
	(void)state;
	in_child(drops_for_a_client);
	in_child(drops_for_a_server);
	in_child(drops_all_in_a_child);
}

static void
another_user_keeps_the_capabilities(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	in_child(becomes_and_keeps_what_serves);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(advises_by_what_it_saw),
		cmocka_unit_test(a_barred_file_capability_has_its_advice),
		cmocka_unit_test(advice_fits_its_line),
		cmocka_unit_test(finds_ids_of_names_and_numbers),
		cmocka_unit_test(a_number_in_passwd_brings_its_group),
		cmocka_unit_test(keeps_only_what_is_needed),
		cmocka_unit_test(another_user_keeps_the_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
