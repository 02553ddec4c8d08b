"""What the site says of the package is read from the package: figures, and public names.

`catalogue` writes a gallery script for every published figure (from ``wignerflow list``, the stored
pictures and the measured numbers), and the pages of the API reference (from ``wignerflow.__all__``).
"""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import wignerflow
from wignerflow.figures import REGISTRY

DOCS = Path(__file__).resolve().parent.parent
ROOT = DOCS.parent

#: Sections of the API reference. A public name that no section lists fails the build.
SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    name: (text, tuple(names.split()))
    for name, (text, names) in json.loads((DOCS / "api.json").read_text(encoding="utf-8")).items()
}

FIGURE = '''r"""
{name}: {title}
{line}

Source: {source}.
{live}
.. image:: /{picture}
   :alt: {title}

Made by ``wignerflow reproduce {name}``, which writes the picture, ``{name}.nc`` with every curve and its standard
error, and a table of deviations from the exact solution.

{table}
"""
# sphinx_gallery_thumbnail_path = '{picture}'

from wignerflow.figures import REGISTRY

figure = REGISTRY["{name}"]
data = figure.make(quick=True)  # a smaller version that takes seconds; without it, as published
figure.draw(data)
'''


#: Pages that run in the browser; the site has them as ``live/NAME.html``.
LIVE = DOCS / "_live" / "live"


def _button(root: str, page: str) -> str:
    """A button that opens a live page, as reStructuredText; ``root`` leads to the site's."""
    link = f'<a class="sd-btn sd-btn-primary live-button" href="{root}live/{page}.html">live</a>'
    return f"\n.. raw:: html\n\n   <p>{link}</p>\n\n"


def _table(checks: list[dict[str, Any]]) -> str:
    if not checks:
        return "Its numbers are printed by the command; none is stored."
    rows = [".. list-table:: Measured", "   :header-rows: 1", "", "   * - number", "     - found"]
    rows += ["     - required"]
    for check in checks:
        error = f" ± {check['error']:.1g}" if check["error"] else ""
        state = {True: "met", False: "**not met**", None: "open"}[check["met"]]
        what = check["what"].replace("|", r"\|")
        rows.append(f"   * - {what}")
        rows.append(f"     - {check['value']:.3g}{error}")
        rows.append(f"     - {check['required']}: {state}")
    return "\n".join(rows)


def scripts_that_run() -> str:
    """A pattern of the gallery scripts that a build runs: all but those that say that it does not."""
    scripts = [p for d in ("tutorials", "examples") for p in sorted((ROOT / d).rglob("*.py"))]
    kept = [p.stem for p in scripts if "so this page does not run it" in p.read_text("utf-8")]
    return rf"(examples|tutorials|pages)[/\\](?!.*\b({'|'.join(kept)})\.py)"


