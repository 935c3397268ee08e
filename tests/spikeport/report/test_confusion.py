"""The confusion matrix: from answers through summary.json to the page."""

from __future__ import annotations

import numpy as np
from report_runs import make_summary, page_of

from spikeport.report.confusion import confusion_rows
from spikeport.report.pictures.raster_picture import caption
from spikeport.report.raster import Raster
from spikeport.summary import Confusion, parse_summary

LABELS, ANSWERS = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
NAMES = ("cat", "<dog>")


def test_answers_are_counted_by_class() -> None:
    confusion = Confusion.of(LABELS, ANSWERS, NAMES)
    assert confusion.counts == ((1, 1), (1, 2))
    first, second = confusion_rows(confusion)
    assert first.name == "cat" and [(c.count, c.share, c.right) for c in first.cells] == [(1, 50, True), (1, 50, False)]
    assert second.recall.startswith("66.7")
    # a class without test samples
    assert confusion_rows(Confusion.of(LABELS, ANSWERS, (*NAMES, "cow")))[2].recall == ""


def test_many_classes_are_named_but_not_drawn() -> None:
    names = tuple(map(str, range(101)))
    assert Confusion.of(LABELS, ANSWERS, names) == Confusion(classes=names)
    assert confusion_rows(Confusion.of(LABELS, ANSWERS, names[:31])) == []
    assert confusion_rows(None) == []


def test_class_names_reach_the_page() -> None:
    summary = make_summary()
    assert "Answers of the chip by class" not in page_of(summary)
    summary["confusion"] = Confusion.of(LABELS, ANSWERS, NAMES).to_dict()
    assert parse_summary(summary, "s").confusion == Confusion.of(LABELS, ANSWERS, NAMES)
    page = page_of(summary)
    assert "Answers of the chip by class" in page and "&lt;dog&gt;" in page and "<dog>" not in page


def test_the_class_of_the_sample_is_named() -> None:
    spikes = np.zeros((4, 2), np.uint8)
    spikes[2, 1] = 1
    raster = Raster(3, 1, np.zeros((4, 5), np.uint8), {"out": spikes}, None)
    named = caption(raster, ["out"], 4, NAMES)
    assert named.startswith("Test sample 3, label 1 (<dog>): neuron 1 (<dog>) of layer out spikes most")
    assert "label 1: neuron 1 of" in caption(raster, ["out"], 4, ("0", "1"))
