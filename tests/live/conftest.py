"""A browser for pages: Chromium by Playwright; tests that ask for it are skipped without either."""

import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

#: Labels that stand out of their picture.
OUTSIDE = """[...document.querySelectorAll("svg text")].filter((label) => {
  const own = label.getBoundingClientRect();
  const all = label.closest("svg").getBoundingClientRect();
  return own.left < all.left - 0.5 || own.right > all.right + 0.5;
}).map((label) => label.textContent)"""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium here")
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()
