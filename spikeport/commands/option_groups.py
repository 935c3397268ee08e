"""Groups of options shared by several commands: a parameter annotated with a group expands to all its options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Optional, TypeVar, get_args

import typer

from spikeport.common.overwriting import keeping
from spikeport.console.output import Output
from spikeport.exporter import compile_options as compiling
from spikeport.gates import Gates, metric_bound, quantity, share

from . import completion
from .model_data import ModelData
from .options import (
    CalibrateOption,
    DtOption,
    FromOption,
    GoalName,
    JsonOption,
    OptimiseOption,
    WeightBitsOption,
    goal_of,
)
from .paths import Paths

C = TypeVar("C", bound=Callable[..., None])


@dataclass(frozen=True)
class Group:
    """options: parameter name -> (annotation, default), as typer reads them; make: builds one value from them."""

    options: Mapping[str, tuple[Any, Any]]
    make: Callable[..., Any]


def grouped(command: C) -> C:
    """The command with each parameter that is annotated with a group replaced by the options of that group."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Group] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        group = next((argument for argument in get_args(parameter.annotation) if isinstance(argument, Group)), None)
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
                values[name] = replace(values[name], text_to_stderr=bool(paths.to_standard_output))
        with keeping(paths.read):
            command(**values)

    wrapper: Any = called
    del wrapper.__wrapped__
    wrapper.__signature__ = inspect.Signature(parameters)
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapper  # type: ignore[no-any-return]


def _choice(option: str, text: str) -> tuple[Any, Any]:
    """An option's annotation and default, as typer reads them, with the values that CompileOptions allows."""
    make: Any = Enum  # mypy only accepts enums with literal values
    kind = make(option, {value: value for value in compiling.CHOICES[option]}, type=str)
    default = getattr(compiling.DEFAULTS, option)
    # typer on Python 3.10 reads the annotation at run time
    values: Any = kind if default is not None else Optional[kind]  # noqa: UP045
    return Annotated[values, typer.Option(f"--{option}", help=text)], default and kind(default)


def _compile_options(calibrate: Any, **values: Any) -> compiling.CompileOptions:
    plain = {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}
    return compiling.CompileOptions(**plain, calibration=calibrate)


CompileOptions = Annotated[
    compiling.CompileOptions,
    Group(
        {
            "dt": (DtOption, None),
            "weight_bits": (WeightBitsOption, None),
            "framework": (FromOption, None),
            "discretize": _choice(
                "discretize", "Decay per step: euler, dt/tau (default), or exponential, 1 - exp(-dt/tau)."
            ),
            "reset": _choice(
                "reset",
                "Reset mode after a spike (not recorded in NIR): to 0 (default), or by subtracting the threshold.",
            ),
            "precision": _choice(
                "precision", "high: two synapses per weight where needed; fine: finer forms at more cores."
            ),
            "calibrate": (CalibrateOption, None),
            "sums": _choice("sums", "graded: layers that a connection sums are added once and sent as payloads."),
        },
        _compile_options,
    ),
]
"""How a network is compiled: --dt, --weight-bits, --from, --discretize, --reset, --precision, --calibrate,
--sums."""

OutputOption = Annotated[Output, Group({"json_file": (JsonOption, None)}, lambda json_file: Output(json_file))]
"""Where text and JSON results go: --json."""


def _bound(flag: str, text: str, metavar: str) -> tuple[Any, Any]:
    return Annotated[Optional[str], typer.Option(flag, help=text, metavar=metavar)], None  # noqa: UP045


def _gates(**texts: str | None) -> Gates:
    read: dict[str, Callable[[str], Any]] = {
        "max_energy": lambda text: quantity("--max-energy", text, "J"),
        "max_latency": lambda text: quantity("--max-latency", text, "s"),
        "min_accuracy": lambda text: share("--min-accuracy", text),
        "min_agreement": lambda text: share("--min-agreement", text),
        "metric": lambda text: metric_bound("--metric", text),
    }
    return Gates(**{name: read[name](text) for name, text in texts.items() if text is not None})


_COSTS = {
    "max_energy": _bound("--max-energy", "Exit with 1 if one inference needs more (typical estimate).", "20uJ"),
    "max_latency": _bound("--max-latency", "Exit with 1 if one inference takes longer (typical estimate).", "1ms"),
}
_AGREEMENT = {
    "min_agreement": _bound("--min-agreement", "Exit with 1 if float and chip agree on fewer answers.", "0.99"),
}
_SHARES = {
    "min_accuracy": _bound("--min-accuracy", "Exit with 1 if the chip's accuracy is lower.", "0.97"),
    **_AGREEMENT,
    "metric": _bound("--metric", "Exit with 1 if the chip's value of the task's metric is worse.", "rmse=0.13"),
}
GateOptions = Annotated[Gates, Group({**_COSTS, **_SHARES}, _gates)]
"""Bounds that a result must keep: --max-energy, --max-latency, --min-accuracy, --min-agreement, --metric."""
CostGates = Annotated[Gates, Group(_COSTS, _gates)]
"""Bounds on the cost of one inference: --max-energy, --max-latency."""
AgreementGate = Annotated[Gates, Group(_AGREEMENT, _gates)]
"""A bound on the share of equal answers: --min-agreement."""


def _path(flag: str, text: str, metavar: str) -> tuple[Any, Any]:
    return Annotated[Optional[Path], typer.Option(flag, help=text, metavar=metavar)], None  # noqa: UP045


def _model_data(teacher_accuracy: str | None, optimise: GoalName | None, **values: Any) -> ModelData:
    values["optimise"] = goal_of(optimise)
    known = None if teacher_accuracy is None else share("--teacher-accuracy", teacher_accuracy)
    return ModelData(**values, teacher_accuracy=known)


ModelDataOptions = Annotated[
    ModelData,
    Group(
        {
            "x": _path("--input", "What a model is run on: spikes (time, batch, *input shape).", "X.npy"),
            "labels": _path("--labels", "Class of each sample (N,), for the accuracy; or what --task takes.", "Y.npy"),
            "task": _bound("--task", "What the output answers (docs/tasks.md); default: the winner.", "NAME"),
            "teacher": _path(
                "--teacher", "The ANN that a model was made from; default: one of equal layers.", "M.onnx"
            ),
            "teacher_accuracy": _bound("--teacher-accuracy", "The ANN's accuracy, for the report.", "0.98"),
            "devices": (
                Annotated[
                    Optional[str],  # noqa: UP045
                    typer.Option(
                        "--devices",
                        help="Devices for the ANN (comma-separated).",
                        metavar="A,B",
                        autocompletion=completion.devices,
                    ),
                ],
                None,
            ),
            "optimise": (OptimiseOption, None),
        },
        _model_data,
    ),
]
"""What a model is reported on: --input, --labels, --task, --teacher, --teacher-accuracy, --devices, --optimise."""
