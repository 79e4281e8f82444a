# The image of vexxy: the program, and what a run calls: Docker's command line,
# with which kind makes its nodes; git, for the configuration of a base commit;
# certificates; a shell, for test commands and for CI jobs.
#
#   docker build -t vexxy .
#   docker build -t vexxy --build-arg BINARY=dist/vexxy_linux_amd64 --build-arg GO=… .
#
# The second takes a program that was built before, as a release does: then GO
# may be any image with a shell. Nothing here asks for BuildKit; with it,
# --platform builds for another architecture without emulating a compiler.

# Digests of the multi-platform indexes. A BASE that has all packages below, for
# networks without a way out, is left as it is.
ARG BASE=debian:trixie-slim@sha256:a99cfc517144bc59b1978475ec53b46ecabec7e43635402ee5b77cc54cd1b20a
ARG GO=golang:1.26.8-trixie@sha256:bdca99a00bc16590cb1a0bb4e698f5fc5d6a64e4d5eef13d9f18a0ee08e5fa65

# Without BuildKit there is no BUILDPLATFORM, and "linux" is the engine's own.
FROM --platform=${BUILDPLATFORM:-linux} ${GO} AS build
ARG BINARY
WORKDIR /src
COPY go.mod go.sum ./
RUN [ -n "$BINARY" ] || go mod download
COPY . .
# So that what a builder without BuildKit leaves of this stage can be found.
ARG REVISION
LABEL org.opencontainers.image.revision="${REVISION}"
ARG TARGETARCH
ARG VERSION=devel
ARG SOURCE_DATE_EPOCH=0
RUN mkdir /out \
    && if [ -n "$BINARY" ]; then cp "$BINARY" /out/vexxy; else scripts/release/build.sh "$VERSION" "$TARGETARCH" /out/vexxy; fi \
    && chmod 755 /out/vexxy && touch -d "@$SOURCE_DATE_EPOCH" /out/vexxy

FROM ${BASE}
RUN set -eu; \
    wanted=''; \
    command -v docker > /dev/null || wanted="$wanted docker-cli"; \
    command -v git > /dev/null || wanted="$wanted git"; \
    [ -s /etc/ssl/certs/ca-certificates.crt ] || wanted="$wanted ca-certificates"; \
    if [ -n "$wanted" ]; then \
        apt-get -qq update; \
        DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $wanted; \
        rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*; \
    fi; \
    echo 'vexxy:x:65532:' >> /etc/group; \
    echo 'vexxy:x:65532:65532:vexxy:/home/vexxy:/bin/sh' >> /etc/passwd; \
    mkdir -p /home/vexxy /work; \
    chown 65532:65532 /home/vexxy /work
COPY --from=build /out/vexxy /usr/local/bin/vexxy

ARG VERSION=devel
ARG REVISION
ARG CREATED
ARG BASE
LABEL org.opencontainers.image.title="vexxy" \
      org.opencontainers.image.description="Runs a container image and says which of its vulnerabilities are reached, as OpenVEX" \
      org.opencontainers.image.source="https://github.com/vexxy/action" \
      org.opencontainers.image.documentation="https://github.com/vexxy/action#container-image" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE}"

# Verifying, replaying and reading need no more than this user. A run needs root
# for the sensor and asks for it where it is started: --user 0, see README.md.
USER 65532:65532
WORKDIR /work
# No entry point: a CI job starts its own shell, and names the program there.
CMD ["vexxy", "help"]
