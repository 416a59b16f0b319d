# `make run` and `make test` do all of their own set-up: a .venv, the pinned packages, the data.
SHELL := /bin/bash
# Or each of the many processes that tests start would compile all of src/.
export PYTHONDONTWRITEBYTECODE :=
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
    if command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then echo $$p; break; fi; done)
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core
STAMP := $(VENV)/.installed
# The extras that users install.
EXTRAS := tensorflow savedmodel torch dashboard images mlflow wandb tensorboard onnx litert dask ray

# Tests write many small files, and a sweep waits for the disk after each: in memory, where there is some.
IN_MEMORY := $(shell test -w /dev/shm && test "$$(df -k --output=avail /dev/shm | tail -1)" -gt 4000000 && echo TMPDIR=/dev/shm)

# What of the long form tries the promises, and takes minutes: bits, figures and scores as by `fit`; kills; what stops a run.
LANES := tests/training/lanes
PROMISES := $(LANES)/test_equals_fit.py $(LANES)/test_rounding.py $(LANES)/test_validation.py $(LANES)/test_lane_ends.py \
    $(LANES)/test_per_lane_values.py $(LANES)/test_layouts.py tests/training/test_folds.py tests/sweep/test_in_folds.py \
    tests/training/test_stop_and_go_on.py tests/sweep/test_backends.py tests/sweep/test_finalists.py \
    tests/faults/test_signals.py tests/faults/test_damage.py tests/faults/test_failures.py tests/faults/test_user_code.py \
    tests/faults/test_long_trials.py tests/cli/test_hostile_record.py \
    tests/faults/test_kill.py::test_killed_at_calls_and_moments_a_sweep_ends_as_if_it_had_not_been \
    tests/faults/test_kill.py::test_killed_in_its_last_steps_the_look_at_the_test_rows_is_counted_exactly

# What runs again where keras-sweep sees Windows, as tests/helpers/windows.py says.
WINDOWS := tests/system tests/files tests/record tests/cli tests/process tests/training/workers \
    $(patsubst %,tests/faults/test_%.py,beside code damage failures user_code workers)

.PHONY: run test promises lint docs dist bench soak data browser clean help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

run: data  ## the main job: sweep the one-layer model on Fashion-MNIST
	$(BIN)/sweep run search_spaces/dense.yaml

test: $(STAMP) data browser  ## every test
	$(IN_MEMORY) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not soak" $(ARGS)
	$(if $(ARGS),,$(IN_MEMORY) $(BIN)/python -m pytest -n 2 --dist loadfile -p tests.helpers.windows -m "not soak and not posix" $(WINDOWS))

promises: $(STAMP) data  ## those tests of the long form that the promises rest on: three minutes
	$(IN_MEMORY) $(BIN)/python -m pytest -n 2 --dist load -m soak $(PROMISES) $(ARGS)

dist: $(STAMP)  ## what a release would upload, in build/dist: checked, and tried without and with extras beside the newest packages (PYTHON=python3.13)
	rm -rf build/dist build/newest build/typed build/lib build/bdist.*
	$(BIN)/python -m build --outdir build/dist .
	$(BIN)/twine check --strict build/dist/*
	@set -e; for extras in "" "$(EXTRAS)"; do \
	    wheel="$$(echo build/dist/*.whl)$${extras:+[$${extras// /,}]}"; \
	    echo "$$wheel in an empty environment ..."; \
	    $(PYTHON) -m venv --clear build/newest; \
	    build/newest/bin/python -m pip install --quiet --disable-pip-version-check "$$wheel"; \
	    build/newest/bin/python tests/newest.py $$extras; \
	done
	$(PYTHON) -m venv build/typed
	build/typed/bin/python -m pip install --quiet --disable-pip-version-check mypy 'pyright[nodejs]'
	cp tests/typed/example.py build/typed
	echo '{}' > build/typed/pyrightconfig.json  # or pyright would read src/ in place of the wheel
	cd build/typed && bin/mypy --strict --python-executable ../newest/bin/python example.py
	cd build/typed && bin/pyright --pythonpath ../newest/bin/python example.py

soak: $(STAMP) data browser  ## the long form of the tests, which takes more than an hour
	$(IN_MEMORY) $(BIN)/python -m pytest -n 2 --dist loadfile -m soak $(ARGS)

bench: $(STAMP) data  ## a short form of every benchmark
	$(BIN)/python benchmarks/generation_size.py --quick
	$(BIN)/python benchmarks/lanes.py --quick
	$(BIN)/python benchmarks/trial_epoch_cost.py --quick
	$(BIN)/python benchmarks/time_to_accuracy.py --quick
	$(BIN)/python benchmarks/equals_fit.py --quick
	$(BIN)/python benchmarks/never_slower.py --quick
	$(BIN)/python benchmarks/honest_winner.py --quick
	$(BIN)/python benchmarks/peers_by_space.py --quick
	$(BIN)/python benchmarks/convolutions.py --quick
	$(BIN)/python benchmarks/pictures.py --quick
	$(BIN)/python benchmarks/search_quality.py --quick
	$(BIN)/python benchmarks/gpu.py --quick

lint: $(STAMP)  ## ruff, mypy, and what can be counted of the language
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for system in win32 darwin; do $(BIN)/mypy --platform $$system --cache-dir .mypy_cache/$$system || exit; done
	$(BIN)/python tests/language.py

docs: $(STAMP)  ## the site, into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

data: $(CORE)  ## find or fetch the data
	@$(BIN)/python -c "from keras_sweep.data.image_sets import FASHION_MNIST; print(FASHION_MNIST.locate())"

browser:
	@for p in chromium chromium-browser google-chrome chrome; do command -v $$p >/dev/null && exit 0; done; \
	echo "The tests of the report's page will fail: they need Chromium (sudo apt-get install chromium)" >&2

# What `sweep run` needs; the rest is for tests. Python compiles what is imported, which takes less than compiling all.
$(CORE): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed: install it and run make again" >&2; exit 1; }
	@echo "Setting up $(VENV) (a minute the first time) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "No venv module: sudo apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e .
	@touch $@

$(STAMP): $(CORE)
	@echo "Adding what tests need to $(VENV) (a few minutes the first time) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,dashboard,docs,dev]'
	@touch $@

clean:  ## remove the .venv and caches (never sweeps)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build src/*.egg-info
