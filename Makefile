# The commands of the service. Everything runs from a virtual environment that is made on first use.
#
#   make run      start the whole service (needs only Python >= 3.11, pip and make)
#   make test     everything that a check can show
#   make check    format, lint, types, import contracts, migrations, deployment check
#   make quick    lint and the fast tests of what differs from main, for the loop while writing
#   make bench    the benchmarks, as ratios; make faults: the long campaigns of faults
#   make lock     pin the requirements again after requirements*.in changed
#
# VENV=dir uses another virtual environment, PYTHON=path another interpreter.

VENV ?= .venv
SHELL := /bin/sh
BIN := $(VENV)/bin
PY := $(BIN)/python

# The first interpreter that is new enough; looked for only when a virtual environment has to be made.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

# A stamp carries the checksum of its requirement file, so that a changed file installs again.
sum = $(shell cksum < $(1) | cut -d ' ' -f 1)
MAIN := $(VENV)/.requirements-$(call sum,requirements.txt)
DEV := $(VENV)/.requirements-dev-$(call sum,requirements-dev.txt)-$(call sum,requirements.txt)
PIP_INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes

# Without bytecode every start and every test run compiles the packages anew.
export PYTHONDONTWRITEBYTECODE =

PACKAGES := clinic complications checklists
TESTS ?= tests
# Workers of pytest: one for each core unless told otherwise.
WORKERS ?= auto
# Whole services at a time in the tests that start and kill them: each is half a dozen processes.
SERVICES ?= 2
# The walk through the whole authorization matrix belongs to `make test`.
QUICK := not browser and not service and not faults and not matrix and not fuzz

# What `make test` runs in a short form and `make faults` in full: random histories, a crash at every statement.
LONGER := tests/complications/test_escalation_history.py tests/complications/test_crash_points.py \
	tests/checklists/test_sync_model.py

.PHONY: help run test check quick bench faults lock format clean

help:
	@sed -n 's/^#  *make /make /p' Makefile

run: $(MAIN)
	@$(PY) -m compileall -q $(PACKAGES) manage.py
	@exec $(PY) manage.py up

test: $(DEV)
	@status=0; \
	$(PY) -m pytest -n $(WORKERS) -m "not service and not faults" $(TESTS) || status=1; \
	$(PY) -m pytest -n $(SERVICES) --dist load --maxschedchunk 1 -m "service or faults" $(TESTS) || status=1; \
	exit $$status

quick: $(DEV)
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(PY) -m pytest -q -m "$(QUICK)" $(if $(filter tests,$(TESTS)),$$($(PY) tests/affected.py),$(TESTS))

# mypy without its cache: with one, the Django plugin forgets reverse relations of files that did not change.
check: $(DEV)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy --no-incremental manage.py $(PACKAGES) tests bench
	$(PY) manage.py makemigrations --check --dry-run
	@echo "check --deploy, with the settings of a deployment"
	@DEMO=0 DEBUG=0 SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(60))') \
		ALLOWED_HOSTS=clinic.example.org BASE_URL=https://clinic.example.org EMAIL_HOST=mail.example.org \
		$(PY) manage.py check --deploy --fail-level WARNING

bench: $(DEV)
	@$(PY) -m bench $(BENCH)

faults: $(DEV)
	@status=0; \
	FAULTS=long $(PY) -m pytest -n $(WORKERS) $(LONGER) || status=1; \
	FAULTS=long $(PY) -m pytest -s -m faults $(TESTS) || status=1; \
	exit $$status

format: $(DEV)
	@$(BIN)/ruff check --quiet --fix --select I,UP,RET,SIM,PIE . ; $(BIN)/ruff format --quiet .

lock:
	@$(PY) -m pip install --quiet uv
	@for r in requirements requirements-dev; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --custom-compile-command "make lock" $$r.in -o $$r.txt || exit 1; done

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer found. Install one, or say where it is: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Making the virtual environment $(VENV) with $(PYTHON)"
	@# Some systems ship venv without ensurepip: their own pip then installs pip into the new environment.
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { $(PYTHON) -m venv --clear --without-pip $(VENV) \
		&& $(PYTHON) -m pip --python $(PY) install --quiet pip; } \
		|| { rm -rf $(VENV); echo "error: cannot make a virtual environment. Install pip for $(PYTHON) (Debian: apt install python3-venv python3-pip)"; exit 1; }

# Bytecode is compiled here, because PYTHONDONTWRITEBYTECODE would make every start five seconds slower.
$(MAIN): | $(PY)
	@echo "Installing the pinned requirements"
	@$(PIP_INSTALL) -r requirements.txt
	@$(PY) -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@rm -f $(VENV)/.requirements-[0-9]*; touch $@

$(DEV): $(MAIN)
	@echo "Installing the pinned tools for tests and checks"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@$(PY) -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@rm -f $(VENV)/.requirements-dev-*; touch $@
