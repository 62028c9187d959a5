# Penstock. Each target makes the virtual environment it needs in .venv, from the locks in requirements/.
#   PYTHON=python3.12 make test          another interpreter
#   make test ARGS="-k lane -x"          arguments for pytest, the demo, or the lock (ARGS=--upgrade)
#   make chaos MINUTES=20 SEED=7         ARGS="--only 1,9 --picture" for some faults, and a drawing of each run

ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
endif
PACKAGES := api broker cli consumer core producer schemas transport
OTHERS   := $(wildcard benchmarks examples tests tools)
ARGS ?=
MINUTES ?= 20
SEED ?= 7

# The caller's own Python settings must not leak into .venv. The last one because the packages are installed without
# bytecode: each process would compile scikit-learn and onnx again, which takes five seconds.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-matrix chaos storm bench study lint format reference lock clean python demo-environment test-environment

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: demo-environment ## A real Kafka, three models, two workers, every answer compared
	@.venv/bin/penstock demo $(ARGS)

# Most tests wait for a broker or a process more than they work: two at a time, a file to each, take less than either.
JOBS ?= 2
test: test-environment ## Run every test, against a real broker that starts by itself
	@.venv/bin/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

# The releases whose protocols differ: the last of Kafka 3, and two of Kafka 4.
KAFKAS := 3.9.1 4.1.0 4.3.0
test-matrix: test-environment ## Run what talks to Kafka against several of its releases
	@for kafka in $(KAFKAS); do echo "Kafka $$kafka"; PENSTOCK_TEST_KAFKA=$$kafka \
		.venv/bin/python -m pytest tests/integration tests/transport tests/producer tests/bad_input $(ARGS) || exit 1; done

chaos: test-environment ## Harm a three-node cluster and its workers, and look for what is lost (MINUTES=20 SEED=7)
	@.venv/bin/python -m tests.chaos.run --minutes $(MINUTES) --seed $(SEED) $(ARGS)

storm: test-environment ## 500,000 requests, one in a hundred of them bad
	@PENSTOCK_STORM=500000 .venv/bin/python -m pytest -s tests/bad_input/test_storm.py $(ARGS)

bench: test-environment ## Compare the worker with its peers, and write docs/benchmarks/
	@.venv/bin/python -m benchmarks.compare $(ARGS)

study: test-environment ## Measure the worker by load or by processes (ARGS=batching, or ARGS=scaling)
	@.venv/bin/python -m benchmarks.studies $(ARGS)

# The folders become packages only when they are installed, so the type checker gets what a wheel holds; the names
# in its report are turned back into those of the repository.
lint: test-environment ## Check style, format and types
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@rm -rf build/source build/types && mkdir -p build/source
	@cp -R $(PACKAGES) pyproject.toml README.md LICENSE build/source
	@.venv/bin/python -m build --wheel --no-isolation --outdir build/types build/source >build/log 2>&1 || { cat build/log; exit 1; }
	@.venv/bin/python -m zipfile -e build/types/*.whl build/types
	@.venv/bin/mypy build/types/penstock $$(find $(OTHERS) -name '*.py') >build/log; status=$$?; \
		sed -e 's#^build/types/penstock/\([a-z]*\)/#\1/#' -e 's#^build/types/penstock/#api/#' build/log; exit $$status

format: test-environment ## Let ruff repair what it can
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

reference: test-environment ## Write the pages of docs/ that are made from code
	@.venv/bin/python -m tools.reference

# One resolution for Python 3.11 to 3.14 on every platform. The higher locks hold to the pins of the lower ones.
lock: export UV_CUSTOM_COMPILE_COMMAND := make lock
lock: compile := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links $(ARGS)
lock: demo-environment ## Lock pyproject.toml's ranges again (ARGS=--upgrade: newer)
	$(compile) requirements/uv.in -o requirements/uv.txt
	$(compile) --extra worker --extra train --extra broker --extra simdjson pyproject.toml requirements/demo.in -o requirements/demo.txt
	$(compile) --extra dev -c requirements/demo.txt pyproject.toml requirements/demo.in -o requirements/test.txt

clean: ## Remove the environment and everything built
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(PACKAGES) $(OTHERS) -name __pycache__ -type d -exec rm -rf {} +

demo-environment test-environment: %-environment: python
	@$(PYTHON) tools/environment.py $*

python:
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Penstock needs Python 3.11 or newer, and found $(or $(PYTHON),none on the PATH)." >&2; \
		echo "Name another: PYTHON=/path/to/python3.12 make $(MAKECMDGOALS)" >&2; exit 1; }
