# Two commands: `make demo` installs what it needs and runs the main job, `make test` installs and runs the tests.
SHELL := /bin/sh
VENV ?= .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/installed

# Python 3.10 runs everything; later ones everything but Lava
FIND_PYTHON = \
	works() { "$$1" -c "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != ($$2))" >/dev/null 2>&1; }; \
	for minor in 10 13 12 11; do \
		for found in python3.$$minor "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.$$minor*/bin/python \
			"$$(uv python find --no-python-downloads 3.$$minor 2>/dev/null)" python3 python; do \
			if works "$$found" "3, $$minor"; then echo "$$found"; exit 0; fi; \
		done; \
	done; \
	echo "no Python 3.10 to 3.13 found; install Python 3.10 and run make again" >&2; exit 1

.PHONY: demo test slow check clean

demo: $(STAMP)
	$(RUN)/spikeport demo

test: $(STAMP)
	$(RUN)/python -m pytest -m "not slow"

slow: $(STAMP)
	$(RUN)/python -m pytest -m slow

check: $(STAMP)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

$(STAMP): pyproject.toml constraints.txt
	@set -e; \
	python="$(PYTHON)"; \
	if [ -z "$$python" ]; then python="$$($(FIND_PYTHON))"; fi; \
	"$$python" -c 'import sys; sys.version_info[:2] == (3, 10) or print("Python %d.%d: the Lava backends need 3.10 and are left out, the emulator runs instead." % sys.version_info[:2])'; \
	echo "Installing into $(VENV) (PyTorch is large: a few minutes the first time)"; \
	"$$python" -m venv $(VENV); \
	$(RUN)/python -m pip install -qq --constraint constraints.txt --editable ".[lava,dev]"; \
	touch $(STAMP)

clean:
	rm -rf $(VENV) runs
