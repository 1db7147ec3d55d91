# `make compare` and `make test` set up everything they need in .venv, once.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation
LOCKED = $(PIP) --require-hashes

# The backends on request that need no device and little time.
ENGINES := onnxruntime,flax,equinox,haiku,keras:torch,keras:jax,openvino,mlx,tinygrad

# The Pythons beside the one above that `make pythons` tests on.
PYTHONS ?= 3.12 3.13

.PHONY: compare test pythons $(PYTHONS:%=python-%) trained slow fuzz bench lint types imports pytest format schema page lock clean

compare: $(INSTALLED)
	$(BIN)/rnn-parity run

test: lint types imports pytest

# What is installed has the hashes of requirements/, where all is listed (so --no-deps); what
# builds is installed first, so that no build downloads anything. PyTorch's build for the CPU
# is taken where pip is told of a folder that has it (PIP_FIND_LINKS).
$(INSTALLED): pyproject.toml $(wildcard requirements/*.txt)
	@echo "Installing NumPy, TensorFlow, PyTorch and JAX into .venv: some minutes, once."
	$(PYTHON) -m venv .venv
	$(LOCKED) --only-binary :all: -r requirements/base.txt
	$(LOCKED) -r requirements/all.txt
	$(LOCKED) --no-index -r requirements/torch-cpu.txt 2>/dev/null || $(LOCKED) -r requirements/torch.txt
	$(PIP) --editable .
	$(BIN)/python -m pip check
	touch $@

# The lists anew, after a change of pyproject.toml; with UPGRADE=--upgrade in newer versions.
lock: $(INSTALLED)
	$(BIN)/python requirements/lock.py $(UPGRADE)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

pytest: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile

# What NumPy and JAX are tested by, on other Pythons, each in an environment of its own,
# `.venv-3.12`. They are looked for on PATH and where pyenv keeps them; who is absent is
# skipped here, and an error of `make python-3.12`.
find = for each in python$(1) $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$(1).*/bin/python; do \
	"$$each" -c "import venv" 2>/dev/null && echo "$$each" && break; done

pythons:
	@failed=0; $(foreach each,$(PYTHONS),if ($(call find,$(each))) >/dev/null; \
	then $(MAKE) python-$(each) || failed=1; \
	else echo "Python $(each) is not here: skipped"; fi;) exit $$failed

$(PYTHONS:%=python-%): BIN = .venv-$*/bin
$(PYTHONS:%=python-%): python-%: .venv-%/.installed
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile

$(PYTHONS:%=.venv-%/.installed): BIN = .venv-$*/bin
$(PYTHONS:%=.venv-%/.installed): .venv-%/.installed: pyproject.toml requirements/base.txt requirements/test.txt
	@python=$$($(call find,$*)) || { echo "Python $* is not here" >&2; exit 1; }; \
	"$$python" -m venv .venv-$*
	$(LOCKED) --only-binary :all: -r requirements/base.txt -r requirements/test.txt
	$(PIP) --editable .
	$(BIN)/python -m pip check
	touch $@

# Files of trained networks: 26 MB, out of 100 MB of wheels. Without, tests are skipped.
trained: $(INSTALLED)
	$(BIN)/rnn-parity download

# What takes minutes: the g2p network, trained networks and the standard suite on every
# backend, the mutation score.
slow: trained
	$(BIN)/python -m pytest -m slow
	$(BIN)/rnn-parity run --cases trained --out parity-trained
	$(BIN)/rnn-parity run --cases trained --backends $(ENGINES) --out parity-trained
	$(BIN)/rnn-parity run --cases standard --out parity-standard
	$(BIN)/rnn-parity run --cases standard --backends $(ENGINES) --out parity-standard
	$(BIN)/rnn-parity mutation-test --each 2

# 100,000 mutated files for every reader, 2,000 of models by their formats' structures;
# some 40 minutes, and longer beside other work.
fuzz: $(INSTALLED)
	PYTHONPATH=tests:. $(BIN)/python -m fuzz --out parity-fuzz

# The figures of docs/measurements.md: how quick comparisons and runs are, which small faults are
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
	$(BIN)/python -m rnn_parity_reports.schema

# What report.html carries: the charts, and Vega to draw them.
page: $(INSTALLED)
	$(BIN)/python -m rnn_parity_reports.charts

clean:
	rm -rf .venv .venv-* parity-report parity-trained parity-standard parity-fuzz .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
