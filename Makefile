# Every target sets up what it needs, once: a virtual environment in this folder, with snnjax and the extras of the target.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-here test-newest test-oldest test-peers test-leaks test-long test-nightly mutants dist lint types check bench clean

demo: .venv/.demo
	$(BIN)/python -m snnjax.demo

test: test-here test-newest

test-here: .venv/.dev
	$(BIN)/python -m pytest -n auto

# The newest Python of the machine brings the newest JAX. Libraries in this field break at every release of it.
# Looked for on the PATH and, since a shim on the PATH need not run, among the interpreters of pyenv.
NEWEST = $(shell for v in 3.13 3.12; do \
	for p in python$$v $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$v.*/bin/python; do \
	"$$p" -c 'import ensurepip, venv' 2>/dev/null && echo "$$p" && exit; done; done)

test-newest:
	@newest="$(NEWEST)"; version='import sys; print(*sys.version_info[:2])'; \
	if [ -z "$$newest" ] || [ "$$($$newest -c "$$version")" = "$$($(PYTHON) -c "$$version")" ]; then \
	  echo "test-newest: no other Python 3.12 or 3.13 on this machine; the second run of the suite is left out."; \
	else \
	  echo "test-newest: what depends on JAX and Python once more, on $$newest."; \
	  $(MAKE) --no-print-directory .venv-newest/.test && \
	  .venv-newest/bin/python -m pytest -n auto -m 'not long and not gpu and not peers and not once'; \
	fi

# The oldest dependencies that pyproject.toml allows; not part of `check`.
test-oldest: .venv-oldest/.oldest
	.venv-oldest/bin/python -m pytest -n auto -m 'not long and not gpu and not peers and not once'

# Other tools that install without PyTorch and without compiling, in an environment of their own.
test-peers: .venv-peers/.peers
	.venv-peers/bin/python -m pytest -m peers tests/test_nir_spyx.py

# What takes too long for every change. Tracers that outlive their transform; compiled programs are kept in a file, since JAX keeps
# none in memory while it looks.
test-leaks: .venv/.dev
	SNNJAX_CHECK_LEAKS=1 JAX_COMPILATION_CACHE_DIR=.jax-cache JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 \
	JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1 $(BIN)/python -m pytest -n auto

test-long: .venv/.dev
	$(BIN)/python -m pytest -n auto -m long

test-nightly: .venv/.dev
	SNNJAX_HYPOTHESIS=nightly $(BIN)/python -m pytest -n auto

mutants: .venv/.dev
	$(BIN)/python -m benchmarks.mutants

dist: .venv/.dev
	$(BIN)/python -m pip install --quiet build==1.3.0
	rm -rf dist
	$(BIN)/python -m build

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/.dev
	$(BIN)/pyright

check: test test-peers lint types

bench: .venv/.dev
	$(BIN)/python -m benchmarks.lif

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

.venv/.demo: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

.venv-newest/.test: pyproject.toml
	test -x .venv-newest/bin/python || $(NEWEST) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade pip
	.venv-newest/bin/python -m pip install --quiet --editable '.[test]'
	@touch $@

.venv-oldest/.oldest: pyproject.toml tests/oldest.txt
	test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --upgrade pip
	.venv-oldest/bin/python -m pip install --quiet --editable '.[test]' --constraint tests/oldest.txt
	@touch $@

.venv-peers/.peers: pyproject.toml
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --upgrade pip
	.venv-peers/bin/python -m pip install --quiet --editable '.[test]' spyx==1.0.0
	@touch $@

clean:
	rm -rf .venv .venv-newest .venv-oldest .venv-peers build dist *.egg-info
