# make demo: a night at a small bank, investigated     make test: all tests
# make check: style, types, floors                     make bench: speed, as ratios
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
SIEM := $(VENV)/siem

.PHONY: demo test check bench clean

demo: $(VENV)/.run
	$(BIN)/jackstop demo

test: $(STAMP) $(SIEM)/.ready
	scripts/servers
	JACKSTOP_SIEM=$(CURDIR)/$(SIEM)/bin/python $(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m benchmarks

$(VENV)/.run: requirements/run.txt pyproject.toml scripts/setup
	scripts/setup $(PYTHON) $(VENV) requirements/run.txt
	touch $@

$(STAMP): requirements/dev.txt pyproject.toml scripts/setup
	scripts/setup $(PYTHON) $(VENV) requirements/dev.txt
	touch $@ $(VENV)/.run

# pySigma's backends hold on to an older pySigma than rules are read with
$(SIEM)/.ready: $(STAMP) requirements/siem.txt scripts/setup
	scripts/setup $(PYTHON) $(SIEM) requirements/siem.txt alone
	touch $@

clean:
	rm -rf $(VENV) jackstop-demo .pytest_cache .mypy_cache .ruff_cache
