"""The page of the atlas: a table of figures per method, a picture each, and every model."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..result import aligned
from .table import Figures, Row, figures

FLOOR = 1e-6  # of the scale, below which errors are drawn at the edge

INTRODUCTION = """# Atlas: how far each method is off, and whether it says so

Made by `wignerflow atlas`. Every model here is small enough for an exact solution, which is the
judge. Each is solved by every method that accepts it; its true error |method - exact| stands beside
the error that the result itself states,

    stated = 2 sem + step_error + truncation.

`wf.solve` takes the truncation from the exact solution of the model itself where that is quick,
which it is for nearly all of these, so that it covers the true error by construction. Here it is
estimated without, as it is for a large model: from smaller ones (which the smallest here do not
have), or from cumulants of higher order, in the time that `wf.solve` takes for it, so that a slow
or busy machine has fewer estimates. Families marked (held out) played no part in choosing any of
that. Grey points have no estimate of the truncation.
Find the neighbour of your own model.
"""

TRIED = """## For developers: what was tried and not kept

On 47 models of emitters and modes from here, 4096 trajectories, 160 times each, with true errors of
the truncated Wigner approximation above 5 % of the scale (290 to 1,700 entries):

| estimate from the same model | covered, with 2 sem | estimate / true | flagged of > 5 % |
| --- | --- | --- | --- |
| residual of the generator: O(t) - O(0) less the integral of L^+ O over time | 78 % | 0.22 | 27 % |
| two samplings of the start: fixed length and Gaussian | 66 % | < 0.01 | 32 % |
| two forms: Bloch vectors and rotor | 76 % | 0.15 | 34 % |

The residual does not see errors that its own symbols share: without jumps it is zero in first
moments (two excited emitters in a cavity: stated 0, true 0.32), and what it feeds grows or decays
by a response that it does not hold. Two samplings share all of the dynamics, two forms most of it.
Exact solutions of smaller models see all of these at less cost, without a second kernel.
"""


def by_method(found: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by method, in order."""
    out: dict[str, list[Row]] = {}
    for row in found:
        out.setdefault(row.method, []).append(row)
    return out


def _share(pair: tuple[float, int]) -> str:
    return "-" if not pair[1] else f"{pair[0]:.0%} of {pair[1]}"


def _cells(name: str, f: Figures) -> list[str]:
    spread = f"{f.ratio:.2g} ({f.ratios[0]:.2g} to {f.ratios[1]:.2g})"
    return [
        name, str(f.entries), f"{f.unknown:.0%}", f"{f.covered:.1%}",
        "-" if np.isnan(f.ratio) else spread,
        _share(f.clear), _share(f.above), _share(f.false),
    ]  # fmt: skip


HEAD = [
    "method", "entries", "others, without estimate", "true within stated",
    "stated / true truncation, median (10 to 90 %)",
    "flagged of > 10 %", "flagged of > 5 %", "flagged of < 1 %",
]  # fmt: skip


def summary(found: Iterable[Row]) -> list[list[str]]:
    """Cells: the head, and one line per method: all, and families that were held out."""
    lines = [HEAD]
    for method, some in by_method(found).items():
        lines.append(_cells(method, figures(some)))
        held = [r for r in some if r.entry.family.held]
        if held:
            lines.append(_cells(f"{method}, held out", figures(held)))
    return lines


def unseen(found: Iterable[Row]) -> Iterator[str]:
    """A table for every file of families that were held out, under what it says of itself."""
    files: dict[str, list[Row]] = {}
    for row in found:
        if row.entry.family.held:
            files.setdefault(row.entry.family.make.__module__, []).append(row)
    for module, some in files.items():
        doc = (sys.modules[module].__doc__ or "").strip().splitlines()[0]
        lines = [HEAD, *(_cells(m, figures(own)) for m, own in by_method(some).items())]
        yield f"{doc}\n\n{markdown(lines)}\n"


def text(lines: list[list[str]]) -> str:
    """Cells as columns."""
    return "\n".join(aligned(lines))


def markdown(lines: list[list[str]]) -> str:
    """Cells as a table."""
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join("| " + " | ".join(r) + " |" for r in rows)


