"""The report in a real headless browser: nothing fails, nothing is fetched, everything is there, on paper, too."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_runs import make_folder, make_summary
from sparsity_cases import curve

from spikeport.report import read_pair, write_pair, write_report

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
VIEWS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]
FIGURES = {
    "network": 1, "raster": 4, "accuracy": 1, "fidelity": 3, "compare": 2, "energy": 1, "mapping": 6,
    "sparsity": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        # every launch has a new, empty profile
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield found
        found.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_folder(tmp_path_factory.mktemp("browser") / "run", make_summary())
    (folder / "sparsity.json").write_text(json.dumps(curve()))
    write_report(folder)
    return folder


class Tab:
    """A page as one sees it, with everything it said and asked for."""

    def __init__(self, browser: Any, file: Path, width: int = 1280, scheme: str = "light") -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.url = file.resolve().as_uri()
        self.page.goto(self.url)

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()

    def faults(self) -> list[str]:
        """Serious and critical findings of axe-core, each with the places it means."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed (extra dev)")
        found = axe.Axe().run(self.page).response["violations"]
        return [
            f"{fault['id']}: {[node['target'] for node in fault['nodes']][:3]}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_every_view_is_whole_silent_and_accessible(browser: Any, run: Path, width: int, scheme: str) -> None:
    with Tab(browser, run / "report.html", width, scheme) as tab:
        for section, wanted in FIGURES.items():
            pictures = tab.page.locator(f"#{section} svg[role=img]")
            assert pictures.count() == wanted, section
            for index in range(wanted):
                box = pictures.nth(index).bounding_box()
                assert box is not None and box["width"] > 40 and box["height"] > 20, (section, index)
        # nothing but what scrolls by itself is wider than the page
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
        tab.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert tab.faults() == []
        assert tab.said == []
        assert tab.asked == [tab.url]
    assert (run / "report.html").stat().st_size < 5_000_000


def test_no_text_lies_on_other_text(browser: Any, run: Path) -> None:
    overlap = """() => {
        const found = [];
        for (const svg of document.querySelectorAll('svg[role=img]')) {
            const texts = [...svg.querySelectorAll('text')].map((t) => [t.textContent, t.getBoundingClientRect()]);
            texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
                const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
                const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
                if (wide > 1 && high > 5) found.push(`${a} | ${b}`);
            }));
        }
        return found;
    }"""
    for width in (390, 1280):
        with Tab(browser, run / "report.html", width) as tab:
            assert tab.page.evaluate(overlap) == []


def test_the_slider_works_by_keyboard_and_tells_the_truth(browser: Any, run: Path) -> None:
    with np.load(run / "raster.npz") as raster:
        layers = {"input": raster["input"], "hidden": raster["s/hidden"], "readout": raster["s/readout"]}
    with Tab(browser, run / "report.html") as tab:
        slider = tab.page.get_by_role("slider", name="Chip step")
        slider.focus()
        seen = set()
        for key, step in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("PageUp", None), ("End", 17)):
            slider.press(key)
            at = int(slider.input_value())
            assert step is None or at == step
            assert tab.page.locator(".stepper output").inner_text() == str(at)
            for row in tab.page.locator(".stepper .layer").all():
                spikes = layers[row.get_attribute("data-name")]
                words = row.locator(".seen").inner_text()
                assert words == f"{spikes[at].sum()} now, {spikes[: at + 1].sum()} so far"
                assert row.locator(".cursor").get_attribute("x") == str(at)
            now = tab.page.locator(".layer[data-name=hidden] .now").get_attribute("d")
            assert len(re.findall("h1", now)) == layers["hidden"][at].sum()
            counts = layers["readout"][2 : at + 1].sum(axis=0)
            drawn = tab.page.locator(".layer[data-name=readout] .class text:last-of-type").all_text_contents()
            assert drawn == [str(count) for count in counts]
            said = slider.get_attribute("aria-valuetext")
            assert said.startswith(f"step {at}: input {layers['input'][at].sum()} spikes;")
            leads = tab.page.locator(".class.leads").count()
            assert ("no answer yet" in said) == (counts.max() == 0) == (leads == 0)
            seen.add(now)
        assert len(seen) == 5
        assert tab.said == []


def test_playing_moves_to_the_end_and_stops(browser: Any, run: Path) -> None:
    with Tab(browser, run / "report.html") as tab:
        button = tab.page.get_by_role("button", name="Play")
        tab.page.locator("#step").press("End")
        for _ in range(3):
            tab.page.locator("#step").press("ArrowLeft")
        button.press("Enter")
        assert tab.page.locator(".stepper button").inner_text() == "Stop"
        button = tab.page.get_by_role("button", name="Play")
        button.wait_for()
        assert tab.page.locator("#step").input_value() == "17"


