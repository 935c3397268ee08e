"""What the tests share: where other people's networks lie, and which tests need Lava."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from places import SHARED

from spikeport.lava_runtime.lava_backend.child import lava_missing

# tests assert no times, and a loaded machine is no failure
settings.register_profile("spikeport", deadline=None)
# the same draws in every run: what fails is the change, not the draw
settings.register_profile("spikeport-fixed", deadline=None, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "spikeport"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
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
