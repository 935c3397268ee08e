"""Tuning and recipes for a Xylo chip say that they do not round to this chip's integers yet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikeport as sp
from spikeport.common.errors import InputError
from tests.support.networks.xylo_graphs import chain, cuba, random_weights

GRAPH = chain([cuba(6, 4, 8), cuba(2, 4, 8)], random_weights([4, 6, 2], 0.5))
SENTENCE = r"training does not round to the integers of xylo_audio2 yet; write a loop around sp\.torch\.module"


def test_tune_says_so() -> None:
    with pytest.raises(InputError, match=SENTENCE):
        sp.tune(GRAPH, np.ones((5, 10, 4), np.uint8), chip="xylo_audio2")


def test_a_recipe_that_rounds_says_so(tmp_path: Path) -> None:
    recipe = Path("recipes/digits.toml").read_text().replace('chip = "loihi2"', 'chip = "xylo_audio2"')
    (tmp_path / "r.toml").write_text(recipe)
    with pytest.raises(InputError, match=r"chip_aware': .* integers of xylo_audio2 yet; set it to 0 to train in float"):
        sp.run_recipe(tmp_path / "r.toml", tmp_path / "out")
