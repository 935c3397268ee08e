"""The curve of accuracy against energy: drawn where a run has one, and refused in a sentence where it is broken."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from report_runs import Page, make_folder, make_summary
from sparsity_cases import curve

from spikeport.common.errors import InputError
from spikeport.report import write_report
from spikeport.report.sparsity import read_sparsity, sparsity_picture


def test_the_curve_is_on_the_page_where_there_is_one(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, make_summary())
    assert "sparsity-title" not in write_report(folder).read_text(encoding="utf-8")
    (folder / "sparsity.json").write_text(json.dumps(curve()))
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert "sparsity" in [a.get("id") for a in page.attributes("section")]
    assert "#sparsity" in [a.get("href") for a in page.attributes("a")]
    said = page.text.replace("\u202f", " ")
    for wanted in ("penalty 0.001", "rate 0.050, 0.10", "9.00 µJ", "98.0 %"):
        assert wanted in said


def test_more_spikes_and_more_accuracy_lie_further_right_and_higher(tmp_path: Path) -> None:
    path = tmp_path / "sparsity.json"
    path.write_text(json.dumps(curve()))
    found = read_sparsity(path)
    assert found is not None
    dots = re.findall(r'<circle cx="([\d.]+)%" cy="([\d.]+)"', str(sparsity_picture(found)))
    places = [(float(x), float(y)) for x, y in dots]
    assert len(places) == 3
    assert places == sorted(places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)


def test_a_broken_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "sparsity.json"
    assert read_sparsity(path) is None
    path.write_text(json.dumps({"test_samples": 3, "points": []}))
    assert read_sparsity(path) is None
    for text, wanted in (
        ("{", "truncated or not JSON"),
        ("[]", "the whole file"),
        (json.dumps({**curve(), "points": [{"accuracy": 1.5}]}), "points.0"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=re.escape(wanted)) as error:
            read_sparsity(path)
        assert "\n" not in str(error.value)
