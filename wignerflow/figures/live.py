"""Live pages of the gallery: one script each in ``pages``, which writes NAME.html and NAME.png.

They are scripts, not modules: the site shows them as they stand, as scripts and notebooks.
"""

from __future__ import annotations

import ast
import contextlib
import runpy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_FOLDER = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class LivePage:
    """A model that runs in the browser, with sliders.

    Attributes:
        name: "live-" and the name of its files.
        script: the script that writes them into the folder where it runs.
    """

    name: str
    script: Path

    @cached_property
    def title(self) -> str:
        """What it shows, one line."""
        return (ast.get_docstring(ast.parse(self.script.read_text("utf-8"))) or "").splitlines()[0]

    def write(self, folder: Path) -> list[Path]:
        """Run the script in the folder, without a window; the files it wrote."""
        from matplotlib import pyplot as plt

        with contextlib.chdir(folder):
            runpy.run_path(str(self.script), run_name="__main__")
        plt.close("all")
        return [folder / f"{self.script.stem}.{ending}" for ending in ("html", "png")]


#: Every live page by name; to add one, add a script.
PAGES: dict[str, LivePage] = {
    f"live-{path.stem}": LivePage(f"live-{path.stem}", path)
    for path in sorted(_FOLDER.glob("*.py"))
}
