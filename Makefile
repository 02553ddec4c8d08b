# Every target sets itself up: Python 3.11 or newer, make and git are enough.
#   make demo        reproduce one published figure into demo/
#   make test        style, spelling, types, architecture, and the quick tests
#   make test-slow   the tests marked slow
#   make hostile     every attack of tests/hostile
#   make mutate      faults planted in the library: how many do the quick tests find (see CONTRIBUTING)
#   make test-browser  live pages in Chromium, which must be installed
#   make test-gpu    all compiled GPU code, run on the CPU: needs a C compiler, but no GPU
#   make bench       speed, next to JAX and diffrax
#   make calibrate   whether error bars are honest: many repeats of guided sampling and controls
#   make bench-gpu   a GPU next to the CPU: agreement and speed (DRY=1: only compile for one)
#   make docs        the site, into docs/_build/html
#   make release-check  build, install and try what a release would publish
#   make lock        write the requirements/*.lock files anew (UPGRADE=1: newest versions)
#   make clean       remove everything that make made
# PYTHON=python3.12 chooses the interpreter that .venv is made with.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; exit; }; \
	done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
UV := uv==0.13.8
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DELETE_ON_ERROR:
.PHONY: demo test test-slow test-browser hostile mutate test-gpu bench calibrate atlas bench-gpu docs release-check lock clean

demo: $(STAMP)-run
	$(BIN)/wignerflow reproduce ruks-2a --quick --out demo

# To rewrite all assertions takes each worker eight seconds: what fails runs again, and shows the
# values that it compared.
test: $(STAMP)-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy wignerflow
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -n 2 --dist loadfile -q --assert=plain -m "not slow" || { \
		$(BIN)/python -m pytest -q --last-failed --last-failed-no-failures=none; exit 1; }

test-slow: $(STAMP)-test
	$(BIN)/python -m pytest -n 2 -q -m slow

test-browser: $(STAMP)-test $(STAMP)-browser
	$(BIN)/python -m pytest -q -m "slow or not slow" tests/live

hostile: $(STAMP)-test
	$(BIN)/python -m pytest -n 2 -q -m "slow or not slow" --durations=12 -o faulthandler_timeout=400 \
		tests/hostile tests/run/test_checkpoint.py tests/run/test_cards.py

mutate: $(STAMP)-test
	nice $(BIN)/python -m tests.mutate $(PACKAGES) --number $(or $(NUMBER),60) --seed $(or $(SEED),1)

test-gpu: $(STAMP)-test
	$(BIN)/python -m pytest -n 2 -q -m "slow or not slow" tests/kernels/test_ptx.py tests/kernels/test_cuda.py \
		tests/run/test_cards.py

bench: $(STAMP)-bench
	$(BIN)/wignerflow bench

calibrate: $(STAMP)-run
	$(BIN)/python -m wignerflow.bench.calibrate

atlas: $(STAMP)-run
	$(BIN)/wignerflow atlas --keep .atlas --out docs

bench-gpu: $(STAMP)-gpu
	$(BIN)/python -m wignerflow.bench.gpu $(if $(DRY),--dry) $(if $(QUICK),--quick) --json benchmarks/results-gpu.json

docs: $(STAMP)-docs
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

release-check: $(STAMP)-release
	BIN=$(BIN) packaging/release-check

# ---------------------------------------------------------------- environment
# The locks pin every package by hash. run.lock is a part of the others, so installing any of them
# serves for it.

$(STAMP)-venv:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "wignerflow needs Python 3.11 or newer; '$(PYTHON)' is not. Name one: make PYTHON=python3.12" >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments: its modules venv and ensurepip are missing." >&2; \
		echo "Install them (on Debian and Ubuntu the package is python3-venv), or name another: make PYTHON=..." >&2; \
		exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

define install
	$(PIP) install --quiet --require-hashes -r requirements/$(1).lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)-run $@
endef

$(STAMP)-run: requirements/run.lock pyproject.toml | $(STAMP)-venv
	$(call install,run)

$(STAMP)-test: requirements/test.lock requirements/run.lock pyproject.toml | $(STAMP)-venv
	$(call install,test)

$(STAMP)-bench: requirements/bench.lock requirements/run.lock pyproject.toml | $(STAMP)-venv
	$(call install,bench)

$(STAMP)-gpu: requirements/gpu.lock requirements/run.lock pyproject.toml | $(STAMP)-venv
	$(call install,gpu)

$(STAMP)-docs: requirements/docs.lock requirements/run.lock pyproject.toml | $(STAMP)-venv
	$(call install,docs)

$(STAMP)-browser: requirements/browser.lock requirements/run.lock pyproject.toml | $(STAMP)-venv
	$(call install,browser)

$(STAMP)-release: requirements/release.lock requirements/run.lock pyproject.toml | $(STAMP)-venv
	$(call install,release)

# ---------------------------------------------------------------- locks
# One resolution for every platform and every Python from 3.11 on. Each lock constrains the next,
# so that all of them fit into one environment.

COMPILE = .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --no-annotate $(if $(UPGRADE),--upgrade) pyproject.toml requirements/build.in

.venv-lock/.stamp: Makefile
	"$(PYTHON)" -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip --disable-pip-version-check install --quiet "$(UV)"
	@touch $@

lock: .venv-lock/.stamp
	$(COMPILE) -o requirements/run.lock
	$(COMPILE) --extra test -c requirements/run.lock -o requirements/test.lock
	$(COMPILE) --extra gpu -c requirements/run.lock -c requirements/test.lock -o requirements/gpu.lock
	$(COMPILE) --extra bench -c requirements/run.lock -c requirements/test.lock -o requirements/bench.lock
	$(COMPILE) --extra docs -c requirements/run.lock -c requirements/test.lock -o requirements/docs.lock
	$(COMPILE) --extra browser -c requirements/run.lock -c requirements/test.lock -o requirements/browser.lock
	$(COMPILE) --extra release -c requirements/run.lock -c requirements/test.lock -o requirements/release.lock

clean:
	rm -rf $(VENV) .venv-lock .mutants demo build dist .pytest_cache .ruff_cache .mypy_cache \
		.import_linter_cache .hypothesis
	find wignerflow tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
