# `make compare` and `make test` set up everything they need in .venv, once.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed

# The backends on request that need no device and little time.
ENGINES := onnxruntime,flax,equinox,haiku,keras:torch,keras:jax,openvino,mlx,tinygrad

.PHONY: compare test trained slow fuzz bench lint types imports pytest format schema page clean

compare: $(INSTALLED)
	$(BIN)/rnn-parity run

test: lint types imports pytest

$(INSTALLED): pyproject.toml constraints.txt
	@echo "Installing NumPy, TensorFlow, PyTorch and JAX into .venv: some minutes, once."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[all,dev]'
	touch $@

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

pytest: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile

# Files of trained networks: 26 MB, out of 100 MB of wheels. Without, tests are skipped.
trained: $(INSTALLED)
	$(BIN)/python -m fixtures.trained

# What takes minutes: the g2p network, trained networks and the standard suite on every
# backend, the kill score.
slow: trained
	$(BIN)/python -m pytest -m slow
	$(BIN)/rnn-parity run --cases trained --out parity-trained
	$(BIN)/rnn-parity run --cases trained --backends $(ENGINES) --out parity-trained
	$(BIN)/rnn-parity run --cases standard --out parity-standard
	$(BIN)/rnn-parity run --cases standard --backends $(ENGINES) --out parity-standard
	$(BIN)/rnn-parity audit --each 2

# 100,000 mutated files for every reader, 2,000 of models by their formats' structures;
# some 40 minutes, and longer beside other work.
fuzz: $(INSTALLED)
	PYTHONPATH=tests:. $(BIN)/python -m fuzz --out parity-fuzz

# The figures of the README: how quick comparisons and runs are, which small faults are
# caught, and what certificates cost. Takes 9 GB of a disk for a while.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.comparator
	$(BIN)/python -m benchmarks.large_runs
	$(BIN)/python -m benchmarks.run_time
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.detection
	$(BIN)/python -m benchmarks.cost
	$(BIN)/python -m benchmarks.adversary --networks 20000 --search 400 --long 20

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(INSTALLED)
	$(BIN)/python -m reports.schema

# What report.html carries: the charts, and Vega to draw them.
page: $(INSTALLED)
	$(BIN)/python -m reports.charts

clean:
	rm -rf .venv parity-report parity-trained parity-standard parity-fuzz .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
