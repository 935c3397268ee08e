"""Options that several commands share, written once: a parameter annotated with a group stands for all its options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from hardware_profiles.overwriting import keeping

from .choices import Choices
from .options import (
    CalibrateOption,
    DiscretizeName,
    DiscretizeOption,
    DtOption,
    FromOption,
    JsonOption,
    PrecisionName,
    PrecisionOption,
    ResetName,
    ResetOption,
    SumsName,
    SumsOption,
    WeightBitsOption,
)
from .output import Output
from .paths import Paths

C = TypeVar("C", bound=Callable[..., None])


@dataclass(frozen=True)
class Group:
    """options: parameter name -> (annotation, default), as typer reads them; make: one value of all of them."""

    options: Mapping[str, tuple[Any, Any]]
    make: Callable[..., Any]


def grouped(command: C) -> C:
    """The command with the options of its groups in the place of the parameters that are annotated with a group."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Group] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        group = next((found for found in get_args(parameter.annotation) if isinstance(found, Group)), None)
        if group is None:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        groups[parameter.name] = group
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in group.options.items()
        ]

    @functools.wraps(command)
    def called(**values: Any) -> None:
        paths = Paths.of(values)
        for name, group in groups.items():
            values[name] = group.make(**{option: values.pop(option) for option in group.options})
            if isinstance(values[name], Output):
                paths.check(values[name].to_standard_output)
                values[name] = replace(values[name], words_aside=bool(paths.to_standard_output))
        with keeping(paths.read):
            command(**values)

    found: Any = called
    del found.__wrapped__
    found.__signature__ = inspect.Signature(parameters)
    found.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return found  # type: ignore[no-any-return]


def _choices(
    dt: float | None,
    weight_bits: int | None,
    framework: str | None,
    discretize: DiscretizeName | None,
    reset: ResetName | None,
    precision: PrecisionName,
    calibrate: Path | None,
    sums: SumsName,
) -> Choices:
    decay: Any = None if discretize is None else discretize.value
    after: Any = None if reset is None else reset.value
    return Choices(dt, weight_bits, framework, decay, after, precision.value, calibrate, sums.value)


CompileOptions = Annotated[
    Choices,
    Group(
        {
            "dt": (DtOption, None),
            "weight_bits": (WeightBitsOption, None),
            "framework": (FromOption, None),
            "discretize": (DiscretizeOption, None),
            "reset": (ResetOption, None),
            "precision": (PrecisionOption, PrecisionName.normal),
            "calibrate": (CalibrateOption, None),
            "sums": (SumsOption, SumsName.synapses),
        },
        _choices,
    ),
]
"""How a network is compiled: --dt, --weight-bits, --from, --discretize, --reset, --precision, --calibrate,
--sums."""

OutputOption = Annotated[Output, Group({"json_file": (JsonOption, None)}, lambda json_file: Output(json_file))]
"""Where words and figures go: --json."""