def test_all_can_be_reached_by_keyboard_and_focus_shows(browser: Any, run: Path) -> None:
    focused = """() => {
        const e = document.activeElement, shown = e.matches('[name=theme]') ? e.nextElementSibling : e;
        const style = getComputedStyle(shown);
        return [e.tagName, e.getAttribute('href') || e.id || e.getAttribute('aria-label') || e.textContent.trim(),
                style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];
    }"""
    with Tab(browser, run / "report.html") as tab:
        reached = []
        for _ in range(60):
            tab.page.keyboard.press("Tab")
            tag, name, shows = tab.page.evaluate(focused)
            if tag == "BODY":
                break
            assert shows, f"{tag} {name}: no outline when focused"
            reached.append(name)
    assert reached[0] == "#main"
    wanted = {"#network", "#repeat", "step", "Play", "Network drawing", "Commands", "Core map"}
    assert wanted <= set(reached)
    assert any(name.startswith("Rounding errors") for name in reached)


def test_colours_follow_the_choice_and_it_is_kept(browser: Any, run: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with Tab(browser, run / "report.html", scheme="light") as tab:
        light = tab.page.evaluate(paper)
        tab.page.locator("input[name=theme][value=auto]").focus()
        tab.page.keyboard.press("ArrowRight")
        assert tab.page.evaluate(paper) == light
        tab.page.keyboard.press("ArrowRight")
        dark = tab.page.evaluate(paper)
        assert dark != light
        tab.page.reload()
        assert tab.page.evaluate(paper) == dark
        tab.page.emulate_media(media="print")
        assert tab.page.evaluate(paper) == light
    with Tab(browser, run / "report.html", scheme="dark") as tab:
        assert tab.page.evaluate(paper) == dark


def test_a_link_to_a_source_opens_where_it_lies(browser: Any, run: Path) -> None:
    with Tab(browser, run / "report.html") as tab:
        assert not tab.page.locator("#source-1").is_visible()
        tab.page.locator("#constants details").first.locator("summary").press("Enter")
        tab.page.locator("#constants a[href='#source-1']").first.press("Enter")
        tab.page.locator("#source-1").wait_for(state="visible")


def test_on_paper_everything_is_open_and_controls_are_gone(browser: Any, run: Path) -> None:
    with Tab(browser, run / "report.html") as tab:
        printed = tab.page.pdf(format="A4", print_background=True)
        tab.page.emulate_media(media="print")
        assert not tab.page.get_by_role("slider").is_visible()
        assert not tab.page.locator("nav").is_visible()
        assert tab.page.locator("#figures").is_visible()
        folded = tab.page.locator("details").evaluate_all(
            "all => all.filter((d) => d.offsetHeight < 1.3 * d.querySelector('summary').offsetHeight).length"
        )
        assert folded == 0
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 4
    assert len(printed) > 60_000


def test_without_scripts_the_page_says_the_same(browser: Any, run: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((run / "report.html").resolve().as_uri())
    assert not page.locator("#step").is_visible()
    assert not page.locator(".theme").is_visible()
    assert page.locator(".stepper svg[role=img]").count() == FIGURES["raster"]
    with np.load(run / "raster.npz") as raster:
        counts = raster["s/readout"][2:].sum(axis=0)
    assert page.locator(".class text:last-of-type").all_text_contents() == [str(count) for count in counts]
    context.close()


def test_a_deep_network_with_feature_maps_and_loops(browser: Any, tmp_path: Path) -> None:
    summary = make_summary()
    names = [f"block{i}" for i in range(9)]
    nodes = [{"name": name, "kind": "population", "shape": [4, 12, 12], "output": False} for name in names]
    pairs = [*itertools.pairwise(names), ("block0", "block3"), ("block1", "block5"), ("block6", "block2")]
    edge = {**summary["network"]["edges"][0], "kind": "conv"}
    edges = [{**edge, "source": a, "target": b, "delay": 1 + (b == "block5")} for a, b in pairs]
    summary["network"] = {"nodes": nodes, "edges": edges}
    layer = summary["layers"][1]
    summary["layers"] = [{**layer, "name": name, "shape": [4, 12, 12], "neurons": 576} for name in names]
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    random = np.random.default_rng(1)
    spikes = {f"s/{name}": random.random((700, 576)) < 0.05 for name in names}
    np.savez(tmp_path / "raster.npz", label=1, sample=0, input=random.random((700, 64)) < 0.2, **spikes)
    for width in (390, 1280):
        with Tab(browser, write_report(tmp_path), width) as tab:
            slider = tab.page.locator("#step")
            slider.press("Home")
            slider.press("ArrowRight")
            assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.faults() == []
            assert tab.said == []
            now = tab.page.locator(".layer[data-name=block3] .now").get_attribute("d")
            # 700 steps in 600 columns: the second column is step 1 alone
            assert len(re.findall("h1", now)) == np.count_nonzero(spikes["s/block3"][1])


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_two_runs_side_by_side(browser: Any, run: Path, tmp_path: Path, width: int, scheme: str) -> None:
    summary = make_summary()
    summary["recipe"] = "other"
    summary["per_inference"]["spikes"] *= 2
    other = make_folder(tmp_path / "other", summary)
    with Tab(browser, write_pair(read_pair(run, other), tmp_path / "both.html"), width, scheme) as tab:
        for section, wanted in {"accuracy": 1, "cost": 3, "networks": 2}.items():
            assert tab.page.locator(f"#{section} svg[role=img]").count() == wanted
        tab.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.faults() == []
        assert tab.said == []
        assert tab.asked == [tab.url]