def _percent(value: float) -> str:
    return "< 0.1" if value < 1e-3 else f"{100 * value:.2g}"


def models(found: Iterable[Row]) -> str:
    """Every model: for every method the worst observable, its true and its stated error in %."""
    rows: dict[str, dict[str, list[Row]]] = {}
    methods: list[str] = []
    for row in found:
        rows.setdefault(row.entry.name, {}).setdefault(row.method, []).append(row)
        if row.method not in methods:
            methods.append(row.method)
    parts, family = [], ""
    for name, own in rows.items():
        entry = next(iter(own.values()))[0].entry
        if entry.family.name != family:
            family = entry.family.name
            doc = (entry.family.make.__doc__ or "").strip().splitlines()[0]
            held = " (held out)" if entry.family.held else ""
            parts += [f"\n### {family}{held}\n", f"{doc}\n"]
            parts += [f"| model | {' | '.join(methods)} |", "|---" * (len(methods) + 1) + "|"]
        cells = []
        for method in methods:
            some = [r for r in own.get(method, []) if r.scale > 0]
            if not some:
                cells.append("-")
                continue
            worst = max(some, key=lambda r: float((r.true / r.scale).max()))
            at = np.unravel_index(int(np.argmax(worst.true)), worst.true.shape)
            true, stated = worst.true[at] / worst.scale, worst.stated[at] / worst.scale
            flag = " !" if np.any(worst.flagged) else ""
            flag = " ?" if np.isnan(worst.truncation[at]) else flag
            cells.append(f"{worst.observable} {_percent(true)} / {_percent(stated)}{flag}")
        parts.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(parts)


def picture(method: str, found: Iterable[Row], path: Path) -> None:
    """True against stated error of every entry, in units of the observable's scale."""
    from matplotlib.figure import Figure

    some = [r for r in found if r.scale > 0]
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    ax: Any = figure.subplots()
    kinds = [np.ravel(np.where(np.isnan(r.truncation), 0, 1 + r.flagged)) for r in some]
    for kind, colour, label in (
        (0, "0.7", "no estimate"), (1, "C0", "not flagged"), (2, "C3", "flagged"),
    ):  # fmt: skip
        true = [np.ravel(r.true / r.scale)[k == kind] for r, k in zip(some, kinds, strict=True)]
        stated = [np.ravel(r.stated / r.scale)[k == kind] for r, k in zip(some, kinds, strict=True)]
        x, y = (np.maximum(np.concatenate(v), FLOOR) for v in (true, stated))
        ax.plot(x, y, ".", color=colour, ms=3, alpha=0.5, label=label)
    ax.plot([FLOOR, 10], [FLOOR, 10], "k-", lw=0.8)
    ax.axvline(0.05, color="0.6", lw=0.8, ls=":")
    ax.set(
        xscale="log", yscale="log", xlim=(FLOOR, 10), ylim=(FLOOR, 10),
        xlabel="true error / scale", ylabel="stated error / scale", title=method,
    )  # fmt: skip
    ax.legend(loc="lower right")
    figure.savefig(path, dpi=110)


def write(found: list[Row], folder: Path, images: str = "img") -> list[Path]:
    """``atlas.md`` and a picture per method in ``images``; what was written."""
    (folder / images).mkdir(parents=True, exist_ok=True)
    parts = [INTRODUCTION, markdown(summary(found)), "", *unseen(found)]
    files = []
    for method, some in by_method(found).items():
        file = folder / images / f"atlas-{method}.png"
        picture(method, some, file)
        files.append(file)
        parts.append(f"![{method}: true against stated error]({images}/{file.name})")
    parts += [
        "",
        TRIED,
        "## Every model",
        "",
        "The worst observable of every method: its largest true error / the error stated there, in "
        "% of its scale (the larger of max |O| and max - min); ! where a result warns, ? where it "
        "has no estimate of the truncation.",
        models(found),
        "",
    ]
    page = folder / "atlas.md"
    page.write_text("\n".join(parts), encoding="utf-8")
    return [page, *files]
