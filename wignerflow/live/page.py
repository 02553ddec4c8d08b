"""The page: everything it needs in one HTML file that opens from disk and from any host."""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check, files
from .._version import __version__
from ..derived import Derived
from ..kernels.wasm import WasmModule
from ..model.latex import latex_lines
from ..model.model import Model
from ..model.serialize import ops_to_dicts
from ..result import Result
from ..solving import resolve_method, trajectories_of
from ..solving.provenance import read_call, write_call
from .automatic import automatic
from .kernel import Maker, live_kernel, values
from .kernel import reference as curves_behind
from .sliders import Interpolant, Point, Rough, Slider, interpolate

HERE = Path(__file__).parent
REFERENCES = ("auto", "exact", "cumulant")
SECONDS = 60.0
#: Means that a page shows, times times observables; and bytes of a kernel's tables in it.
MEANS, TABLES = 100_000, 20_000_000


def live_page(
    model_of: Maker,
    tlist: Any,
    sliders: Mapping[str, Any] | Sequence[Slider],
    *,
    method: Any = "twa",
    dt: float | None = None,
    title: str = "",
    text: str = "",
    reference: str | None = "auto",
    ntraj: int = 200_000,
    seed: int = 7,
) -> str:
    """The text of a live page: a model's trajectories run in the browser of whoever opens it.

    Args:
        model_of: takes the sliders' values by name and returns (model, e_ops); operators and array
            operators only, as derived observables are left out.
        tlist: times (T,), the same at every position.
        sliders: by name, (low, high) or (low, high, first value); integers move by integers, and
            ends that differ by more than a factor of 20 give a logarithmic slider.
        method: one with stochastic trajectories.
        dt: largest step; None takes the shortest of those chosen at the corners.
        title, text: heading, and a paragraph below it.
        reference: curves behind: "exact", "cumulant", "auto" (exact where it is cheap, else
            cumulants; where a minute is not enough for every position, at the first alone), or
            None.
        ntraj: trajectories at which the page stops for a position.
        seed: of the page's random numbers, the same at every position.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement, the method has no
            stochastic trajectories or cannot treat the model, or positions differ in more than
            numbers (a rate of zero takes a part of the model away).
    """
    times = _check.tlist(tlist)
    if reference is not None:
        _check.one_of("reference", reference, REFERENCES)
    trajectories_of(ntraj, 2)
    if isinstance(sliders, Mapping):
        sliders = [Slider.of(name, entry) for name, entry in sliders.items()]
    home = {s.name: s.value for s in sliders}
    made = model_of(**values(sliders, home))
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], Model)):
        _check.fail("model_of", "return (wf.Model, e_ops)", made, kind=TypeError)
    model, e_ops = made
    names = [n for n, op in e_ops.items() if not isinstance(op, Derived)]
    if not names:
        must = "hold an operator (the page makes no derived observables)"
        _check.fail("e_ops", must, list(e_ops))
    if times.size * len(names) > MEANS:
        was = _check.Note(f"{times.size} of {len(names)} observables")
        _check.fail("tlist", f"hold at most {MEANS // len(names)} times for a live page", was)
    try:
        kernel = live_kernel(model_of, sliders, times, method, names, dt)
    except Rough as error:
        hint = (
            "At zero a rate takes a part of the model away, and roots are steep: begin ranges "
            "above zero, or narrow them."
        )
        must = "change the numbers of the model smoothly, and nothing else"
        _check.fail("sliders", must, _check.Note(str(error)), hint)
    if len(kernel.module.tables) > TABLES:
        was = _check.Note(f"one of {len(kernel.module.tables) / 1e6:.0f} MB")
        _check.fail("model", f"have tables of at most {TABLES / 1e6:.0f} MB for a live page", was)
    seconds = SECONDS if reference == "auto" else math.inf
    behind = curves_behind(model_of, sliders, times, names, reference, seconds)
    plain = _file(model, {n: e_ops[n] for n in names}, times, method)
    data = {
        "title": title or "A live simulation",
        "left_out": [n for n in e_ops if n not in names],
        "method": name_of(method),
        "version": __version__,
        "seed": seed,
        "ntraj": ntraj,
        "sliders": [vars(s) for s in sliders],
        "module": _base64(kernel.module),
        "tables": {
            "base": _base64(kernel.module.tables),
            "places": kernel.places.tolist(),
            "kind": kernel.kind,
            "moving": _plain(kernel.moving),
        },
        "reference": None
        if behind is None
        else {
            "method": behind.method,
            "everywhere": behind.everywhere,
            "curves": _plain(behind.curves),
        },
        "file": plain,
        "leaves": _leaves(model_of, sliders, names, times, method, plain),
        "citation": f"Computed in the browser by wignerflow {__version__} ({name_of(method)}).",
    }
    return _text(data, model, text)


def result_page(
    result: Result,
    path: str | os.PathLike[str],
    model_of: Maker | None,
    sliders: Mapping[str, Any] | None,
    **options: Any,
) -> None:
    """See ``Result.to_html``; ``options`` are those of ``live_page``."""
    out = check_page("path", path)
    what = result.provenance
    repeatable = what.get("repeatable", "it does not say what it was run on")
    if repeatable is not True or result.model is None:
        _check.fail("result", "hold all that it was run on", f"one that does not: {repeatable}")
    call = {"model": result.model, "e_ops": what["e_ops"], "method": what["engine"]}
    engine = read_call(call)[2]
    if model_of is None:
        model_of, chosen = automatic(call, sliders)
    elif sliders is None:
        _check.fail("sliders", "name the arguments of `model_of`", sliders, kind=TypeError)
    else:
        chosen = [Slider.of(name, entry) for name, entry in sliders.items()]
    dt = result.dt if not chosen else None
    write_page(out, live_page(model_of, result.times, chosen, method=engine, dt=dt, **options))


