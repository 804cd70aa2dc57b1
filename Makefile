# Needs Linux, make and Python 3.11 or later. Everything else goes into $(VENV), from requirement files with hashes.

PYTHON ?= python3
VENV ?= .venv
UV ?= uv
ARGS ?=
JOBS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make requirements' $(if $(UPGRADE),--upgrade)
PYTEST := $(BIN)/python -m pytest

.DELETE_ON_ERROR:
.NOTPARALLEL: # two installations into one environment would meet
.PHONY: help up test check-long lint bench soak docs environment clients requirements clean

help:
	@echo 'make up            start the gateway and its pages with the models found on this machine'
	@echo 'make test          run the tests (some minutes)'
	@echo 'make clients       install the client libraries that need an environment of their own; else their tests are skipped'
	@echo 'make check-long    run the tests that take longer'
	@echo 'make lint          ruff, mypy and the order of imports'
	@echo 'make bench         compare CPU per request with nginx'
	@echo 'make soak          an hour of mixed traffic with faults; the books must agree with the invoices'
	@echo 'make docs          write the generated documentation again'
	@echo 'make requirements  pin the dependencies in pyproject.toml again; UPGRADE=1 takes newer versions (needs uv)'
	@echo 'make clean         remove $(VENV) and what else was built; data stays'
	@echo
	@echo "Settings: PYTHON=$(PYTHON) VENV=$(VENV) JOBS=$(JOBS) ARGS='further arguments'"

up: $(VENV)/.local
	@$(BIN)/twintrack up $(ARGS)

test: $(VENV)/.dev
	$(PYTEST) -m 'not long' -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check-long: $(VENV)/.dev
	$(PYTEST) -m long $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.local
	$(BIN)/python bench/run.py --targets nginx,twintrack --twintrack $(BIN)/twintrack $(ARGS)

soak: $(VENV)/.dev
	PYTHONPATH=bench $(BIN)/python -m soak $(ARGS)

docs: $(VENV)/.dev
	$(BIN)/python -m twintrack.config.reference > docs/configuration.md.new
	mv docs/configuration.md.new docs/configuration.md
	$(BIN)/python -m twintrack.cli.reference > docs/cli.md.new
	mv docs/cli.md.new docs/cli.md
	$(BIN)/python -m twintrack.catalog.reference > docs/providers.md.new
	mv docs/providers.md.new docs/providers.md
	$(BIN)/python -m twintrack.signals.sensitivity.reference > docs/privacy-rules.md.new
	mv docs/privacy-rules.md.new docs/privacy-rules.md
	$(BIN)/python -m twintrack.catalog.licences_page > docs/licences.md.new
	mv docs/licences.md.new docs/licences.md
	$(BIN)/python -m twintrack.providers.scripted.reference > docs/failures.md.new
	mv docs/failures.md.new docs/failures.md
	$(BIN)/python -m twintrack.telemetry.reference > docs/metrics.md.new
	mv docs/metrics.md.new docs/metrics.md
	PYTHONPATH=tests/wire $(BIN)/python -m pairs.table > docs/dialects.md.new
	mv docs/dialects.md.new docs/dialects.md

environment: $(VENV)/.dev

clients: $(VENV)/.clients

# ---- environment: a stamp file says which requirement files are installed

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { \
		echo 'Python is missing: there is no command $(PYTHON). Install Python 3.11 or later, or set PYTHON=.' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or later is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1 | head -n 1). Set PYTHON=python3.12, say." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo '$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@echo 'Making $(VENV) (once).'
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.local: requirements/local.txt requirements/build.txt pyproject.toml $(BIN)/python
	@echo 'Installing into $(VENV) what requirements/local.txt names (once).'
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/local.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# Holds all of local.txt at the same versions.
$(VENV)/.dev: requirements/dev.txt requirements/build.txt pyproject.toml $(BIN)/python
	@echo 'Installing into $(VENV) what requirements/dev.txt names (once).'
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(VENV)/.local $@

# Beside the environment of the tests, since the two do not fit into one. Node.js comes as a wheel.
APART := tests/clients/apart
$(VENV)/.clients: $(APART)/requirements.txt $(APART)/package.json $(APART)/package-lock.json $(BIN)/python
	@echo 'Installing into $(VENV)/clients what $(APART) names (once).'
	@$(PYTHON) -m venv --clear $(VENV)/clients
	@$(VENV)/clients/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes \
		-r $(APART)/requirements.txt
	@cp $(APART)/package.json $(APART)/package-lock.json $(VENV)/clients
	@cd $(VENV)/clients && PATH="$$PWD/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null
	@touch $@

# ---- upkeep

# dev.txt is resolved first and binds the others, so that all of them fit into one environment.
requirements:
	@command -v $(UV) > /dev/null || { echo 'This needs uv: pip install uv, or set UV=.' >&2; exit 1; }
	$(COMPILE) pyproject.toml --extra local --extra dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra local -c requirements/dev.txt -o requirements/local.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/core.txt
	$(COMPILE) $(APART)/requirements.in -o $(APART)/requirements.txt
	$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(COMPILE) - -c requirements/dev.txt -o requirements/build.txt

clean:
	rm -rf $(VENV) .bench build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests bench tools -name __pycache__ -prune -exec rm -rf {} +
