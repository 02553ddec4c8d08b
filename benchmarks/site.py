"""Basics of access to the built site, in Chromium: ``benchmarks/site.py [PAGE ...]``.

Every page (default: one of each kind) at the width of a telephone, in the light and the dark theme:
no sideways scrolling, pictures with texts and none broken, controls with names, text with a
contrast of 4.5 (3 where it is large). Needs the environment of ``make test-browser``, and the site
of ``make docs``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

SITE = Path(__file__).resolve().parent.parent / "docs" / "_build" / "html"
PAGES = (
    "index.html",
    "start.html",
    "which-method.html",
    "figures.html",
    "gallery/index.html",
    "gallery/live/index.html",
    "gallery/examples/index.html",
    "gallery/tutorials/01_superradiance.html",
    "api/index.html",
    "api/names/wignerflow.solve.html",
    "live/laser.html",
)
WIDTH = 375
FIND = """() => {
  const seen = (e) => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(e).visibility != "hidden";
  };
  const all = (what) => [...document.querySelectorAll(what)].filter(seen);
  const colour = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = (e) => {
    for (let x = e; x; x = x.parentElement) {
      const c = colour(getComputedStyle(x).backgroundColor);
      if (c.length == 3 || c[3] > 0.99) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) found.push(`${wide} pixels too wide`);
  for (const i of document.images) {
    if (!i.alt && seen(i)) found.push(`no text for ${i.src}`);
    if (i.complete && !i.naturalWidth) found.push(`broken picture ${i.src}`);
  }
  for (const e of all("button, a[href], input, select, textarea"))
    if (!((e.innerText || "").trim() || e.ariaLabel || e.title || e.labels?.length
          || e.querySelector("img[alt]")))
      found.push(`no name for ${e.outerHTML.slice(0, 80)}`);
  for (const e of all("p, a, li, td, th, h1, h2, h3, span, code, button, label, dt, figcaption")) {
    const own = [...e.childNodes].some((n) => n.nodeType == 3 && n.textContent.trim());
    if (!own || e.closest("mjx-container")) continue;
    const style = getComputedStyle(e), c = colour(style.color);
    const [a, b] = [light(c), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (c[3] !== 0 && ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5))
      found.push(`contrast ${ratio.toFixed(2)} of "${e.textContent.trim().slice(0, 30)}"`);
  }
  return [...new Set(found)];
}"""


def main() -> int:
    pages = sys.argv[1:] or PAGES
    problems = 0
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for theme in ("light", "dark"):
            view = browser.new_context(viewport={"width": WIDTH, "height": 812}, color_scheme=theme)
            for name in pages:
                page = view.new_page()
                page.goto((SITE / name).as_uri())
                page.wait_for_timeout(1000)
                found = page.evaluate(FIND)
                print(f"{theme:5} {name}: {'; '.join(found[:5]) or 'fine'}", flush=True)
                problems += len(found)
                page.close()
        browser.close()
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
