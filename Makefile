# One definition of every task, for developers and CI alike.
# Prerequisites: git, make, python3 (3.11 or newer) with venv. Everything else comes from pip.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Workers for the test suite; firmware builds and twins are processes of their own.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: demo test check nightly golden format clean

# The environment of a user: the default path, no torch, no root.
$(VENV)/demo.stamp: pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint .ci/constraints.txt --editable '.[onnx,virtual]'
	@touch $@

# The environment of a developer: the same and the tools of `make check`.
$(VENV)/dev.stamp: pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint .ci/constraints.txt --editable '.[all,dev]'
	@touch $@ $(VENV)/demo.stamp

demo: $(VENV)/demo.stamp
	cd examples/digits && ../../$(BIN)/edgekit deploy --work ../../build/demo

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m "not nightly and not strict" -n $(JOBS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -m "not nightly" tests/repo
	$(BIN)/python -m pytest -q -m "strict and not nightly" -n $(JOBS)

nightly: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m nightly -n $(JOBS)

golden: $(VENV)/dev.stamp
	EDGEKIT_GOLDEN=refresh $(BIN)/python -m pytest -q tests/frontend_*/test_*_ops.py
	EDGEKIT_GOLDEN=refresh $(BIN)/python -m pytest -q tests/frontend_qonnx/test_qonnx_networks.py \
		tests/frontend_qonnx/test_qonnx_around.py tests/frontend_keras -m "not larq"
	EDGEKIT_GOLDEN=refresh $(BIN)/python -m pytest -q tests -k golden

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build $(VENV)