def write_figures(folder: Path) -> None:
    """One gallery script per published figure that has a stored picture."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "GALLERY_HEADER.rst").write_text(
        "Published figures\n=================\n\nEvery figure of the papers behind the library, "
        "made by one command each.\n",
        encoding="utf-8",
    )
    measured = json.loads((ROOT / "benchmarks" / "figures.json").read_text(encoding="utf-8"))
    for name, figure in REGISTRY.items():
        picture = f"img/{name}.png"
        if not (DOCS / picture).exists():
            raise FileNotFoundError(f"docs/{picture}: make it with `wignerflow reproduce {name}`")
        title = f"{name}: {figure.title}".replace("|", r"\|")
        script = FIGURE.format(
            name=name,
            title=figure.title.replace("|", r"\|"),
            line="=" * len(title),
            source=figure.source,
            picture=picture,
            live=_button("../../", figure.live.removeprefix("live-")) if figure.live else "",
            table=_table(measured.get(name, {}).get("checks", [])),
        )
        (folder / f"{name.replace('-', '_')}.py").write_text(script, encoding="utf-8")


def write_api(folder: Path) -> None:
    """Pages of the API reference: one per section, each name on a page of its own."""
    listed = [name for _, names in SECTIONS.values() for name in names]
    public = set(wignerflow.__all__) - {"__version__"}
    missing, unknown = sorted(public - set(listed)), sorted(set(listed) - public)
    if missing or unknown:
        raise ValueError(f"docs/api.json lacks {missing} and lists unknown {unknown}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lines = [
        "# API reference",
        "",
        "Everything that `import wignerflow as wf` offers. ħ = 1; a rate",
    ]
    lines += ["`r` with jump `L` always means `r (L ρ L† − {L†L, ρ}/2)`.", ""]
    for section, (text, names) in SECTIONS.items():
        lines += [f"## {section}", "", text, "", "```{eval-rst}", ".. currentmodule:: wignerflow"]
        lines += [".. autosummary::", "   :toctree: names", ""]
        lines += [f"   {name}" for name in names]
        lines += ["```", ""]
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


#: True errors in percent up to which an entry of the table of methods counts as good, and as fair.
GOOD, FAIR = 1.0, 5.0
CELL = re.compile(r"^(?P<name>.+?) (?P<true>< 0\.1|[\d.e+]+) / (?P<stated>.+?)(?P<mark> [!?])?$")


def _judged(cell: str) -> str:
    """An entry of the atlas as one of the table of methods."""
    found = CELL.match(cell)
    if found is None:
        return '<td data-error="inf">–</td>'
    error = 0.1 if "<" in found["true"] else float(found["true"])
    kind = "good" if error <= GOOD else "fair" if error <= FAIR else "poor"
    text = f"{found['true']} %".replace("<", "&lt;")
    said = found["stated"].replace("<", "&lt;")
    said = f"; states {said} %" if said[-1].isdigit() else "; has no estimate"
    title = f"{found['name']}: off by {text}{said}"
    return f'<td class="{kind}" data-error="{error:g}" title="{title}">{text}</td>'


def write_methods_table(folder: Path) -> None:
    """The table of the page "Which method?": true errors of the atlas, model by model."""
    folder.mkdir(exist_ok=True)
    family, about, head, rows = "", "", [], []
    for line in (DOCS / "atlas.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            family, about, head = line[4:].removesuffix(" (held out)"), "", []
        elif family and line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
            if not head:
                head = cells[1:]
                continue
            entries = "".join(map(_judged, cells[1:]))
            what = html.escape(f"{family}: {about}")
            rows.append(
                f'<tr><th scope="row" title="{what}">{html.escape(cells[0])}</th>{entries}</tr>'
            )
        elif family and line and not line.startswith("|"):
            about = line
    if not rows:
        raise ValueError("docs/atlas.md holds no tables of models")
    columns = "".join(f'<th scope="col">{name}</th>' for name in head)
    (folder / "methods.html").write_text(
        f'<div class="which-table"><table id="which"><thead><tr><th scope="col">model</th>{columns}'
        f"</tr></thead><tbody>\n{chr(10).join(rows)}\n</tbody></table></div>\n",
        encoding="utf-8",
    )


def saved_pictures(block: Any, variables: Any, configuration: Any, **options: Any) -> str:
    """Scraper for sphinx-gallery: the PNG files that a script wrote, then its open figures."""
    from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper

    folder = Path(variables["src_file"]).parent
    names = variables["image_path_iterator"]
    moved = []
    for made in sorted(folder.glob("*.png"), key=lambda p: p.stat().st_mtime):
        target = Path(next(names))
        shutil.move(made, target)
        moved.append(str(target))
    for made in folder.glob("*.nc"):
        made.unlink()
    buttons = ""
    for made in folder.glob("*.html"):  # live pages
        shutil.move(made, LIVE / made.name)
        where = Path(variables["target_file"]).relative_to(configuration["src_dir"]).parent
        buttons += _button("../" * len(where.parts), made.stem)
    if moved:
        import matplotlib.pyplot as plt

        plt.close("all")
        return buttons + str(figure_rst(moved, configuration["src_dir"]))
    if ".savefig(" in Path(variables["src_file"]).read_text("utf-8"):  # of a later block
        return buttons
    return str(matplotlib_scraper(block, variables, configuration, **options))


def plain_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings write absolute values as |x| and indices as J_k: neither is markup."""
    indent = None
    for k, line in enumerate(lines):
        here = len(line) - len(line.lstrip())
        if indent is not None and line.strip() and here <= indent:
            indent = None
        if line.lstrip().startswith((".. math::", ">>> ")) or line.rstrip().endswith("::"):
            indent = here
        elif indent is None:
            parts = re.split(r"(:math:`[^`]*`|``[^`]*``|`[^`]*`)", line)
            parts[::2] = [
                re.sub(r"\\?\||(?<=\w)_(?!\w)", lambda m: "\\" + m[0][-1], p) for p in parts[::2]
            ]
            lines[k] = "".join(parts)


def thumbnail_texts(app: Any, name: str, source: list[str]) -> None:
    """Thumbnails of the gallery have the title of their page as alternative text."""
    pattern = r"(_thumb\.png\n +:alt:)(\n.*?thumbnail-title\">)([^<]+)<"
    source[0] = re.sub(pattern, r"\1 \3\2\3<", source[0], flags=re.S)


def setup(app: Any) -> dict[str, bool]:
    """Write generated sources before Sphinx looks for them."""
    LIVE.mkdir(parents=True, exist_ok=True)
    write_figures(DOCS / "_figures")
    write_api(DOCS / "api")
    write_methods_table(DOCS / "_which")
    app.connect("autodoc-process-docstring", plain_bars)
    app.connect("source-read", thumbnail_texts)
    return {"parallel_read_safe": True}
