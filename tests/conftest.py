"""What the tests share: where other people's networks lie, which tests need Lava, and which begin first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from few_examples import with_few
from hypothesis import settings
from places import SHARED, TESTS

from spikeport.lava_runtime.lava_backend.child import lava_missing

# tests assert no times, and a loaded machine is no failure
settings.register_profile("spikeport", deadline=None)
# the same draws in every run: what fails is the change, not the draw
settings.register_profile("spikeport-fixed", deadline=None, derandomize=True, database=None)
# where another environment has drawn all of them: what Python or torch change, they change for nearly every case
settings.register_profile("spikeport-few", settings.get_profile("spikeport-fixed"))
_PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "spikeport")
settings.load_profile(_PROFILE)

# folders with few tests that take long: begun last, one of their files keeps one core busy when the others are done
_FIRST = ("whole", "lava_runtime", "spikeport")


def _rank(item: pytest.Item) -> int:
    folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
    if _PROFILE == "spikeport-few":
        for item in items:
            with_few(getattr(item, "obj", None))
    missing = lava_missing()
    if missing:
        for item in items:
            if item.get_closest_marker("lava"):
                item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The folder of networks and traces that others made, beside the checkout."""
    folder = SHARED / "conformance"
    if not folder.is_dir():
        pytest.skip("the conformance networks are not beside this checkout (../shared/conformance)")
    return folder
