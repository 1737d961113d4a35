# The server, and nothing that it does not run: no compiler, no pip of its own, no scikit-learn, no scipy.
# Build:  docker build -t pairguard .
# Run:    see deploy/container.md
ARG BASE_IMAGE=python:3.11-slim-bookworm

# ---- build: the wheel of this tree, and a virtual environment with what it needs ------------------------
FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

# The age kernel is compiled here; the image itself has no compiler. Debian's Python has its headers apart.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
      "$(test -x /usr/local/bin/python3 && echo libc6-dev || echo python3-dev)" \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /source
COPY requirements/build.txt requirements/server.txt requirements/
RUN python3 -m venv /tools \
 && /tools/bin/python -m pip install --quiet --no-deps --require-hashes --only-binary :all: \
      -r requirements/build.txt

# No dependencies beyond the lock, which leaves out scipy and narwhals on purpose: only LightGBM's
# Python package imports them, and the server loads LightGBM's shared library without that package.
RUN python3 -m venv --without-pip /opt/pairguard \
 && /tools/bin/python -m pip --python /opt/pairguard/bin/python install --quiet --no-deps \
      --require-hashes --only-binary :all: -r requirements/server.txt

COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY service service
COPY training training
# Trainer and service are one wheel, so that they cannot differ; the trainer's part does not run here.
RUN AGE_KERNEL=required /tools/bin/python -m pip wheel --quiet --no-deps --no-index --no-build-isolation \
      --wheel-dir /wheels . \
 && /tools/bin/python -m pip --python /opt/pairguard/bin/python install --quiet --no-deps \
      --no-index /wheels/*.whl \
 && rm -r /opt/pairguard/lib/python3.*/site-packages/pairguard_training \
      /opt/pairguard/bin/pairguard-train

# ---- the image ------------------------------------------------------------------------------------------
FROM ${BASE_IMAGE}

# LightGBM's library needs the OpenMP runtime. Its version is the base image's: the two move together.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 pairguard \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
      --shell /usr/sbin/nologin pairguard \
 && install --directory --owner=10001 --group=10001 /bundle /var/lib/pairguard

COPY --from=build /opt/pairguard /opt/pairguard

# The bytecode is compiled above; the root file system may be read-only.
ENV PATH=/opt/pairguard/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PAIRGUARD_BUNDLE_PATH=/bundle \
    PAIRGUARD_STORE=sqlite:/var/lib/pairguard/pairguard.sqlite3 \
    PAIRGUARD_JOURNAL_DIRECTORY=/var/lib/pairguard/journal

# Numbers, so that an orchestrator can see that it is not root.
USER 10001:10001
VOLUME ["/var/lib/pairguard"]
EXPOSE 50051 9464

HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-m", "pairguard.server.probe"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["pairguard-server"]
