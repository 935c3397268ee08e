"""The card of a trained network in the collection: what it is, how it was made, what it reaches."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from spikeport.common.errors import InputError, reason
from spikeport.common.text_files import read_json_file
from spikeport.summary import Amount, Bounds, Count, Metric, Model, Number

__all__ = ["Card", "read_card"]


class Card(Model):
    """A trained network: `NAME.nir` lies next to its card, `NAME.json`.

    layers: in words; steps: time steps of one inference; trained, chip: the metric of the trainer's network and of the
    chip's integers on the test samples; error: the standard error of `chip`, None if the metric is no share of samples;
    spikes: of input and layers, per inference; energy_j, ann_energy_j: estimates with their ranges, on `chip_name`, and
    of the ANN twin on the cheapest of the recipe's devices, `ann_device`; sha256: of NAME.nir; licence: of weights and
    samples, which follows from the data.
    """

    name: str
    dataset: str
    data_source: str
    licence: str
    recipe: str
    command: str
    method: str
    layers: str
    seed: int
    steps: Count
    test_samples: Count
    metric: Metric = Field(default_factory=Metric)
    trained: Number
    chip: Number
    error: Amount | None = None
    ann: Number | None = None
    chip_name: str
    cores: Count
    spikes: Amount
    energy_j: Bounds
    ann_energy_j: Bounds | None = None
    ann_device: str = ""
    bytes: Count
    sha256: str


def read_card(path: Path) -> Card:
    """Read a card; raises InputError that names the file and the field."""
    again = "install spikeport again, or make the card again with `spikeport models make`"
    try:
        return Card.model_validate(read_json_file(path))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise InputError(f"{path}: field {field}: {first['msg'].lower()}; {again}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is no whole card ({reason(error)}); {again}") from error
