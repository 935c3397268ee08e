"""A Xylo network as a file for Rockpool: the arguments of its config_from_specification, as JSON.

Names and shapes are those of rockpool.devices.xylo.syns61201.config_from_specification, which makes samna's
configuration of them. Not tried on a board, and not with samna.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spikeport.common.errors import InputError
from spikeport.common.files import write_text
from spikeport.common.json_text import json_text
from spikeport.exporter.program.chip_program import ChipProgram, Integers

from .specification import XyloSpecification, specification_of


def write_specification(program: ChipProgram, path: str | Path) -> None:
    """Write the file, SPECIFICATION.json; raises InputError for a program of another chip, or outputs it cannot say."""
    if program.integers != "xylo":
        raise InputError(
            f"{path}: a specification is one of a Xylo chip, but the program is for {program.chip}; compile with "
            "--chip xylo_audio2"
        )
    specification = specification_of(program, str(path))
    if not specification.outputs:
        raise InputError(
            f"{path}: the network has no output neurons, because its output listens to the input or to itself; put a "
            "layer of at most 8 neurons behind it"
        )
    write_text(Path(path), json_text(rockpool_arguments(specification)) + "\n")


def rockpool_arguments(network: XyloSpecification) -> dict[str, Any]:
    """Keyword arguments of config_from_specification, as plain numbers and lists.

    Weights without a second synapse have no third axis, for which Rockpool leaves that synapse off; biases and aliases
    are left out where there are none.
    """
    two = bool(network.weights_in[..., 1].any() or network.weights_rec[..., 1].any())

    def of(weights: Integers) -> Any:
        return (weights if two else weights[..., 0]).tolist()

    arguments: dict[str, Any] = {
        "weights_in": of(network.weights_in),
        "weights_rec": of(network.weights_rec),
        "weights_out": network.weights_out.tolist(),
    }
    registers = ("dash_mem", "dash_syn", "dash_syn_2", "threshold", "dash_mem_out", "dash_syn_out", "threshold_out")
    arguments |= {name: getattr(network, name).tolist() for name in registers}
    arguments |= {name: int(getattr(network, name)) for name in _SHIFTS}
    if network.bias.any() or network.bias_out.any():
        arguments |= {"bias_hidden": network.bias.tolist(), "bias_out": network.bias_out.tolist()}
    if (network.aliases >= 0).any():
        arguments["aliases"] = [[int(n)] if n >= 0 else [] for n in network.aliases]
    return arguments


_SHIFTS = ("weight_shift_in", "weight_shift_rec", "weight_shift_out")