def file_page(
    model: Model,
    tlist: NDArray[np.float64],
    e_ops: Mapping[str, Any],
    method: Any,
    sliders: Mapping[str, Any] | None,
    **options: Any,
) -> str:
    """The text of a live page with sliders for numbers of a model, named as in ``to_html``."""
    engine = resolve_method(method)
    model_of, chosen = automatic(write_call(model, e_ops, engine, tlist), sliders)
    return live_page(model_of, tlist, chosen, method=engine, **options)


def _text(data: dict[str, Any], model: Model, text: str) -> str:
    """The page around its data."""
    host = WasmModule().javascript.replace("export class", "class")
    parts = {
        "TITLE": html.escape(data["title"]),
        "TEXT": html.escape(text),
        "STYLE": (HERE / "page.css").read_text(encoding="utf-8"),
        "EQUATIONS": "\n".join(map(_equation, latex_lines(model))),
        "CITATION": html.escape(data["citation"]),
        # without "<" nothing in the data ends or opens anything in the page
        "DATA": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
        "HOST": host,
        "WORKER": (HERE / "worker.js").read_text(encoding="utf-8"),
        "PAGE": (HERE / "page.js").read_text(encoding="utf-8"),
    }
    page = (HERE / "page.html").read_text(encoding="utf-8")
    # in one go: what is put in is not looked through
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda found: parts[found[1]], page)


def check_page(argument: str, path: str | os.PathLike[str]) -> Path:
    """Where a page can be written.

    Raises:
        ValueError, TypeError: it is no path, ends as no page does, or lies in no folder.
    """
    if not isinstance(path, (str, os.PathLike)):
        _check.fail(argument, "be the path of a file", path, kind=TypeError)
    out = Path(os.fsdecode(path))
    if out.suffix.lower() not in (".html", ".htm"):
        _check.fail(argument, "end in '.html'", str(out))
    if not out.parent.is_dir():
        _check.fail(argument, "lie in a folder that exists", str(out))
    return out


def write_page(path: Path, page: str) -> None:
    """Write a page, whole or not at all."""
    with files.replacing(path) as draft:
        draft.write_text(page, encoding="utf-8")


def _equation(line: str) -> str:
    """One formula as a picture, with its LaTeX as alternative text."""
    import matplotlib as mpl
    from matplotlib import mathtext

    file = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "path", "mathtext.fontset": "cm", "svg.hashsalt": "0"}):
        mathtext.math_to_image(f"${line}$", file, dpi=72, format="svg")
    picture = base64.b64encode(file.getvalue()).decode()
    return f'<p><img alt="{html.escape(line)}" src="data:image/svg+xml;base64,{picture}"></p>'


def _plain(array: Interpolant) -> dict[str, Any]:
    return {
        "nodes": [n.tolist() for n in array.nodes],
        "size": array.values.shape[-1],
        "values": _base64(np.ascontiguousarray(array.values, "<f8").tobytes()),
        "error": array.error,
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def name_of(method: Any) -> str:
    """The name of a method, or of its name."""
    return str(method) if isinstance(method, str) else str(method.name)


def _file(
    model: Model, e_ops: Mapping[str, Any], times: NDArray[np.float64], method: Any
) -> dict[str, Any]:
    """The model file of a page."""
    entries = {}
    for name, form in zip(e_ops, ops_to_dicts(model, list(e_ops.values()), times), strict=True):
        entries[name] = form["op"] if form["type"] == "single" else {"each": form["op"]}
    run = {"tlist": times.tolist(), "method": name_of(method)}
    return {**model.to_dict(times), "e_ops": entries, "run": run}


def _leaves(
    model_of: Maker,
    sliders: Sequence[Slider],
    names: Sequence[str],
    times: NDArray[np.float64],
    method: Any,
    home: Any,
) -> dict[str, Any] | None:
    """The numbers of the model file that move with the sliders, and their places in it."""
    places = list(_numbers(home))

    def numbers(point: Point) -> NDArray[np.float64]:
        model, e_ops = model_of(**values(sliders, point))
        plain = _file(model, {n: e_ops[n] for n in names}, times, method)
        found = dict(_numbers(plain))
        if list(found) != [p for p, _ in places]:
            raise Rough("the model file has another form")
        return np.array(list(found.values()), float)

    try:
        moving = interpolate(sliders, numbers, 1e-9)
    except Rough:
        return None
    flat = moving.values.reshape(-1, len(places))
    moves = np.nonzero(np.ptp(flat, axis=0) > 0)[0]
    moving.values = moving.values[..., moves]
    return {
        "places": [list(places[k][0]) for k in moves],
        "whole": [isinstance(places[k][1], int) for k in moves],
        "moving": _plain(moving),
    }


def _numbers(data: Any, at: tuple[Any, ...] = ()) -> Any:
    """(place, number) of every number in plain data."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _numbers(value, (*at, key))
    elif isinstance(data, list):
        for k, value in enumerate(data):
            yield from _numbers(value, (*at, k))
    elif isinstance(data, (int, float)) and not isinstance(data, bool):
        yield at, data
