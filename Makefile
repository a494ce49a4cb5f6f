# `make demo` and `make test` are each the only command that a fresh machine with Python >= 3.10 needs.
# Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test zoo bench routes precision conformance docs lint format wheel clean environment
.DEFAULT_GOAL := help

help:
	@echo "make demo    graft an engine into a trained model, run it on real input, compare (about two minutes)"
	@echo "make test    all tests"
	@echo "make zoo     22 trained models: optimize, run, compare, time; writes docs/zoo.md (half an hour, needs npm)"
	@echo "make bench   the zoo and Keras nets by tfgraft, TensorFlow, XLA, tf2onnx, OpenVINO, LiteRT; writes docs/benchmarks.md"
	@echo "make routes  TensorRT by both routes over the zoo and Keras nets, without a GPU; writes docs/tensorrt.md"
	@echo "make precision  FP16, BF16 and INT8: accuracy and speed; writes docs/precision_results.md (two hours, needs npm)"
	@echo "make conformance  ONNX's node tests as TensorRT networks through the engine reference; writes docs/conformance.md"
	@echo "make docs    writes docs/ops.md, the op table of the engines"
	@echo "make lint    ruff and mypy"
	@echo "make format  format the code"
	@echo "make wheel   build sdist and wheel into dist/"
	@echo "make clean   remove the environment and everything built"
	@echo "PYTHON=...   the interpreter that the environment is made of ($(PYTHON))"

demo: $(VENV)/.zoo-installed
	$(BIN)/python -m examples.demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest

zoo: $(VENV)/.zoo-installed
	$(BIN)/python -m benchmarks.zoo run --peers --markdown docs/zoo.md

bench: $(VENV)/.zoo-installed
	$(BIN)/python -m benchmarks.zoo fetch
	$(BIN)/python -m benchmarks.bench

routes: $(VENV)/.zoo-installed $(VENV)/.tensorrt-installed
	$(BIN)/python -m benchmarks.zoo fetch
	$(BIN)/python -m benchmarks.tensorrt_routes --markdown docs/tensorrt.md

precision: $(VENV)/.zoo-installed
	$(BIN)/python -m benchmarks.zoo fetch
	$(BIN)/python -m benchmarks.precision

conformance: $(VENV)/.tensorrt-installed
	$(BIN)/python -m benchmarks.conformance --markdown docs/conformance.md

docs: $(VENV)/.installed
	$(BIN)/tfgraft ops --engine tensorrt --engine onnxruntime --markdown docs/ops.md

lint: $(VENV)/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

wheel: $(VENV)/.installed
	$(BIN)/python -m build --outdir dist

clean:
	rm -rf $(VENV) .zoo build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment: $(VENV)/.installed

# A stamp is touched last, so that an installation that was cut off is done again. `venv` comes before the version is
# known to be right: hence the check first, in words that every Python understands.
$(VENV)/.installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: there is no '$(PYTHON)' here; install Python >= 3.10, or name one: make PYTHON=/path/to/python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: '$(PYTHON)' is $$($(PYTHON) --version 2>&1), and tfgraft needs Python >= 3.10;" \
	    "name another: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: '$(PYTHON)' comes without venv; install it (on Debian and Ubuntu: apt install python3-venv)" >&2; \
	  exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cpu,dev]'
# tf-keras would pull the full tensorflow over tensorflow-cpu, and has to be of TensorFlow's own minor version.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  "tf-keras==$$($(BIN)/python -c 'from importlib.metadata import version as v; print(".".join(v("tensorflow-cpu").split(".")[:2]))').*"
	@touch $@

$(VENV)/.zoo-installed: $(VENV)/.installed benchmarks/zoo/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/zoo/requirements.txt
	@touch $@

# TensorRT-RTX builds without a GPU.
$(VENV)/.tensorrt-installed: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[tensorrt-rtx]'
	@touch $@
