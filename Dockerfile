# The image: one static binary and a link to it, about 340 KB.
#
#   docker buildx build -t ntpd:0.1.0 .            this machine's kind
#   docker buildx build --platform linux/arm64 -t ntpd:0.1.0 .
#   podman build --format docker -t docker.io/library/ntpd:0.1.0 .
#
# or "make image".  buildah takes podman's options.  --format docker keeps the
# health check; the full name is what "podman save" and Kubernetes go by.
#
# The same bytes every time: docs/building.md, "The same image twice".

# The build stage always runs on the machine at hand; the compiler crosses to
# the other kinds, so no emulation is needed.  Builders without BUILDPLATFORM
# (buildah before 1.32) take the default; on an arm64 machine give them
# --build-arg BUILDPLATFORM=linux/arm64.
# Debian 13: the roots, musl and the compiler are newer than in 12, which does
# as well.
ARG BASE=docker.io/library/debian:13-slim
FROM --platform=${BUILDPLATFORM:-linux/amd64} ${BASE} AS build

# What all kinds of machine need is a layer of its own, so that the next image
# finds it.  The host program that packs the CA roots needs the build machine's
# libbearssl.  ca-certificates are the roots.
RUN apt-get update -q && \
    DEBIAN_FRONTEND=noninteractive apt-get install -qy \
        --no-install-recommends make gcc libc6-dev libbearssl-dev \
        ca-certificates

# The machine to build for, set by the builder; empty: that at hand.  Of 32-bit
# arm there is v7 only, whatever the variant is called.
ARG TARGETARCH

# The daemon needs the target's libraries.
RUN set -eu; \
    build=$(dpkg --print-architecture); \
    target=${TARGETARCH:-$build}; \
    case $target in \
    amd64) cross=gcc-x86-64-linux-gnu ;; \
    arm64) cross=gcc-aarch64-linux-gnu ;; \
    arm|armhf) target=armhf cross=gcc-arm-linux-gnueabihf ;; \
    riscv64) cross=gcc-riscv64-linux-gnu ;; \
    *) echo "no recipe for $target" >&2; exit 1 ;; \
    esac; \
    if [ "$target" = "$build" ]; then cross=; \
    else dpkg --add-architecture "$target"; apt-get update -q; fi; \
    DEBIAN_FRONTEND=noninteractive apt-get install -qy \
        --no-install-recommends $cross "musl-dev:$target" \
        "libbearssl-dev:$target" "linux-libc-dev:$target"

# Seconds since 1970: the build date that the program knows and will not go
# back behind.  Empty: that of the newest source file.
ARG SOURCE_DATE_EPOCH

WORKDIR /src
COPY . .

# The cross compiler is named in full for the build machine's kind as well:
# one way for both.  The image's root is laid out in /out, with one date.
RUN set -eu; \
    case ${TARGETARCH:-$(dpkg --print-architecture)} in \
    amd64) cpu=x86_64 ;; \
    arm64) cpu=aarch64 ;; \
    arm|armhf) cpu=arm abi=eabihf ;; \
    riscv64) cpu=riscv64 ;; \
    esac; \
    [ -n "${SOURCE_DATE_EPOCH:-}" ] || unset SOURCE_DATE_EPOCH; \
    gcc=$cpu-linux-gnu${abi-}-gcc musl=/usr/lib/$cpu-linux-musl${abi-}; \
    set -- "CC=$gcc -specs $musl/musl-gcc.specs"; \
    make ntpd "$@"; \
    make -s parts "$@" > /parts; \
    mkdir /out; \
    cp ntpd /out/ntpd; \
    ln -s ntpd /out/ntpctl; \
    touch -h -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y ntpd.conf)}" /out/ntpd \
        /out/ntpctl /out

# Of this "make release" makes images of its own, whose bytes no builder decides.
FROM scratch AS parts
COPY --from=build /out/ntpd /parts /


FROM scratch

# Where the sources are, and which commit of them.
ARG SOURCE_URL
ARG REVISION
LABEL org.opencontainers.image.title="ntpd" \
      org.opencontainers.image.description="NTP daemon in one static file, with OpenNTPD's configuration and commands" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="ISC AND MIT AND MPL-2.0" \
      org.opencontainers.image.vendor="the ntpd authors" \
      org.opencontainers.image.source="$SOURCE_URL" \
      org.opencontainers.image.url="$SOURCE_URL" \
      org.opencontainers.image.revision="$REVISION" \
      ntpd.linked="this program ISC; musl MIT; BearSSL MIT; Mozilla CA roots MPL-2.0"

COPY --from=build /out/ /

# So that "docker exec C ntpctl" and "kubectl exec POD -- ntpctl" find it.
ENV PATH=/

# No USER: uid 0 with the one capability SYS_TIME is what every runtime
# supports, and it can read a configuration of mode 0600 and write a drift file
# in a volume of root's.  A number above 0 would need a file capability, which
# many ways of copying an image's file lose.  Dropping all other capabilities
# is the run's part: --cap-drop ALL --cap-add SYS_TIME, or k8s.yaml.

# Healthy is: the clock is synchronised.  Docker does not restart what is not;
# tools that do should ask "-s live" instead (in a compose file: healthcheck,
# test: ["CMD", "/ntpctl", "-s", "live"]; "docker run --health-cmd" takes a
# shell, which is not here).
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/ntpctl", "-s", "ready"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["/ntpd"]
CMD ["-d", "-s"]
