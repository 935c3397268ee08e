"""Where things lie that tests read: the checkout, and the shared data next to it where there are any."""

from __future__ import annotations

from pathlib import Path

# pyproject.toml is found going up, so that this file may be moved
ROOT = next(parent for parent in Path(__file__).resolve().parents if (parent / "pyproject.toml").is_file())
TESTS = ROOT / "tests"
# what pyproject.toml puts on pytest's path, for processes that tests start
SUPPORT = [str(TESTS / "support" / folder) for folder in ("", "networks", "referees", "runs")]
SHARED = ROOT.parent / "shared"
