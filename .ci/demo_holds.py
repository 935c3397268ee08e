"""Checks the figures a finished run of a recipe must reach: python .ci/demo_holds.py SUMMARY.json [FLOAT_ACCURACY]"""

from __future__ import annotations

import json
import sys
from pathlib import Path

TEST_SAMPLES = {"digits": 360, "digits_image": 360, "fsdd": 300, "mnist10k": 2000}


def main(path: str, least: float) -> int:
    """Print each figure and whether it holds; 1 if one does not."""
    summary = json.loads(Path(path).read_text(encoding="utf-8"))
    accuracy = summary["accuracy"]
    with_lava = summary["python"].startswith("3.10.")
    wanted = True if with_lava else None
    held = {
        f"accuracy.float {accuracy['float']:.4f} >= {least}": accuracy["float"] >= least,
        f"accuracy.fixed {accuracy['fixed']:.4f} within 0.005": accuracy["fixed"] >= accuracy["float"] - 0.005,
        f"agreement {summary['agreement']:.4f} >= 0.99": summary["agreement"] >= 0.99,
        f"lava_equals_emulator is {wanted}": summary["lava_equals_emulator"] is wanted,
        f"stock_equals_emulator is {wanted}": summary["stock_equals_emulator"] is wanted,
        f"ann {accuracy['ann']:.4f} and ann_int8 {accuracy['ann_int8']:.4f} present": True,
        f"{summary['test_samples']} test samples": summary["test_samples"] == TEST_SAMPLES[summary["dataset"]],
    }
    for what, holds in held.items():
        print("ok  " if holds else "FAIL", what)
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.97))
