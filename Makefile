# Everything runs in an environment of its own (.venv; with PYTHON=python3.13, .venv-3.13); nothing else on the
# machine is touched.
PYTHON ?= python3.11
OLDEST := python3.11
VENV := .venv$(patsubst python%,-%,$(filter-out $(OLDEST),$(notdir $(PYTHON))))
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# pyenv puts a command on the path for each Python it has, but only the chosen ones run
FOUND = $(shell $(PYTHON) -c 'import sys; print(sys.executable)' 2>/dev/null \
	|| ls -d $(HOME)/.pyenv/versions/*/bin/$(PYTHON) 2>/dev/null | tail -n 1)

.PHONY: demo test tests fuzz lint bench reproduce docs clean

demo: $(STAMP)
	$(BIN)/salience demo

# ruff and mypy read the code as that of the oldest Python, whichever runs it: once is enough
test: $(STAMP) $(if $(filter .venv,$(VENV)),lint) tests

tests: $(STAMP)
	$(BIN)/python -m pytest -n 2
	@echo "all tests pass on $$($(BIN)/python -V)"

# Thousands of damaged inputs instead of the few of `make test`; SALIENCE_FUZZ_SEED=7 draws others.
fuzz: $(STAMP)
	SALIENCE_FUZZ=$${SALIENCE_FUZZ:-5000} $(BIN)/python -m pytest -n 2 tests/fuzz

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks

reproduce: $(STAMP) $(VENV)/.installed-carriers
	$(BIN)/python -m reproductions

docs: $(STAMP) $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build
	@echo "open docs/_build/index.html"

$(VENV)/.installed-carriers: $(STAMP) reproductions/requirements.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[reproduce]'
	$(BIN)/python -m pip install -q --no-deps -r reproductions/requirements.txt
	touch $(VENV)/.installed-carriers

$(VENV)/.installed-docs: $(STAMP) docs/constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -c docs/constraints.txt -e '.[docs]'
	touch $(VENV)/.installed-docs

$(STAMP): pyproject.toml constraints.txt
	$(or $(FOUND),$(PYTHON)) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install -q -c constraints.txt hnswlib || echo "hnswlib needs a C++ compiler: its tests are skipped"
	touch $(STAMP)

clean:
	rm -rf .venv .venv-* runs .mypy_cache .ruff_cache .hypothesis docs/_build
