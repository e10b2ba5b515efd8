# tests.mk - included by the Makefile: check, test, fuzz, benches, simulations.

# All rooms of one kind but the program itself, so that a test takes from it what it
# needs and brings what it stands in for.  That a pure room needs no other is proved
# by tools/pure.sh.
LIBRARY = $(filter-out ntpd,$(ROOMS)) epoch roots
comma = ,
SANE = -fsanitize=address,undefined -fno-sanitize-recover=all
build/glibc/rooms.a: $(LIBRARY:%=build/glibc/%.o)
build/asan/rooms.a: $(LIBRARY:%=build/asan/%.o)
build/fuzz/rooms.a: $(LIBRARY:%=build/fuzz/%.o)
# BearSSL is behind the archive, and needs what stands for the C library as well.
STATIC_LIBC = $(LIBC:%=build/static/%.o)
build/static/rooms.a: $(LIBRARY:%=build/static/%.o)
build/%/rooms.a:
	@rm -f $@
	ar rcD $@ $^

# tests/core/source.c tests core/source.c, and so on; tests/top has the tests
# of the top rooms.  The program is build/glibc/test_source.
UNIT_FILES = $(wildcard $(patsubst %,tests/%/*.c,core sys tls serve top))
UNITS = $(patsubst %.c,test_%,$(notdir $(UNIT_FILES)))
build/asan/test_%: SANITIZE = $(SANE)
define unit
build/$(1)/test_$(notdir $(2:.c=)): build/$(1)/$(2:.c=.o) \
		build/$(1)/tests/quiet.o build/$(1)/rooms.a
	$$(HOSTCC) $$(SANITIZE) -o $$@ $$^ $$(BEARSSL) -lcmocka -lm
endef
$(foreach u,$(UNIT_FILES),$(eval $(call unit,glibc,$(u)))$(eval $(call unit,asan,$(u))))
$(foreach k,glibc asan,$(UNIT_FILES:%.c=build/$(k)/%.o)): tests/test.h \
	tests/parse.h tests/core/exchange.h
# This test includes what it tests, whose names are the C library's.
build/glibc/tests/sys/lesser.o build/asan/tests/sys/lesser.o: sys/lesser.c

# The filters that the static program has on this machine and on arm64, and what
# is expected of them.  No sanitizer is in them, since it has calls of its own.
FLAGS_arm64 = -Itests/sys/seccomp/arm64 -DSECCOMP_ARCH=AUDIT_ARCH_AARCH64
NAMES_seccomp = program install refused calls
define seccomp_filter
build/$(1)/tests/sys/seccomp/room-$(2).o: sys/seccomp.c
build/$(1)/tests/sys/seccomp/calls-$(2).o: tests/sys/seccomp/calls.c
build/$(1)/tests/sys/seccomp/room-$(2).o build/$(1)/tests/sys/seccomp/calls-$(2).o: \
		tests/sys/seccomp/calls.h $$(HEADERS)
	@mkdir -p $$(@D)
	$$(HOSTCC) $$(OWN) -O1 -g $$(FLAGS_$(2)) -DSECCOMP_MUSL \
		$$(foreach n,$$(NAMES_seccomp),-Dseccomp_$$(n)=$(2)_$$(n)) -c -o $$@ \
		$$(filter %.c,$$^)
build/$(1)/test_seccomp: build/$(1)/tests/sys/seccomp/room-$(2).o \
		build/$(1)/tests/sys/seccomp/calls-$(2).o
endef
$(foreach k,glibc asan,$(foreach v,here arm64,$(eval $(call seccomp_filter,$(k),$(v)))))

# It shows what config.c makes of a file, to be compared with tests/conf.
CONFDUMP = -Wl,--wrap=malloc,--wrap=realloc
build/glibc/confdump: build/glibc/tests/conf/confdump.o build/glibc/rooms.a
	$(HOSTCC) $(CONFDUMP) -o $@ $^ $(HOST_BEARSSL)
build/asan/confdump: build/asan/tests/conf/confdump.o build/asan/rooms.a
	$(HOSTCC) $(SANE) $(CONFDUMP) -o $@ $^ $(HOST_BEARSSL)
# (It prints what the daemon's own printf(3) cannot.)
build/static/confdump: build/static/tests/conf/confdump.o build/static/rooms.a
	$(CC) $(CFLAGS) $(STATIC) $(CONFDUMP) $(LDFLAGS) -o $@ $(STARTC) $^ \
		$(BEARSSL) $(ENDC)

SIM = sim sim_scenarios
build/glibc/sim: $(SIM:%=build/glibc/tests/sim/%.o) build/glibc/rooms.a
	$(HOSTCC) -o $@ $^ -lm
build/asan/sim: $(SIM:%=build/asan/tests/sim/%.o) build/asan/rooms.a
	$(HOSTCC) $(SANE) -o $@ $^ -lm
$(foreach k,glibc asan,$(SIM:%=build/$(k)/tests/sim/%.o)): tests/sim/sim.h

# The whole daemon in a simulated world.  The calls that it makes of the C library
# are those of tests/whole/calls.c, by these names.  "whole -v SEED" repeats one.
WHOLE = whole machine servers nts rivals plot calls
WHOLE_CALLS = $(shell grep -o '__wrap_[a-z0-9_]*' tests/whole/calls.h | \
	sed 's/__wrap_//')
WHOLE_LINK = $(patsubst %,-Wl$(comma)--wrap=%,$(WHOLE_CALLS))
build/glibc/whole/ntpd.o: ntpd.c $(HEADERS) $(GEN)
	@mkdir -p $(@D)
	$(HOSTCC) $(OWN) -Wno-missing-prototypes -O2 -g -Dmain=ntpd_main \
		-c -o $@ $<
build/glibc/whole/whole: $(WHOLE:%=build/glibc/tests/whole/%.o) \
		build/glibc/whole/ntpd.o build/glibc/rooms.a
	$(HOSTCC) -Wl,-z,now $(WHOLE_LINK) -o $@ $^ $(HOST_BEARSSL) -lm
$(WHOLE:%=build/glibc/tests/whole/%.o): tests/whole/world.h tests/whole/calls.h
WHOLE_SEEDS = 1000
whole: build/glibc/whole/whole	## a thousand troubled worlds around the whole daemon
	sh tests/whole/calls.sh build/glibc/whole/ntpd.o build/glibc/rooms.a
	$(PLAIN) build/glibc/whole/whole -n $(WHOLE_SEEDS)
	$(PLAIN) build/glibc/whole/whole -d 30 -n 2
SOAK_SEEDS = 20
soak: build/glibc/whole/whole ntpd	## months of the whole daemon in troubled worlds
	$(PLAIN) build/glibc/whole/whole -d 30 -n $(SOAK_SEEDS)
	$(PLAIN) /usr/bin/python3 tests/guest/soak.py 30 1

services: ntpd		## guests with systemd and with OpenRC run what is installed
	$(PLAIN) $(PY) -p no:cacheprovider tests/guest/services.py $(PYTEST)

signing: ntpd		## releases are pushed, signed and imported as docs/releasing.md says
	$(PLAIN) /usr/bin/python3 tests/image/signing.py

# Nothing that is run here may set this machine's clock.
PLAIN = sh tests/plain.sh

sim: build/glibc/sim	## table of the simulated scenarios
	$(PLAIN) build/glibc/sim

# ROOM="source sim" checks these alone.
ROOM =
CHECKED = $(filter $(or $(ROOM:%=test_%),%),$(UNITS))
CHECKED_SIM = $(if $(ROOM),$(filter sim,$(ROOM)),all)
CHECKED_CONF = $(if $(ROOM),$(filter config,$(ROOM)),all)
check: $(if $(ROOM),,ntpd) $(CHECKED:%=build/glibc/%)
check: $(if $(CHECKED_CONF),build/glibc/confdump)
check: $(if $(CHECKED_SIM),build/glibc/sim)	## units, simulation, house rules (or ROOM=source); needs nothing
	$(if $(CHECKED)$(CHECKED_SIM),,$(error no unit tests the room $(ROOM)))
	$(if $(ROOM),,sh tools/pure.sh "$(PURE:%=build/static/%.o)" "$(STATIC_OBJ)")
	$(if $(ROOM),,sh tools/rules.sh $(ROOMS:%=build/static/%.o))
	set -e; for u in $(CHECKED); do echo $$u; $(PLAIN) build/glibc/$$u \
		> build/glibc/$$u.log 2>&1 || { cat build/glibc/$$u.log; exit 1; }; \
		tail -n 1 build/glibc/$$u.log; done
	$(if $(CHECKED_CONF),$(PLAIN) sh tests/conf/conf.sh build/glibc/confdump)
	$(if $(CHECKED_SIM),$(PLAIN) build/glibc/sim -c -n 8)

check-asan: $(UNITS:%=build/asan/%) build/asan/sim build/asan/ntpd	## the same under sanitizers
	set -e; for u in $(UNITS); do echo $$u; $(PLAIN) build/asan/$$u \
		> build/asan/$$u.log 2>&1 || { cat build/asan/$$u.log; exit 1; }; \
		done
	$(PLAIN) build/asan/sim -c

WORD =
promises:		## what is tested, and where (WORD=kiss: about that)
	@sh tools/promises.sh "$(WORD)"

# Each fuzzer runs for FUZZ_SECONDS, guided by coverage, and makes a corpus.
FUZZ_SECONDS = 10
FUZZERS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FLAGS_fuzz_connection = $(patsubst %,-Wl$(comma)--wrap=%,close malloc calloc free \
	recv send accept4 shutdown getsockopt setsockopt bind listen connect \
	ioctl net_socket unlink mkdir lstat)
FLAGS_fuzz_daemon = $(patsubst \
	%,-Wl$(comma)--wrap=%,net_ask net_send net_receive net_random close \
	helper_start helper_reap clock_read)
# Without cryptography: nothing is encrypted, and whatever is compared is equal.
FLAGS_fuzz_shake = $(patsubst %,-Wl$(comma)--wrap=%,suite_seal suite_open \
	exchange_begin exchange_end signature_check secret_same)
CLANG = clang
CLANG_SANE = -g -O1 -fsanitize=address,undefined,float-cast-overflow \
	-fno-sanitize-recover=all
build/fuzz/%.o: %.c $(HEADERS) $(GEN)
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -I. -Ibuild/gen -D_GNU_SOURCE $(CLANG_SANE) \
		-fsanitize=fuzzer-no-link -c -o $@ $<
build/fuzz/%.o: build/gen/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -I. $(CLANG_SANE) -c -o $@ $<
$(FUZZERS:%=build/fuzz/tests/fuzz/%.o): tests/fuzz/fuzz.h
define fuzzer
build/fuzz/$(1): build/fuzz/tests/fuzz/$(1).o \
		build/fuzz/tests/quiet.o build/fuzz/rooms.a
	@mkdir -p build/fuzz/$(1).corpus
	$$(CLANG) $$(CLANG_SANE) -fsanitize=fuzzer $$(FLAGS_fuzz_$(1)) -o $$@ $$^ \
		$$(BEARSSL) -lm
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))
# The whole program, whose main is the fuzzer's.
build/fuzz/ntpd.o: CLANG_SANE += -Dmain=ntpd_main
build/fuzz/rooms.a: build/fuzz/ntpd.o
fuzz: $(FUZZERS:%=build/fuzz/%)	## fuzz every parser for FUZZ_SECONDS
	set -e; for f in $(FUZZERS); do echo fuzzing $$f; \
		corpus=tests/fuzz/corpus/$$f; [ -d $$corpus ] || corpus=; \
		$(PLAIN) build/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=5 \
		-max_len=8192 -verbosity=0 -artifact_prefix=build/fuzz/$$f- \
		build/fuzz/$$f.corpus $$corpus; done

PY = /usr/bin/python3 -m pytest -q
# These run a second time with the sanitized daemon, beside the others, since
# they mostly wait.  What fetches packages runs only once, or two would
# collide.
ONCE = %chrony.py %peers.py %control.py %serve.py %supervision.py %usage.py
NETWORK = -p no:cacheprovider -k "not prometheus and not hours and not anew" \
	$(filter-out $(ONCE),$(wildcard tests/live/test_*.py))
# These tests make roots of other systems, which takes minutes.
ROOTS = tests/image/test_image.py tests/image/test_readme.py
# This one tests the commands themselves.
COMMANDS = tests/test_fresh.py
# (The recipe does not name it, or "make -n test" would run it: plain.sh takes
# away MAKEFLAGS, and so the -n.)
ONLY =
ALL_TESTS = $(MAKE) $(MAKEOVERRIDES) $(if $(ONLY),only,all)-tests
test:			## install the test tools, then all tests (or ONLY=kiss)
	sh tools/need.sh test
	mkdir -p build; rm -f build/skipped
	SKIPPED=build/skipped $(PLAIN) $(ALL_TESTS)

QUIETLY = $(MAKE) --no-print-directory
# plain.sh runs this.  The file $SKIPPED collects what is skipped, and what was
# missing for it.  Five chains make two processors busy, since in each are steps
# that mostly wait.
all-tests:
	$(MAKE) -j2 ntpd glibc asan $(PROBES) build/glibc/confdump \
		build/glibc/whole/whole $(foreach k,glibc asan, \
		$(UNITS:%=build/$(k)/%) build/$(k)/sim)
	status=0; sh tests/chains.sh \
		'roots: $(PY) -p no:cacheprovider $(ROOTS) $(PYTEST)' -- \
		'sanitized: NTPD=build/asan/ntpd $(PY) $(NETWORK)' \
		'whole: $(QUIETLY) whole' -- \
		'check: $(QUIETLY) check' 'check-asan: $(QUIETLY) check-asan' \
		'commands: $(PY) -p no:cacheprovider $(COMMANDS) $(PYTEST)' \
		'fuzz: $(QUIETLY) fuzz-if-possible' -- \
		'tests: $(PY) $(patsubst %,--ignore=%,tests/guest $(ROOTS) $(COMMANDS)) \
			tests $(PYTEST)' -- \
		'guest: $(PY) -p no:cacheprovider tests/guest $(PYTEST)' \
		|| status=$$?; \
	echo "skipped:"; sort build/skipped 2>/dev/null | uniq -c; exit $$status

# The tests with the word in their name or in that of their file: whole units,
# the whole simulation, and single tests of pytest, which exits with 5 if it
# found none.
only-tests:
	$(MAKE) -j2 ntpd glibc $(PROBES)
	rooms=`sh tools/promises.sh "$(ONLY)" | sed -nE \
		's,^tests/(core|sys|tls|serve|top)/(.*)\.c:.*,\2,p; \
		s,^tests/sim/.*,sim,p' | sort -u`; \
		[ -z "$$rooms" ] || $(MAKE) check ROOM="`echo $$rooms`"
	$(PY) -k "`echo "$(ONLY)" | tr ' ' _`" tests $(PYTEST) || [ $$? = 5 ]

# In CI no kind of test may be skipped.
fuzz-if-possible:
	if echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
		$(CLANG) -w -fsanitize=fuzzer,address -x c -o build/fuzzer -; \
	then $(MAKE) fuzz; \
	else why="fuzz: $(CLANG) or its libclang-rt-N-dev is not installed"; \
		echo "skipped: $$why"; \
		[ -z "$$SKIPPED" ] || echo "$$why" >> $$SKIPPED; \
		[ "$$CI" != true ]; fi

# The tests' way to the TLS rooms alone: the objects of the daemon.
PROBE = tests/tls-cases/tlsprobe
build/static/tlsprobe: build/static/$(PROBE).o build/static/rooms.a \
		$(BEARSSL) $(STATIC_LIBC)
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $(STARTC) $^ $(ENDC)
build/asan/tlsprobe: build/asan/$(PROBE).o build/asan/rooms.a
	$(HOSTCC) $(SANE) -o $@ $^ $(HOST_BEARSSL) -lm
# Both programs as if built in 1970, for tests with a clock of long ago.
build/past/epoch.o: build/gen/epoch.c $(HEADERS) build/include
	@mkdir -p $(@D)
	sed 's/build_epoch = .*/build_epoch = 1;/' $< > build/past/epoch.c
	$(CC) $(OWN) $(SMALL) $(CFLAGS) -c -o $@ build/past/epoch.c
build/past/ntpd: $(STATIC_OBJ:build/static/epoch.o=build/past/epoch.o) \
		$(BEARSSL)
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $(STARTC) $^ $(ENDC)
build/past/tlsprobe: build/static/$(PROBE).o build/past/epoch.o \
		build/static/rooms.a $(BEARSSL) $(STATIC_LIBC)
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $(STARTC) $^ $(ENDC)
# The daemon as if strangers had taken over one of its roles.
build/static/taken: build/static/tests/live/taken.o $(STATIC_OBJ) \
		$(BEARSSL)
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) \
		-Wl,--wrap=dns_ask,--wrap=tls_ask,--wrap=tls_exchange \
		-Wl,--wrap=log_turn \
		-o $@ $(STARTC) $^ $(ENDC)
# The control socket with a made-up daemon.
CONTROL = tests/live/controltest
build/static/controltest: build/static/$(CONTROL).o build/static/rooms.a \
		$(BEARSSL) $(STATIC_LIBC)
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $(STARTC) $^ $(ENDC)
build/asan/controltest: build/asan/$(CONTROL).o build/asan/rooms.a
	$(HOSTCC) $(SANE) -o $@ $^ $(HOST_BEARSSL) -lm
PROBES = build/static/tlsprobe build/asan/tlsprobe build/past/tlsprobe \
	build/past/ntpd build/static/taken $(foreach k,asan static,\
	build/$(k)/confdump build/$(k)/controltest)
# How fast it serves, beside plain loops and other daemons.
build/bench/serve_alone: build/static/tests/bench/serve_alone.o \
		build/static/rooms.a $(STATIC_LIBC)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $(STARTC) $^ $(BEARSSL) $(ENDC)
build/bench/nts_alone: build/static/tests/bench/nts_alone.o \
		build/static/rooms.a $(STATIC_LIBC)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $(STARTC) $^ $(BEARSSL) $(ENDC)
build/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(HOSTCC) -O2 -Wall -Wextra -o $@ $<
bench-server: ntpd build/bench/ceiling build/bench/load build/bench/serve_alone
bench-server:		## answers per CPU-second against a plain loop (root)
	/usr/bin/python3 tests/bench/bench_server.py build/bench ./ntpd

bench: ntpd build/static/tlsprobe build/bench/nts_alone	## size, memory, wake-ups, start-up beside peers
	/usr/bin/python3 tests/bench/bench.py
	/usr/bin/python3 tests/bench/bench_tls.py
	build/bench/nts_alone
bench-tls: build/static/tlsprobe ntpd	## an HTTPS question beside openssl's
	/usr/bin/python3 tests/bench/bench_tls.py

# The peers are simulated where CLKNETSIM names a built clknetsim.
bench-clock: ntpd glibc	## the clock beside the peers': simulated, and a guest's
	/usr/bin/python3 tests/bench/bench_clock.py --svg docs/error.svg
	/usr/bin/python3 tests/bench/bench_guest.py

.PHONY: promises only-tests sim whole soak services signing check check-asan fuzz fuzz-if-possible test all-tests bench bench-server bench-tls bench-clock
