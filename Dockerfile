# Lockgate in a container. Runs as 65532:65532 and needs no writable root file system:
#
#   podman run --read-only --cap-drop=all \
#     -v ./etc:/etc/lockgate:ro -v receipts:/var/lib/lockgate -p 8443:8443 lockgate
#
#   /etc/lockgate      config.yaml and what it refers to, readable by 65532
#   /var/lib/lockgate  the receipt store (`receipts.store`), the only folder that is written to

ARG PYTHON=docker.io/library/python:3.11-slim

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# For the hot modules of our own; the compiler stays in this stage.
RUN apt-get update -qq \
 && apt-get install -qq --no-install-recommends gcc libc6-dev >/dev/null
COPY requirements.lock requirements-build.lock ./
# Wheels only, each held against its hash: nothing of others is compiled.
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install -q --require-hashes --only-binary=:all: -r requirements-build.lock \
 && python -m venv --without-pip /opt/lockgate \
 && /opt/build/bin/pip --python /opt/lockgate/bin/python install -q --no-compile \
      --require-hashes --only-binary=:all: -r requirements.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY proxy ./proxy
# Octet code is written here, because it cannot be at run time. It goes by content, not by time.
RUN /opt/build/bin/pip wheel -q --no-deps --no-build-isolation -w /tmp/wheel . \
 && /opt/build/bin/pip --python /opt/lockgate/bin/python install -q --no-compile \
      --no-deps --no-index /tmp/wheel/*.whl \
 && /opt/lockgate/bin/lockgate --version | grep compiled \
 && /opt/lockgate/bin/python -m compileall -q --invalidation-mode unchecked-hash \
      /opt/lockgate/lib

FROM ${PYTHON}
LABEL org.opencontainers.image.title="lockgate" \
      org.opencontainers.image.description="An mTLS-terminating secure transfer proxy" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/lockgate /opt/lockgate
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/lockgate
ENV PATH=/opt/lockgate/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /var/lib/lockgate
VOLUME /var/lib/lockgate
EXPOSE 8443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["lockgate", "health"]
ENTRYPOINT ["lockgate"]
CMD ["run", "/etc/lockgate/config.yaml"]
