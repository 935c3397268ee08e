"""The pictures of the report in docs/img, from a finished run: python .ci/report_pictures.py runs/digits docs/img"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

# name: width and height of the page, colours, the step that the slider stands at, the section at the top
VIEWS: dict[str, tuple[int, int, Any, int | None, str]] = {
    "report-light": (1280, 1500, "light", None, ""),
    "report-dark": (1280, 1180, "dark", 11, "raster"),
    "report-phone": (390, 1500, "light", 11, "raster"),
}
_COLOURS = 224


def main(folder: str, out: str) -> None:
    """Draw each view in chromium and write it with few colours."""
    page_file = (Path(folder) / "report.html").resolve()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (width, height, scheme, step, section) in VIEWS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(page_file.as_uri())
            if step is not None:
                page.locator("#step").fill(str(step))
                page.locator("#step").blur()
            if section:
                page.evaluate(f"document.getElementById('{section}').scrollIntoView({{behavior: 'instant'}})")
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            few = picture.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            target = Path(out) / f"{name}.png"
            few.save(target, optimize=True)
            print(f"{target}: {target.stat().st_size:,} bytes")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
