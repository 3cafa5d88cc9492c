# What a contributor runs. Every target makes `.venv` first if it is missing or out of date.
#
#   make demo TORCH=cpu               torch without CUDA, which saves gigabytes on Linux
#   make test PYTHON=python3.13       another interpreter
#   make test PIP_FLAGS="..."         more options for pip, say another package index
#   make test PYTEST_FLAGS="-k gelu"  more options for pytest; "-n 0" is a single process

TORCH ?=
PYTHON ?= python3
PIP_FLAGS ?=
PYTEST_FLAGS ?=

ifneq ($(filter-out cpu,$(TORCH)),)
$(error TORCH=$(TORCH) is unknown; use TORCH=cpu, or leave it out for the build that pip finds)
endif
TORCH_INDEX := $(if $(TORCH),--extra-index-url https://download.pytorch.org/whl/cpu)

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOWEST := .venv-lowest
PIP_INSTALL := -m pip install --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-all test-lowest check lint types doctest docs bench format clean distclean

help:
	@echo 'make demo         a tour of the package on real and made-up data'
	@echo 'make test         the tests, without the slow ones'
	@echo 'make test-all     all tests'
	@echo 'make test-lowest  a short test with the lowest versions of all dependencies'
	@echo 'make check        lint, types, doctests and docs (each is a target as well: lint types doctest docs)'
	@echo 'make bench        the side-by-side tables'
	@echo 'make format       format the code and apply the safe fixes of the linter'
	@echo 'make venv         only make .venv'
	@echo 'make clean        remove caches and built files; make distclean removes .venv too'
	@echo
	@echo 'With TORCH=cpu, .venv gets a torch without CUDA: make demo TORCH=cpu'

# The stamp is written last, so an interrupted installation is taken up again. torch, the one large
# download, is installed first and shows its progress; the rest is quick.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("sknn needs Python 3.11 or later; name one with: make PYTHON=python3.13")'
	@echo 'Making $(VENV): torch first, which can take some minutes'
ifeq ($(TORCH),)
	@echo 'On Linux without a GPU, make TORCH=cpu ... saves the gigabytes of CUDA'
endif
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt $(PIP_FLAGS) $(TORCH_INDEX) torch
	@echo 'Installing the package and its tools'
	@$(BIN)/python $(PIP_INSTALL) --quiet --constraint constraints.txt $(PIP_FLAGS) --editable '.[dev]'
	@touch $@

# The lowest versions that pyproject.toml declares, exactly: a bound that is too low fails here.
$(LOWEST)/.installed: pyproject.toml tests/lowest_versions.py
	@$(PYTHON) -m venv $(LOWEST)
	@$(PYTHON) tests/lowest_versions.py > $(LOWEST)/constraints.txt
	@$(LOWEST)/bin/python $(PIP_INSTALL) --constraint $(LOWEST)/constraints.txt $(PIP_FLAGS) \
		$(TORCH_INDEX) torch
	@$(LOWEST)/bin/python $(PIP_INSTALL) --constraint $(LOWEST)/constraints.txt $(PIP_FLAGS) \
		--editable '.[datasets,export,images,plot,test]'
	@touch $@

venv: $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/python examples/tour.py

# One process a core. Threads of torch's that wait without spinning leave the cores to the others.
# Tests of processes, signals, memory and time follow by themselves. That PYTEST_FLAGS leave no test
# in one of the two parts (status 5) is no failure.
PYTEST := OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest
AT_ONCE := --numprocesses auto --dist worksteal
ONE_BY_ONE := --numprocesses 0

test: $(INSTALLED)
	$(PYTEST) -m 'not slow and not serial' $(AT_ONCE) $(PYTEST_FLAGS) || [ $$? -eq 5 ]
	$(PYTEST) -m 'not slow and serial' $(PYTEST_FLAGS) $(ONE_BY_ONE) || [ $$? -eq 5 ]

test-all: $(INSTALLED)
	$(PYTEST) -m 'not serial' $(AT_ONCE) $(PYTEST_FLAGS) || [ $$? -eq 5 ]
	$(PYTEST) -m serial $(PYTEST_FLAGS) $(ONE_BY_ONE) || [ $$? -eq 5 ]

# Old packages call what newer ones have deprecated.
test-lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/python -m pytest -W ignore::DeprecationWarning --doctest-glob=README.md \
		$(PYTEST_FLAGS) README.md tests/test_smoke.py

check: lint types doctest docs

# lint-imports: which rooms may know which, see pyproject.toml
lint: $(INSTALLED)
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/lint-imports --no-cache

types: $(INSTALLED)
	$(BIN)/python -m mypy

# The examples in docstrings, in the pages of the docs and in the README.
doctest: $(INSTALLED)
	$(BIN)/python -m pytest --doctest-modules --doctest-glob='*.rst' --doctest-glob='README.md' \
		--ignore=docs/conf.py --ignore=docs/generated $(PYTEST_FLAGS) sknn docs README.md

# docs/generated is made anew, because a page left over from a removed class is an error.
docs: $(INSTALLED)
	rm -rf docs/generated
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

format: $(INSTALLED)
	$(BIN)/python -m ruff check --fix
	$(BIN)/python -m ruff format

clean:
	rm -rf build dist docs/_build docs/generated .mypy_cache .pytest_cache .ruff_cache
	find sknn tests benchmarks examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(LOWEST)
