"""Property tests with few examples, whatever their own settings say."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

FEW = 10
# hypothesis keeps the settings of a test here, and has no public name for changing them
_SETTINGS = "_hypothesis_internal_use_settings"


def with_few(test: Any) -> None:
    """At most FEW examples from now on; other tests stay as they are."""
    function = getattr(test, "__func__", test)
    found = getattr(function, _SETTINGS, None)
    if found is not None and found.max_examples > FEW:
        setattr(function, _SETTINGS, settings(found, max_examples=FEW))
