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

.PHONY: demo test slow recipes check docs peers clean

demo: $(STAMP)
	$(RUN)/spikeport demo

test: $(STAMP)
	$(RUN)/python -m pytest -m "not slow"

slow: $(STAMP)
	$(RUN)/python -m pytest -m "slow and not recipe"

recipes: $(STAMP)
	$(RUN)/python -m pytest -m recipe

check: $(STAMP)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

docs: $(STAMP)
	$(RUN)/python -m mkdocs build --strict

$(STAMP): pyproject.toml constraints.txt
	@set -e; \
	python="$(PYTHON)"; \
	if [ -z "$$python" ]; then python="$$($(FIND_PYTHON))"; fi; \
	"$$python" -c 'import sys; sys.version_info[:2] == (3, 10) or print("Python %d.%d: the Lava backends need 3.10 and are left out, the emulator runs instead." % sys.version_info[:2])'; \
	echo "Installing into $(VENV) (PyTorch is large: a few minutes the first time)"; \
	"$$python" -m venv $(VENV); \
	$(RUN)/python -m pip install -qq --constraint constraints.txt --editable ".[lava,dev]"; \
	touch $(STAMP)

# Environments of other people's tools, which some slow tests hold ours against: Python 3.10 for lava-dl, 3.11 for the rest
peers: .venv-lava-dl/installed .venv-frameworks/installed

.venv-lava-dl/installed: $(STAMP) tests/lava_dl/requirements.txt
	rm -rf .venv-lava-dl
	$(RUN)/python -m venv .venv-lava-dl
	$(RUN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
		> "$$(.venv-lava-dl/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/base.pth"
	.venv-lava-dl/bin/python -m pip install -qq --no-deps -r tests/lava_dl/requirements.txt
	touch $@

.venv-frameworks/installed: tests/frameworks/requirements.txt
	rm -rf .venv-frameworks
	python3.11 -m venv .venv-frameworks
	.venv-frameworks/bin/python -m pip install -qq --no-deps -r tests/frameworks/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) runs site
