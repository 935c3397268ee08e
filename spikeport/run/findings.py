"""The results of a run's stages, and the summary made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.loader import load_device
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.cost_model.ann_cost import DeviceCost
from spikeport.lava_runtime.diff_report import DiffReport
from spikeport.lava_runtime.profiling.profile import Profile
from spikeport.results.difference import difference_of
from spikeport.summary import Accuracies, FloatTwin, Metric, Seeds, Summary, TaskScores, build

from .compile_recipe import options_of
from .core_map import core_map_of
from .recipe import Recipe

if TYPE_CHECKING:
    from .stages import Accuracies as Measured


@dataclass(frozen=True)
class Findings:
    """The results of the stages; equal: backend -> whether its arrays equal the emulator's, None: not run."""

    recipe: Recipe
    chip: ChipProfile
    program: ChipProgram
    test_samples: int
    measured: Measured
    equal: Mapping[str, bool | None]
    profile: Profile
    difference: DiffReport
    costs: Sequence[DeviceCost]
    float_twin: FloatTwin | None = None
    seeds: Seeds | None = None

    def summary(
        self, seconds: Mapping[str, float], cpu_seconds: Mapping[str, float], commands: Sequence[str]
    ) -> Summary:
        """The whole summary; seconds and cpu_seconds by stage, commands: how to repeat the stages."""
        recipe, chip, measured = self.recipe, self.chip, self.measured
        profiles = [chip, *(load_device(name) for name in recipe.devices)]
        return Summary(
            recipe=recipe.name,
            dataset=recipe.dataset,
            chip=chip.name,
            chip_title=chip.title,
            compiled=build.compiled_of(recipe.chip, options_of(recipe)),
            **build.environment_of(),
            test_samples=self.test_samples,
            steps=recipe.training.steps,
            chip_steps=self.profile.steps,
            dt=recipe.dt,
            training=build.training_of(recipe.network, recipe.training),
            float_twin=self.float_twin,
            seeds=self.seeds,
            confusion=measured.confusion,
            agreement=measured.agreement,
            equal_spikes=measured.equal_spikes,
            **_scores(measured),
            lava_equals_emulator=self.equal["lava"],
            stock_equals_emulator=self.equal["stock"],
            per_inference=build.per_inference_of(self.profile),
            layers=build.layers_of(self.program, self.profile),
            mapping=build.mapping_of(self.profile.mapping),
            workload=build.workload_of(self.profile),
            core_map=core_map_of(self.profile.mapping, self.profile.timeline, chip),
            difference=difference_of(self.difference),
            network=build.network_of(self.program),
            ann=build.ann_of(self.costs),
            constants=build.constants_of(profiles),
            seconds={**seconds},
            cpu_seconds={**cpu_seconds},
            commands=tuple(commands),
        )


def _scores(measured: Measured) -> dict[str, Any]:
    """The accuracies, and the task with its metric unless it is the winner's spike count."""
    names = ("ann", "ann_int8", "float", "fixed")
    values = {name: getattr(measured, name) for name in names}
    objective = measured.objective
    metric = objective.metric
    accuracy = Accuracies(**values) if metric.name == "accuracy" else Accuracies()
    if objective.counts_spikes:
        return {"accuracy": accuracy}
    task = TaskScores(task=objective.task.name, loss=objective.loss_name, metric=Metric.of(metric), **values)
    return {"accuracy": accuracy, "task": task}
