"""A curve of accuracy against energy, as a run writes it."""

from __future__ import annotations

from report_runs import Json


def curve() -> Json:
    points = [
        {"penalty": penalty, "target": target, "accuracy": accuracy, "spikes": spikes,
         "energy_j": energy, "energy_low_j": energy / 4, "energy_high_j": energy * 3}
        for penalty, target, accuracy, spikes, energy in (
            (0.0, [], 0.98, 628.0, 13e-6), (1e-3, [], 0.975, 310.0, 9e-6), (0.0, [0.05, 0.1], 0.94, 90.0, 4e-6),
        )
    ]  # fmt: skip
    return {"test_samples": 360, "points": points}
