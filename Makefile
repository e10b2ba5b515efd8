# ntpd: one static binary that keeps the clock right.  `make help` lists the
# targets.

CC = musl-gcc
HOSTCC = cc
CFLAGS = -Oz
LDFLAGS =
PREFIX = /usr/local
DESTDIR =
CONF =
# The CA roots that are built in are those of CA_BUNDLE.  With CA_LOCAL=no they
# are only those of Mozilla, whose certificates are in CA_MOZILLA, one in a
# file.  "ntpd -V" shows CA_NAME.
CA_BUNDLE = /etc/ssl/certs/ca-certificates.crt
CA_LOCAL = yes
CA_MOZILLA = /usr/share/ca-certificates/mozilla
CA_NAME = $(or $(if $(CA_BUNDLE:/etc/ssl/certs/ca-certificates.crt=),,$(shell \
	dpkg-query -W -f '$${Version}' ca-certificates 2>/dev/null)),$(notdir \
	$(CA_BUNDLE)))

# The version is in the file VERSION; a test compares the other places where it
# stands.  "ntpd -V" shows it, and LINKED, the packages of what is linked in.
VERSION := $(shell cat VERSION)
package = $(or $(shell dpkg-query -W -f '$${Version}\n' $(1) 2>/dev/null | \
	sort -u),unknown)
LINKED = musl $(call package,musl-dev), BearSSL $(call package,libbearssl-dev)

# The rooms: pure ones decide, the others act; see docs/house.md.
CORE = address lex ntp source sensor line filter select discipline confidence constraint \
	edge http calendar resolv calm rival wipe word \
	cmac siv nts key jar
SYS = log net os helper dns link machine rights landlock seccomp sandbox instant file \
	state detach refid phc watch keys clockbound
TLS = der suite secret record message exchange signature hello shake
PURE = $(CORE:%=core/%) config $(TLS:%=tls/%) serve/text serve/request \
	serve/status
EFFECTS = $(SYS:%=sys/%) tls/anchors tls/trust tls serve/listen serve/serve \
	serve/control serve/ctl clock peers sensors constraints steer tell ntpd
