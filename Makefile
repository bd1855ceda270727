# Everything is set up in .venv on first use. The two that matter: make demo, make test.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# an npm client from PyPI, if the machine has none: the demo's drawings come as npm packages
NPM := $(if $(shell command -v npm 2>/dev/null),,npm)
COMMA := ,
# on a CPU, two test processes with a thread each are quicker than one with two; the tests of a file stay in one of them,
# so that what they share is made once; bytecode is kept whatever the shell says, for each process that a test starts
# would compile all sources again
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# what make test-cuda runs on; cpu rehearses the same tests
DEVICE ?= $(or $(CLADEWISE_TEST_DEVICE),cuda)

.PHONY: demo test test-slow test-cuda check docs bench results format clean
demo: $(VENV)/.ready-demo
	$(BIN)/cladewise demo

test: $(VENV)/.ready
	$(PYTEST)

test-slow: $(VENV)/.ready
	$(PYTEST) -m slow

test-cuda: $(VENV)/.ready
	@if [ "$(DEVICE)" = cpu ] || $(BIN)/python -c "import sys, torch; sys.exit(not torch.cuda.is_available())"; \
	then CLADEWISE_TEST_DEVICE=$(DEVICE) $(PYTEST) -m device tests; \
	else echo "skipped: PyTorch sees no CUDA device (make test-cuda DEVICE=cpu rehearses it)"; fi

check: $(VENV)/.ready-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs: $(VENV)/.ready-check
	$(BIN)/mkdocs serve

bench: $(VENV)/.ready-bench
	$(BIN)/python benchmarks/losses.py
	$(BIN)/python benchmarks/transition.py
	$(BIN)/python benchmarks/diffusion.py
	$(BIN)/python benchmarks/decisions.py
	$(BIN)/python benchmarks/deciding.py
	$(BIN)/python benchmarks/roll_ups.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/pairwise.py
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/million_leaves.py
	$(BIN)/python benchmarks/taxonomy_build.py
	$(BIN)/python benchmarks/image_decoding.py
	$(BIN)/python benchmarks/feature_caching.py
	$(BIN)/python benchmarks/encoders.py

# hours on two cores; a repeated call goes on where the last one stopped
GROCERY_STORE ?= data/grocery-store
OPENCLIPART ?= /usr/share/openclipart/png
results: $(VENV)/.ready
	for suite in which-method two-views; do \
	  $(BIN)/cladewise benchmark results/$$suite.toml --out runs/$$suite --jobs 2 \
	    --data grocery-store=$(GROCERY_STORE) --data openclipart=$(OPENCLIPART) || exit 1; \
	done
	$(BIN)/cladewise benchmark results/end-to-end.toml --out runs/end-to-end
	$(BIN)/python results/make_page.py runs

format: $(VENV)/.ready-check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) site runs .pytest_cache .ruff_cache .hypothesis

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test$(if $(NPM),$(COMMA)$(NPM))]'
	touch $@

# the package alone; an environment for the tests has all of it, and stays as it is
$(VENV)/.ready-demo: pyproject.toml
	[ -e $(VENV)/.ready ] || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.$(if $(NPM),[$(NPM)])'
	touch $@

$(VENV)/.ready-check: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --editable '.[check,docs]'
	touch $@

$(VENV)/.ready-bench: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	touch $@
