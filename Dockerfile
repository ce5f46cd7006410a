# The image of Holdfast. docs/image.md: what is in it, how it is built, checked, pinned and run.

# The tag is for people, the digest decides: it is that of an index, so it holds for every platform. A newer one:
# `docker buildx imagetools inspect python:3.11-slim-trixie`; for a single build, --build-arg PYTHON=NAME@DIGEST.
# It is Python 3.11, because that is what all tests run on.
ARG PYTHON=python:3.11.17-slim-trixie@sha256:45037981b62b34b44602584fccbc4d884d5f7dc92c7ee86bb38a698a79fe1e51

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
# Two venvs: what will run, and what is only needed to make it. Both locks are whole, so nothing is resolved here.
COPY .ci/requirements-image.lock .ci/requirements-image-build.lock ./
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv --without-pip /opt/holdfast \
    && python -m pip --python /opt/holdfast/bin/python install --quiet --no-compile --no-deps \
        --require-hashes --only-binary :all: --requirement requirements-image.lock \
    && python -m venv --without-pip tools \
    && python -m pip --python tools/bin/python install --quiet --no-compile --no-deps \
        --require-hashes --only-binary :all: --requirement requirements-image-build.lock
COPY pyproject.toml README.md LICENSE .ci/sbom.py ./
COPY proxy proxy
# Bytecode is not held against its source at run time: nobody can write either.
RUN tools/bin/python -m hatchling build --target wheel --directory dist \
    && python -m pip --python /opt/holdfast/bin/python install --quiet --no-compile --no-deps --no-index dist/*.whl \
    && python -m pip --python /opt/holdfast/bin/python check \
    && mkdir -p /opt/holdfast/share/sbom \
    && tools/bin/python sbom.py requirements-image.lock > /opt/holdfast/share/sbom/holdfast.cdx.json \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/holdfast/lib
COPY policies policies
# An engine copies modes as well, and the umask where this is built may be one that lets only its owner read.
RUN chmod -R u=rwX,go=rX policies

FROM ${PYTHON}
# The base comes without bytecode, and nobody could write it later: each start would compile the library anew.
# pip is not needed any more.
RUN python -c "import compileall, os, py_compile, re; compileall.compile_dir(os.path.dirname(os.__file__), quiet=2, \
        rx=re.compile('/(ensurepip|idlelib|lib2to3|pydoc_data|site-packages|test|tkinter|turtledemo)/'), \
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)" \
    && python -m pip uninstall --quiet --yes --root-user-action ignore pip setuptools wheel \
    && install -d -m 0700 -o 65532 -g 65532 /var/lib/holdfast
COPY --from=build /opt/holdfast /opt/holdfast
COPY --from=build /build/policies /etc/holdfast/policies

# ./holdfast.yaml, ./policies and ./tokens.yaml are looked for where it starts.
WORKDIR /etc/holdfast
ENV PATH=/opt/holdfast/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    HOLDFAST_DATA_DIR=/var/lib/holdfast
VOLUME ["/var/lib/holdfast"]
# As a number, which Kubernetes can see to be nobody's (runAsNonRoot).
USER 65532:65532
EXPOSE 8700 8701
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["holdfast", "probe", "ready"]
ENTRYPOINT ["holdfast"]
CMD ["run"]

# Last, so that another revision costs no layer.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="Holdfast" \
    org.opencontainers.image.description="A sidecar that holds AI agents fast: a transparent HTTP proxy that decides whether and how each call goes." \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.source="${SOURCE}"
