# tests.mk - included by the Makefile: check, test, fuzz, benches, simulations.

# The rooms that a unit test links; a test of one room needs no line here.
ROOMS_test_clock = clock sandbox os
ROOMS_test_source = source ntp filter constraint calm address
ROOMS_test_line = line source ntp filter constraint calm address
ROOMS_test_select = select filter
ROOMS_test_hostile = source select filter discipline ntp constraint calm \
	address
ROOMS_test_discipline = discipline filter
ROOMS_test_resolv = resolv address
ROOMS_test_config = config address
ROOMS_test_http = http calendar
ROOMS_test_helper = helper sandbox net os dns resolv address
ROOMS_test_trust = trust calendar
ROOMS_test_tls = tls trust http calendar net os address
ROOMS_test_serve = serve net ntp os address
ROOMS_test_lesser = calendar
build/glibc/test_lesser build/asan/test_lesser: sys/lesser.c # which it includes
# tests/core/source.c tests core/source.c, and so on; those of the top rooms are in
# tests/top.  The program is build/glibc/test_source.
UNIT_FILES = $(wildcard $(patsubst %,tests/%/*.c,core sys tls serve top) \
	tests/test_*.c)
UNITS = $(patsubst test_test_%,test_%,$(patsubst %.c,test_%,$(notdir $(UNIT_FILES))))
# A room's name with its folder.
place = $(foreach r,$(1),$(or $(filter $(r) %/$(r),$(ROOMS) $(LIBC)),$(r)))
rooms = $(call place,$(or $(ROOMS_$(1)),$(1:test_%=%)))

# $(1): kind of objects, $(2): test, $(3): compiler's flags
define unit
build/$(1)/$(2): $(filter %/$(2).c %/$(2:test_%=%.c),$(UNIT_FILES)) \
		$(patsubst %,build/$(1)/%.o,$(call rooms,$(2)))
	$$(HOSTCC) $$(OWN) -g $(3) -o $$@ $$(filter-out sys/lesser.c,$$^) \
		$$(BEARSSL) -lcmocka -lm
endef
ROOMS_test_constraint = constraint calm address
SANE = -fsanitize=address,undefined -fno-sanitize-recover=all
$(foreach u,$(UNITS),$(eval $(call unit,glibc,$(u),-O1)))
$(foreach u,$(UNITS),$(eval $(call unit,asan,$(u),-O1 $(SANE))))

SIM = tests/sim/sim.c tests/sim/sim_scenarios.c
SIM_ROOMS = $(call place,address ntp source filter select discipline constraint \
	calm)
build/glibc/sim: $(SIM) tests/sim/sim.h $(SIM_ROOMS:%=build/glibc/%.o)
	$(HOSTCC) $(OWN) -O2 -o $@ $(SIM) $(SIM_ROOMS:%=build/glibc/%.o) -lm
build/asan/sim: $(SIM) tests/sim/sim.h $(SIM_ROOMS:%=build/asan/%.o)
	$(HOSTCC) $(OWN) -O1 -g $(SANE) -o $@ $(SIM) \
		$(SIM_ROOMS:%=build/asan/%.o) -lm

# Nothing that is run here may set this machine's clock.
PLAIN = sh tests/plain.sh

sim: build/glibc/sim	## table of the simulated scenarios
	$(PLAIN) build/glibc/sim

check: ntpd $(UNITS:%=build/glibc/%) build/glibc/sim	## units, simulation, house rules; needs nothing
	sh tools/pure.sh "$(PURE:%=build/static/%.o)" "$(STATIC_OBJ)"
	set -e; for u in $(UNITS); do echo $$u; $(PLAIN) build/glibc/$$u \
		> build/glibc/$$u.log 2>&1 || { cat build/glibc/$$u.log; exit 1; }; \
		tail -n 1 build/glibc/$$u.log; done
	$(PLAIN) build/glibc/sim -c -n 8

check-asan: $(UNITS:%=build/asan/%) build/asan/sim build/asan/ntpd	## the same under sanitizers
	set -e; for u in $(UNITS); do echo $$u; $(PLAIN) build/asan/$$u \
		> build/asan/$$u.log 2>&1 || { cat build/asan/$$u.log; exit 1; }; \
		done
	$(PLAIN) build/asan/sim -c

# Coverage-guided fuzzers, each for FUZZ_SECONDS; the corpus is made on the spot.
FUZZ_SECONDS = 8
FUZZERS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
ROOMS_fuzz_packet = ntp source filter constraint calm address
ROOMS_fuzz_config = config address
ROOMS_fuzz_connection = control status calendar net os address
FLAGS_fuzz_connection = $(patsubst %,-Wl$(comma)--wrap=%,close malloc free recv \
	send accept4 shutdown getsockopt setsockopt bind listen connect ioctl \
	net_socket unlink mkdir lstat)
ROOMS_fuzz_control = status
ROOMS_fuzz_resolv = resolv address
ROOMS_fuzz_daemon = $(PURE) $(filter-out sys/log clock serve/ctl ntpd,$(EFFECTS)) \
	build/gen/roots build/gen/epoch
FLAGS_fuzz_daemon = -fsanitize=float-cast-overflow $(patsubst \
	%,-Wl$(comma)--wrap=%,net_ask net_send net_receive net_random close \
	helper_start helper_reap)
ROOMS_fuzz_date = http calendar
ROOMS_fuzz_der = trust calendar
ROOMS_fuzz_pem = trust calendar
CLANG = clang
comma = ,
define fuzzer
build/fuzz/$(1): tests/fuzz/$(1).c $(patsubst %,%.c,$(call place,$(or $(ROOMS_fuzz_$(1)),$(1)))) $$(HEADERS) $$(GEN)
	@mkdir -p build/fuzz/$(1).corpus
	$$(CLANG) -std=gnu11 -I. -Ibuild/gen -D_GNU_SOURCE \
		-g -O1 \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		$$(FLAGS_fuzz_$(1)) -o $$@ $$(filter %.c,$$^) $$(BEARSSL) -lm
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))
fuzz: $(FUZZERS:%=build/fuzz/%)	## fuzz every parser for FUZZ_SECONDS
	set -e; for f in $(FUZZERS); do echo fuzzing $$f; \
		corpus=tests/fuzz/corpus/$$f; [ -d $$corpus ] || corpus=; \
		$(PLAIN) build/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=5 \
		-max_len=8192 -verbosity=0 -artifact_prefix=build/fuzz/$$f- \
		build/fuzz/$$f.corpus $$corpus; done

PY = /usr/bin/python3 -m pytest -q
# Once more with the sanitized daemon, beside the others: they mostly wait.  What
# fetches packages stays out, two at a time would be in each other's way.
ONCE = %chrony.py %control.py %serve.py %supervision.py %usage.py
NETWORK = -p no:cacheprovider -k "not prometheus and not hours and not anew" \
	$(filter-out $(ONCE),$(wildcard tests/live/test_*.py))
# What makes roots of other systems takes minutes of one processor: beside the
# others as well, one after the other.
ROOTS = tests/image/test_image.py tests/image/test_readme.py tests/test_fresh.py
# (Not by its name in the recipe, or "make -n test" would run it: plain.sh takes
# away MAKEFLAGS, and so the -n.)
ALL_TESTS = $(MAKE) $(MAKEOVERRIDES) all-tests
test:			## install the test tools, then all tests
	sh tools/need.sh test
	mkdir -p build; rm -f build/skipped
	SKIPPED=build/skipped $(PLAIN) $(ALL_TESTS)

# As plain.sh runs it.  What is skipped, and for want of what, is collected in
# the file $SKIPPED.
all-tests:
	$(MAKE) -j2 ntpd glibc asan $(PROBES)
	$(MAKE) check check-asan
	$(MAKE) fuzz-if-possible
	{ sane=0; NTPD=build/asan/ntpd $(PY) $(NETWORK) > build/asan/net.log 2>&1 \
		|| sane=1; \
	$(PY) -p no:cacheprovider $(ROOTS) $(PYTEST) > build/roots.log 2>&1 && \
		exit $$sane; } & beside=$$!; \
	status=0; $(PY) $(ROOTS:%=--ignore=%) tests $(PYTEST) || status=$$?; \
	wait $$beside || { status=1; cat build/asan/net.log build/roots.log; }; \
	echo "under sanitizers: `tail -n 1 build/asan/net.log`"; \
	echo "in roots of their own: `tail -n 1 build/roots.log`"; \
	echo "skipped:"; sort build/skipped 2>/dev/null | uniq -c; exit $$status

# In CI no ring of the tests may be skipped.
fuzz-if-possible:
	if echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
		$(CLANG) -w -fsanitize=fuzzer,address -x c -o build/fuzzer -; \
	then $(MAKE) fuzz; \
	else why="fuzz: $(CLANG) or its libclang-rt-N-dev is not installed"; \
		echo "skipped: $$why"; \
		[ -z "$$SKIPPED" ] || echo "$$why" >> $$SKIPPED; \
		[ "$$CI" != true ]; fi

# The tests' way to the TLS rooms alone: the objects of the daemon.
PROBE = address log calm clock net os sandbox calendar http trust tls roots epoch \
	tlsprobe
PROBE_OBJ = $(patsubst %,build/static/%.o,$(call place,$(PROBE)) $(LIBC))
build/static/tlsprobe: $(PROBE_OBJ) build/static/libbearssl.a
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $(STARTC) $^ $(ENDC)
build/asan/tlsprobe: $(patsubst %,build/asan/%.o,$(call place,$(PROBE)))
	$(HOSTCC) -g -fsanitize=address,undefined -o $@ $^ $(HOST_BEARSSL) -lm
# Both programs as if built in 1970, for tests with a clock of long ago.
build/past/epoch.o: build/gen/epoch.c $(HEADERS) build/include
	@mkdir -p $(@D)
	echo '#include "core/build.h"' > build/past/epoch.c
	echo 'const int64_t build_epoch = 1;' >> build/past/epoch.c
	$(CC) $(OWN) $(SMALL) $(CFLAGS) -c -o $@ build/past/epoch.c
build/past/ntpd: $(STATIC_OBJ:build/static/epoch.o=build/past/epoch.o) \
		build/static/libbearssl.a
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $(STARTC) $^ $(ENDC)
build/past/tlsprobe: $(PROBE_OBJ:build/static/epoch.o=build/past/epoch.o) \
		build/static/libbearssl.a
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $(STARTC) $^ $(ENDC)
PROBES = build/static/tlsprobe build/asan/tlsprobe build/past/tlsprobe \
	build/past/ntpd
build/static/tlsprobe.o: tests/tls-cases/tlsprobe.c $(HEADERS) $(GEN) build/include
	@mkdir -p $(@D)
	$(CC) $(OWN) $(SMALL) $(CFLAGS) -c -o $@ $<
build/asan/tlsprobe.o: tests/tls-cases/tlsprobe.c $(HEADERS) $(GEN)
	@mkdir -p $(@D)
	$(HOSTCC) $(OWN) -O1 -g -fsanitize=address,undefined \
		-fno-sanitize-recover=all -c -o $@ $<

# How fast it serves, beside plain loops and other daemons.
ALONE = address serve ntp net os fortify lesser
build/bench/serve_alone: tests/bench/serve_alone.c \
		$(patsubst %,build/static/%.o,$(call place,$(ALONE)))
	@mkdir -p $(@D)
	$(CC) $(OWN) $(SMALL) $(CFLAGS) -c -o $@.o $<
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $(STARTC) $@.o \
		$(filter %.o,$^) $(BEARSSL) $(ENDC)
build/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(HOSTCC) -O2 -Wall -Wextra -o $@ $<
bench-server: ntpd build/bench/ceiling build/bench/load build/bench/serve_alone
bench-server:		## answers per CPU-second against a plain loop (root)
	/usr/bin/python3 tests/bench/bench_server.py build/bench ./ntpd

bench: ntpd build/static/tlsprobe	## size, memory, wake-ups, start-up beside peers
	/usr/bin/python3 tests/bench/bench.py
	/usr/bin/python3 tests/bench/bench_tls.py
bench-tls: build/static/tlsprobe ntpd	## an HTTPS question beside openssl's
	/usr/bin/python3 tests/bench/bench_tls.py

# The peers are simulated where CLKNETSIM names a built clknetsim.
bench-clock: ntpd glibc	## the clock beside the peers': simulated, and a guest's
	/usr/bin/python3 tests/bench/bench_clock.py --svg docs/error.svg
	/usr/bin/python3 tests/bench/bench_guest.py

.PHONY: sim check check-asan fuzz fuzz-if-possible test all-tests bench bench-server bench-tls bench-clock
