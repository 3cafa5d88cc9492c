# What a contributor runs. Every target makes `.venv` first if it is missing or out of date.
#
#   make test PYTHON=python3.13       another interpreter
#   make test PIP_FLAGS="..."         more options for pip, say another package index
#   make test PYTEST_FLAGS="-k gelu"  more options for pytest

PYTHON ?= python3
PIP_FLAGS ?=
PYTEST_FLAGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-all check lint types doctest docs bench format clean distclean

help:
	@echo 'make demo       a tour of the package on real and made-up data'
	@echo 'make test       the tests, without the slow ones'
	@echo 'make test-all   all tests'
	@echo 'make check      lint, types, doctests and docs (each is a target as well: lint types doctest docs)'
	@echo 'make bench      the side-by-side tables'
	@echo 'make format     format the code and apply the safe fixes of the linter'
	@echo 'make venv       only make .venv'
	@echo 'make clean      remove caches and built files; make distclean removes .venv too'

# The stamp is written last, so an interrupted installation is taken up again. torch, the one large
# download, is installed first and shows its progress; the rest is quick.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("sknn needs Python 3.11 or later; name one with: make PYTHON=python3.13")'
	@echo 'Making $(VENV): torch first, which can take some minutes'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt $(PIP_FLAGS) torch
	@echo 'Installing the package and its tools'
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt $(PIP_FLAGS) --editable '.[dev]'
	@touch $@

venv: $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/python examples/tour.py

test: $(INSTALLED)
	$(BIN)/python -m pytest -m 'not slow' $(PYTEST_FLAGS)

test-all: $(INSTALLED)
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

check: lint types doctest docs

lint: $(INSTALLED)
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check

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
	rm -rf $(VENV)