ROOMS = $(PURE) $(EFFECTS)
HEADERS = $(wildcard *.h core/*.h sys/*.h tls/*.h serve/*.h)
SOURCES = $(wildcard *.c core/*.c sys/*.c tls/*.c serve/*.c tools/*.c)

# The build date that the program knows is that of the last commit, or else of
# the newest source.  A repository of which this directory is only a part does
# not count.  Without safe.directory git would refuse another user's, as under
# sudo.
ifndef SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH := $(shell { [ -e .git ] && \
	git -c safe.directory='*' log -1 --format=%ct; } 2>/dev/null || \
	stat -c %Y $(SOURCES) $(HEADERS) ntpd.conf | sort -n | tail -n 1)
endif

WARN = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-Wvla -Wconversion -Wno-sign-conversion
OWN = -std=gnu11 $(WARN) -I. -Ibuild/gen -D_GNU_SOURCE
# On x86, gcc puts arrays at multiples of 32 bytes for the sake of speed: 700
# bytes of nothing.
DENSE := $(shell $(CC) -malign-data=abi -fsyntax-only -x c /dev/null 2>/dev/null \
	&& echo -malign-data=abi)
# Not to keep values across calls, and not to move or double code, saves 2.5 KB;
# the loops that cost time are BearSSL's.
UNMOVED = -fno-caller-saves -fno-move-loop-invariants -fno-tree-loop-im \
	-fno-tree-dominator-opts -fno-if-conversion -fno-code-hoisting \
	-fno-shrink-wrap -fno-ipa-sra
SMALL = $(DENSE) -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong \
	-fno-asynchronous-unwind-tables -fno-jump-tables $(UNMOVED) \
	-idirafter build/include
GEN = build/gen/default_conf.h
# BearSSL is named by its full path, since -L of its directory would bring
# glibc's libc.a as well.  BEARSSL belongs to the machine that the program is
# for.
HOST_BEARSSL = $(shell $(HOSTCC) -print-file-name=libbearssl.a)
BEARSSL = $(shell $(CC) -print-file-name=libbearssl.a)

# Sorting puts small variables, which are used, beside each other instead of
# between large arrays, which are not.
#
# The static-pie is linked by hand, because -static-pie of musl-gcc makes a
# dynamic program.  The start files must be musl's, but on Debian
# -print-file-name finds glibc's.  The compiler's own, crtbeginS.o and
# crtendS.o, are left out (400 bytes): they serve exceptions and transactional
# memory.
MUSL = /usr/lib/$(subst gnu,musl,$(shell $(CC) -dumpmachine))/
STARTC = $(MUSL)rcrt1.o $(MUSL)crti.o
ENDC = $(MUSL)crtn.o
STATIC = -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text \
	-Wl,-z,relro,-z,now,-z,noexecstack,-z,noseparate-code \
	-Wl,--gc-sections,--build-id=none,--hash-style=gnu,-s \
	-Wl,-T,tools/cold.ld,--sort-section=alignment

# These stand for parts of the C library, and only in the static program.
LIBC = sys/fortify sys/lesser
STATIC_OBJ = $(patsubst %,build/static/%.o,$(ROOMS) roots epoch $(LIBC))
GLIBC_OBJ = $(patsubst %,build/glibc/%.o,$(filter-out sys/sandbox sys/rights \
	sys/os,$(ROOMS)) roots epoch sim-sandbox sim-rights sim-os)
ASAN_OBJ = $(patsubst %,build/asan/%.o,$(ROOMS) roots epoch)

all: ntpd		## build ./ntpd, static (default)

ntpd: $(STATIC_OBJ) tools/static.sh tools/cold.ld
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@.new $(STARTC) $(STATIC_OBJ) \
		$(BEARSSL) $(ENDC)
	sh tools/static.sh $@.new
	mv $@.new $@

build/static/%.o: %.c $(HEADERS) $(GEN) build/include
	@mkdir -p $(@D)
	$(CC) $(OWN) $(SMALL) $(CFLAGS) -c -o $@ $<

glibc: build/glibc/ntpd	## dynamic build for the simulator
build/glibc/ntpd: $(GLIBC_OBJ)
	$(HOSTCC) -O2 -o $@ $(GLIBC_OBJ) $(HOST_BEARSSL) -lm
build/glibc/%.o: %.c $(HEADERS) $(GEN)
	@mkdir -p $(@D)
	$(HOSTCC) $(OWN) -O2 -U_FORTIFY_SOURCE -g -c -o $@ $<
build/glibc/sim-%.o: tests/clknetsim/sim-%.c $(HEADERS) $(GEN)
	@mkdir -p $(@D)
	$(HOSTCC) $(OWN) -O2 -U_FORTIFY_SOURCE -g -c -o $@ $<

asan: build/asan/ntpd	## the daemon under ASan and UBSan
build/asan/ntpd: $(ASAN_OBJ)
	$(HOSTCC) -g -fsanitize=address,undefined -o $@ $(ASAN_OBJ) \
		$(HOST_BEARSSL) -lm
build/asan/%.o: %.c $(HEADERS) $(GEN)
	@mkdir -p $(@D)
	$(HOSTCC) $(OWN) -O1 -g -fsanitize=address,undefined \
		-fno-sanitize-recover=all -c -o $@ $<

# The generated files are the roots and what build.h tells.
build/static/%.o: build/gen/%.c $(HEADERS) build/include
	@mkdir -p $(@D)
	$(CC) $(OWN) $(SMALL) $(CFLAGS) -c -o $@ $<
build/glibc/%.o: build/gen/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(HOSTCC) $(OWN) -O2 -c -o $@ $<
build/asan/%.o: build/gen/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(HOSTCC) $(OWN) -O2 -c -o $@ $<

MKROOTS = tools/mkroots.c core/calendar.c tls/anchors.c tls/der.c sys/file.c \
	sys/os.c
build/gen/mkroots: $(MKROOTS) $(HEADERS)
	@mkdir -p $(@D)
	$(HOSTCC) $(OWN) -O2 -o $@ $(MKROOTS) $(HOST_BEARSSL)
build/gen/roots.c: build/gen/mkroots build/gen/bundle build/gen/epoch.c \
		$(CA_BUNDLE)
	CA_MOZILLA="$(CA_MOZILLA)" CA_LOCAL=$(CA_LOCAL) \
	build/gen/mkroots $(CA_BUNDLE) "$(CA_NAME)" $(SOURCE_DATE_EPOCH) > $@.new
	mv $@.new $@
$(CA_BUNDLE):
	@echo "no CA bundle $@: install ca-certificates, or make" \
		"CA_BUNDLE=FILE" >&2; exit 1
build/gen/bundle: FORCE
	@mkdir -p $(@D)
	@echo $(CA_BUNDLE) $(CA_NAME) $(CA_LOCAL) | cmp -s - $@ || \
		echo $(CA_BUNDLE) $(CA_NAME) $(CA_LOCAL) > $@

# Without this the compiler would make of memcpy(3) a call of memcpy(3).
$(LIBC:%=build/static/%.o): SMALL += -fno-builtin

build/gen/default_conf.h: ntpd.conf
	@mkdir -p $(@D)
	sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' ntpd.conf > $@

# The file changes only when what it tells does, so that nothing is built
# without need.  Several makes may be at it at once, when tests call them.
build/gen/epoch.c: FORCE
	@mkdir -p $(@D)
	@new=$@.$$$$; printf '%s\n' '#include "core/build.h"' \
		'const char build_version[] = "$(VERSION)";' \
		'const char build_linked[] = "$(LINKED)";' \
		'const int64_t build_epoch = $(SOURCE_DATE_EPOCH)LL;' > $$new; \
	if cmp -s $$new $@; then rm $$new; else mv $$new $@; fi

# musl-gcc does not see the system's headers, so these are links to those of the
# kernel and of BearSSL.  (The whole directory would bring glibc's.)  Only the
# compiler knows where "asm" is; without one nothing is left behind.
build/include:
	@asm=`$(CC) -print-multiarch` || { echo "no compiler $(CC): install" \
		"musl-tools (\"make run\" does), or name another: CC=..." >&2; \
		exit 1; }; \
	set -e; rm -rf $@.new; mkdir -p $@.new; \
	ln -s /usr/include/$$asm/asm /usr/include/linux \
		/usr/include/asm-generic /usr/include/bearssl \
		/usr/include/bearssl.h $@.new; \
	mv $@.new $@

# ------------------------------------------------------------------ delivery

MAN = man/ntpd.8 man/ntpd.conf.5 man/ntpctl.8
SYSTEMD = ntpd.service ntpd-wait.service
SBIN = $(DESTDIR)$(PREFIX)/sbin
SHARE = $(DESTDIR)$(PREFIX)/share
# systemd looks there, whether PREFIX is /usr/local or, for a package, /usr.
UNITS_DIR = $(DESTDIR)$(PREFIX)/lib/systemd/system
NTP_UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/ntp-units.d
BASH = $(SHARE)/bash-completion/completions
ZSH = $(SHARE)/zsh/site-functions

install: ntpd		## into PREFIX below DESTDIR: program, manual, units
	install -d $(SBIN) $(SHARE)/man/man5 $(SHARE)/man/man8 \
		$(SHARE)/doc/ntpd $(UNITS_DIR) $(NTP_UNITS) $(BASH) $(ZSH) \
		$(DESTDIR)/var/db
	install -m 755 ntpd $(SBIN)/ntpd
	ln -sfn ntpd $(SBIN)/ntpctl
	install -m 644 man/ntpd.8 man/ntpctl.8 $(SHARE)/man/man8
	install -m 644 man/ntpd.conf.5 $(SHARE)/man/man5
	install -m 644 LICENSE NOTICE ntpd.conf $(SHARE)/doc/ntpd
	install -m 644 deploy/50-ntpd.list $(NTP_UNITS)
	install -m 644 deploy/completions/ntpd.bash $(BASH)/ntpd
	ln -sfn ntpd $(BASH)/ntpctl
	install -m 644 deploy/completions/_ntpd $(ZSH)
	umask 022; for unit in $(SYSTEMD); do \
		sed 's,/usr/local/,$(PREFIX)/,' deploy/$$unit \
		> $(UNITS_DIR)/$$unit || exit 1; done
	if [ -x /sbin/openrc-run ] || [ -n "$(OPENRC)" ]; then \
		install -d $(DESTDIR)/etc/init.d && \
		sed 's,/usr/local/,$(PREFIX)/,' deploy/ntpd.openrc \
			> $(DESTDIR)/etc/init.d/ntpd && \
		chmod 755 $(DESTDIR)/etc/init.d/ntpd; fi

# This removes what "install" has made, but not /var/db: the drift file belongs
# to the machine.
uninstall:		## remove what install put there
	rm -f $(SBIN)/ntpd $(SBIN)/ntpctl $(SHARE)/man/man5/ntpd.conf.5 \
		$(SHARE)/man/man8/ntpd.8 $(SHARE)/man/man8/ntpctl.8 \
		$(SYSTEMD:%=$(UNITS_DIR)/%) $(NTP_UNITS)/50-ntpd.list \
		$(BASH)/ntpd $(BASH)/ntpctl $(ZSH)/_ntpd
	rm -rf $(SHARE)/doc/ntpd
	if grep -q 'OpenRC script.  "make install"' \
		$(DESTDIR)/etc/init.d/ntpd 2>/dev/null; then \
		rm $(DESTDIR)/etc/init.d/ntpd; fi

# The manual is rendered for those who read it on the web.
docs: $(MAN:man/%=docs/%.md)	## the manual under docs/ (needs mandoc)
docs/%.md: man/%
	@mkdir -p $(@D)
	mandoc -T markdown $< > $@.new
	mv $@.new $@

deploy/base/k8s.yaml: k8s.yaml
	cp k8s.yaml $@
deploy/components/metrics/prometheusrule.yaml: deploy/alerts.yaml
	{ printf '%s\n' 'apiVersion: monitoring.coreos.com/v1' \
		'kind: PrometheusRule' 'metadata:' '  name: ntpd' \
		'  namespace: ntpd' '  labels:' \
		'    app.kubernetes.io/name: ntpd' 'spec:'; \
		sed 's/^./  &/' $<; } > $@.new
	mv $@.new $@
# What a chart shows must be in its own folder.
charts/ntpd/files/%: deploy/%
	cp $< $@

# Docker, podman or buildah makes the image, whichever is there.  It is for
# another machine with, for example, PLATFORM=linux/arm64.  The builder gets
# IMAGE_FLAGS.
IMAGE = docker.io/library/ntpd:$(VERSION)
ENGINE = $(shell if docker info >/dev/null 2>&1; then echo docker; \
	else command -v podman || command -v buildah || echo docker; fi)
PLATFORM =
IMAGE_FLAGS =
# Where the sources are, and which ones, for the labels of the image.
SOURCE_URL =
REVISION = $(shell git -c safe.directory='*' rev-parse HEAD 2>/dev/null)
IMAGE_ARGS = $(IMAGE_FLAGS) $(if $(PLATFORM),--platform $(PLATFORM)) \
	--build-arg SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) \
	--build-arg SOURCE_URL=$(SOURCE_URL) --build-arg REVISION=$(REVISION) \
	-t $(IMAGE)
image:			## the container image, the same bytes every time
	$(ENGINE) build $(if $(filter docker,$(ENGINE)),, --format docker \
		--timestamp $(SOURCE_DATE_EPOCH)) $(IMAGE_ARGS) .

# Of what ./ntpd is made, and a release: programs, images, what they are made of,
# and the sums of all, in $(RELEASE).  SOURCE_URL is the address of the repository.
RELEASE = build/release
parts:
	@sh tools/parts.sh "$(CC)" "$(BEARSSL)" "$(CA_BUNDLE)" "$(CA_NAME)"
release:		## binaries, images and SBOMs for all machines, in build/release
	python3 tools/release.py --engine "$(ENGINE) build $(IMAGE_FLAGS)" \
		--epoch $(SOURCE_DATE_EPOCH) --url "$(SOURCE_URL)" $(RELEASE)

run:			## install what is missing, build, run (CONF=file)
	sh tools/need.sh build
	$(MAKE) ntpd
	sh tools/run.sh "$(CONF)"

# There are check, test, fuzz, the benches and the simulations.
include tests/tests.mk

help:			## this list
	@sed -n 's/^\([a-z-]*\):.*## */\1	/p' Makefile tests/tests.mk

clean:			## remove what was built
	rm -rf build ntpd

FORCE:
.PHONY: all glibc asan install uninstall docs image parts release run help clean \
	FORCE
