# Two commands: `make demo` installs what it needs and runs the main job, `make test` installs and runs the tests.
SHELL := /bin/sh
VENV ?= .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/installed

# Python 3.10 runs everything; later ones everything but Lava
MINORS ?= 10 13 12 11
FIND_PYTHON = \
	works() { "$$1" -c "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != ($$2))" >/dev/null 2>&1; }; \
	for minor in $(MINORS); do \
		for found in python3.$$minor "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.$$minor*/bin/python \
			"$$(uv python find --no-python-downloads 3.$$minor 2>/dev/null)" python3 python; do \
			if works "$$found" "3, $$minor"; then echo "$$found"; exit 0; fi; \
		done; \
	done; \
	echo "no Python 3.x found with x of $(MINORS); install Python 3.$(firstword $(MINORS)) and run make again" >&2; exit 1

.PHONY: demo test light slow recipes check docs referees peers frameworks clean

demo: $(STAMP)
	$(RUN)/spikeport demo

# a test file a core, in the order of tests/conftest.py, with one thread for torch: two that each want both cores wait
# for each other. The many processes that tests start share what Python compiles, also where it is told not to keep it
PYTEST = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(RUN)/python -m pytest --numprocesses auto --dist loadfile \
	--no-loadscope-reorder --durations 15

test: $(STAMP)
	$(PYTEST) -m "not slow"

# what another version of Python or torch can change: no pages or reports, few whole commands, since the slow tests train
# a recipe on Python 3.11; of properties a few of the cases that `make test` tries
light: $(STAMP)
	HYPOTHESIS_PROFILE=spikeport-few $(PYTEST) -m "not slow" tests/common tests/hardware_profiles tests/exporter tests/lava_runtime tests/trainer \
		tests/spikeport/commands/test_json_output.py tests/spikeport/commands/test_completion.py tests/spikeport/network

slow: $(STAMP)
	$(PYTEST) -m "slow and not recipe and not peers"

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
	$(RUN)/python -m pip install -qq --constraint constraints.txt --editable ".[lava,xylo,dev]"; \
	touch $(STAMP)

# Environments of two small packages, which the profiler's counts and joules are held against by quick tests
referees: .venv-sanafe/installed .venv-neurobench/installed

.venv-sanafe/installed .venv-neurobench/installed: .venv-%/installed: $(STAMP) tests/%_requirements.txt
	$(call beside,$(VENV),$(@D),tests/$*_requirements.txt)

# Environments of other people's tools, which ours is held against: lava-dl's beside $(VENV), which has Python 3.10, and
# the other frameworks' beside .venv-3.11. Each is what spikeport's own environment has, and a few packages more.
peers: .venv-lava-dl/installed .venv-frameworks/installed

frameworks: peers
	$(RUN)/python benchmarks/from_frameworks.py --check
	$(RUN)/python benchmarks/framework_cells.py --check
	$(RUN)/python -m pytest -m peers tests/benchmarks/test_frameworks.py tests/exporter/netx/test_netx_peer.py \
		tests/exporter/trainable/test_frameworks.py

.venv-lava-dl/installed: $(STAMP) tests/lava_dl/requirements.txt
	$(call beside,$(VENV),$(@D),tests/lava_dl/requirements.txt)

.venv-frameworks/installed: tests/frameworks/requirements.txt tests/frameworks/requirements-older.txt
	$(MAKE) .venv-3.11/installed VENV=.venv-3.11 MINORS=11
	$(call beside,.venv-3.11,$(@D),$<)
	$(@D)/bin/python -m pip install -qq --no-deps --target $(@D)/older -r tests/frameworks/requirements-older.txt

# beside(BASE, NEW, REQUIREMENTS): an environment that sees BASE's packages and has its own before them
define beside
	rm -rf $(2)
	$(1)/bin/python -m venv $(2)
	$(1)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
		> "$$($(2)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/base.pth"
	$(2)/bin/python -m pip install -qq --no-deps -r $(3)
	touch $(2)/installed
endef

clean:
	rm -rf $(VENV) runs site
