"""The animated picture of a live page in the README: `python benchmarks/live_picture.py PAGE.html`.

Needs Chromium, playwright and Pillow (`make test-browser` and `make docs` install the latter two).
Writes docs/img/live.gif: the first slider moves to three places, and curves sharpen at each.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

TARGET = Path(__file__).resolve().parent.parent / "docs" / "img" / "live.gif"
PLACES = (0.0, 700.0, -500.0)  # of the slider, from -1000 to 1000
FRAMES, GAP = 8, 150  # at each place; milliseconds
SIZE = {"width": 760, "height": 700}
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")


def frames(page_file: Path) -> list[Image.Image]:
    """Pictures of the page while its slider moves."""
    shots = []
    with sync_playwright() as p:
        path = next(s for n in ("chromium", "google-chrome") if (s := shutil.which(n)))
        browser = p.chromium.launch(executable_path=path, args=list(FLAGS))
        page = browser.new_page(viewport=SIZE)
        page.goto(page_file.resolve().as_uri())
        page.wait_for_function("window.wignerflow && window.wignerflow.state().ntraj > 0")
        slider = page.locator("input[type=range]").first
        for place in PLACES:
            slider.evaluate(
                "(s, v) => { s.value = v; s.dispatchEvent(new Event('input', {bubbles: true})); }",
                place,
            )
            for _ in range(FRAMES):
                shots.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
                page.wait_for_timeout(GAP)
        browser.close()
    return shots


def main() -> None:
    """Write the picture, in one palette of 32 colours."""
    shots = frames(Path(sys.argv[1]))
    palette = shots[len(shots) // 2].quantize(32)
    first, *others = [shot.quantize(palette=palette, dither=Image.Dither.NONE) for shot in shots]
    first.save(TARGET, save_all=True, append_images=others, duration=GAP, loop=0, optimize=True)
    print(f"Wrote {TARGET}: {TARGET.stat().st_size // 1024} kB.")


if __name__ == "__main__":
    main()
