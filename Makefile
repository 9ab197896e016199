# make demo: a night at a small bank, investigated     make test: all tests
# make check: style, types, floors                     make bench: speed, as ratios
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: demo test check bench clean

demo: $(VENV)/.run
	$(BIN)/jackstop demo

test: $(STAMP)
	$(BIN)/python -m pytest

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

clean:
	rm -rf $(VENV) jackstop-demo .pytest_cache .mypy_cache .ruff_cache
