"""The table of `spikeport compare`: batches, energy times delay, break-even, and who wins where."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from report_runs import make_summary
from rich.console import Console

from spikeport.common.errors import InputError
from spikeport.results.comparison_table import comparison_dicts, print_comparison
from spikeport.results.day import print_day
from spikeport.results.model_table import print_models
from spikeport.summary import parse_summary


def cost(energy: tuple[float, float, float], seconds: float, batch: int) -> dict[str, Any]:
    low, typical, high = energy
    spread = {"low": low / 2, "typical": typical / 2, "high": high / 2}
    return {
        "title": "a device",
        "precision": "float32",
        "macs": 9472,
        "bytes": 39760,
        "batch": batch,
        "energy_j": typical,
        "energy_low_j": low,
        "energy_high_j": high,
        "dynamic_j": spread,
        "static_j": spread,
        "latency_s": seconds,
        "latency_low_s": seconds / 2,
        "latency_high_s": seconds * 2,
    }


def run(**devices: dict[str, Any]) -> dict[str, Any]:
    """The made-up run with a chip at 2 uJ (1 to 4), 1 uJ of it without a spike, nine tenths of the neurons silent."""
    summary = make_summary()
    chip = cost((1e-6, 2e-6, 4e-6), 1e-4, 1)
    kept = {key: chip[key] for key in chip if key not in ("title", "precision", "macs", "bytes", "batch")}
    silent = {"low": 0.5e-6, "typical": 1e-6, "high": 2e-6}
    summary["per_inference"] = summary["per_inference"] | kept | {"silent_j": silent}
    summary["workload"] = {"activation_sparsity": 0.9}
    summary["ann"] = {name: device | {"title": name} for name, device in devices.items()}
    return summary


def said(summary: dict[str, Any]) -> str:
    out = io.StringIO()
    print_comparison(parse_summary(summary, "s"), Console(file=out, width=240))
    return out.getvalue()


def line(text: str, name: str) -> str:
    return next(found for found in text.splitlines() if name in found and "│" in found)


def test_the_chip_wins_where_it_does_and_the_ann_where_it_does() -> None:
    far = cost((100e-6, 200e-6, 400e-6), 1e-5, 1)
    near = cost((0.1e-6, 0.2e-6, 0.4e-6), 1e-5, 1)
    text = said(run(costly=far, cheap=near, middling=cost((1e-6, 1.5e-6, 3e-6), 1e-5, 1)))
    assert "The ANN needs less energy on 1 row: cheap, float32." in text
    assert "The ranges overlap on 1 row: middling, float32." in text
    assert "The chip needs less energy than 1 row: costly, float32." in text


def test_latency_stands_next_to_energy_and_the_ann_s_advantage_comes_first() -> None:
    # the chip takes 100 us, 50 to 200
    text = said(run(sooner=cost((100e-6, 200e-6, 400e-6), 1e-5, 1), later=cost((0.1e-6, 0.2e-6, 0.4e-6), 1e-2, 1)))
    assert "the chip needs less, at least 25×; the ANN answers sooner, at least 2.5×" in line(text, "sooner, float32")
    assert "the ANN needs less, at least 2.5×; the chip answers sooner, at least 25×" in line(text, "later, float32")
    sentences = [found for found in text.splitlines() if found.startswith("The ")]
    faster, cheaper = "faster on 1 of 2 devices (sooner)", "cheaper on 1 of 2 devices (later)"
    assert sentences[:5] == [
        f"The ANN is more accurate (98.3 % against 97.5 %), {faster}, and {cheaper}.",
        "The ANN needs less energy on 1 row: later, float32.",
        "The chip needs less energy than 1 row: sooner, float32.",
        "The ANN answers sooner on 1 row: sooner, float32.",
        "The chip answers sooner than 1 row: later, float32.",
    ]


@pytest.mark.parametrize(
    ("typical", "verdict"),
    [(0.9e-6, "never"), (1.5e-6, "sparsity 95.00 %"), (3e-6, "sparsity 80.00 %"), (20e-6, "always")],
)
def test_break_even_is_where_the_line_meets_the_device(typical: float, verdict: str) -> None:
    text = said(run(device=cost((typical / 2, typical, typical * 2), 1e-5, 1)))
    assert verdict in line(text, "device, float32")


def test_best_batch_is_a_row_of_its_own_and_energy_times_delay_is_typical_times_typical() -> None:
    one = cost((4e-6, 8e-6, 16e-6), 1e-3, 1)
    best = cost((0.4e-6, 0.8e-6, 1.6e-6), 5e-3, 64)
    text = said(run(device=one | {"best_batch": best}))
    assert "8.00 nJ s" in line(text, "device, float32 ")
    assert "4.00 nJ s" in line(text, "device, float32, batch 64")
    assert "device, float32 in batches of 64" in text


def test_rows_in_plain_values_say_what_the_table_says() -> None:
    best = cost((0.4e-6, 0.8e-6, 1.6e-6), 5e-3, 64)
    found = comparison_dicts(parse_summary(run(device=cost((4e-6, 8e-6, 16e-6), 1e-3, 1) | {"best_batch": best}), "s"))
    one, many = (row for row in found if row["precision"] == "float32")
    assert (one["batch"], many["batch"]) == (1, 64)
    assert one["energy_delay_js"] == pytest.approx(8e-9)
    assert one["energy_j"] == {"low": 4e-6, "typical": 8e-6, "high": 16e-6}
    assert (one["outcome"], many["break_even"]) == ("cannot be told apart", "never")
    assert one["break_even"] == pytest.approx(0.3)
    assert json.loads(json.dumps(found)) == found


def test_neurobench_and_ndns_figures_are_said() -> None:
    summary = run(device=cost((4e-6, 8e-6, 16e-6), 1e-3, 1))
    summary["workload"] |= {
        "connection_sparsity": 0.25, "footprint_bytes": 2000, "effective_acs": 300, "dense_synops": 4000,
        "power_proxy": 5e6, "power_delay_product": 1e4,
    }  # fmt: skip
    text = said(summary)
    assert "connection sparsity 25.00 %, synaptic operations 300 effective ACs of 4" in text
    assert "power proxy 5 M-Ops/s, power-delay product 1e+04 Ops" in text


def test_a_summary_of_an_older_run_has_no_break_even() -> None:
    summary = run(device=cost((4e-6, 8e-6, 16e-6), 1e-3, 1))
    del summary["workload"], summary["per_inference"]["silent_j"]
    text = said(summary)
    assert "sparsity" not in text
    assert "The chip needs" in text or "overlap" in text


def test_a_day_is_decided_by_what_waits() -> None:
    # the chip draws 10 mW at rest, 1 uJ of 2 in 100 us
    asleep = cost((100e-6, 200e-6, 400e-6), 1e-3, 1) | {"sleep_w": {"low": 1e-6, "typical": 2e-6, "high": 4e-6}}
    summary = parse_summary(run(asleep=asleep, slow=cost((1e-6, 2e-6, 4e-6), 100.0, 1)), "s")
    out = io.StringIO()
    day = print_day(summary, 60, Console(file=out, width=240))["day"]
    chip, sleeper, slow = day["rows"]
    assert chip["waiting"]["typical"] == pytest.approx(1e-2)
    assert chip["energy"]["typical"] == pytest.approx(864 + 1440 * 1e-6)
    assert sleeper["energy"]["typical"] == pytest.approx(1440 * 200e-6 + (86400 - 1.44) * 2e-6)
    assert sleeper["sleeps"] and not chip["sleeps"] and slow["energy"] is None
    assert "sleeps" in line(out.getvalue(), "asleep, float32")
    assert "the ANN needs less" in line(out.getvalue(), "asleep, float32")
    assert "takes longer than a day" in line(out.getvalue(), "slow, float32")


def test_a_day_without_a_number_is_not_shown_and_one_of_nothing_is_refused() -> None:
    summary = parse_summary(run(device=cost((4e-6, 8e-6, 16e-6), 1e-3, 1)), "s")
    assert print_day(summary, None, Console()) == {}
    with pytest.raises(InputError, match=r"--per-hour: give a number of inferences above 0"):
        print_day(summary, 0.0, Console())


def test_what_lies_outside_of_the_measured_networks_is_said() -> None:
    summary = run(server_cpu=cost((1e-6, 2e-6, 3e-6), 1e-4, 1))
    summary["per_inference"]["outside_validation"] = ["cores in use: 1; the measured networks: 2 to 74"]
    assert "outside of what was measured on this chip: cores in use: 1" in " ".join(said(summary).split())
    out = io.StringIO()
    print_models([parse_summary(summary, "s")], Console(file=out, width=240))
    assert "outside of what was measured on this chip: cores in use: 1" in out.getvalue()
