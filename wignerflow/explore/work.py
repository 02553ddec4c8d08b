"""What the explorer's worker processes do with the text of a model file."""

from __future__ import annotations

import contextlib
import io
import json
import time
import warnings
from typing import Any

import numpy as np

from ..estimate import TooLong, within
from ..live import file_page, name_of
from ..runfile import parse, read_run
from ..solving import resolve_method, solve

#: Options of a model file that a run here takes; it writes no file and resumes none.
KEPT = ("ntraj", "seed", "dt", "precision", "target_sem", "truncation")
SECONDS = 120.0  # after which a run returns what is done

SCRIPT = '''"""Made by wignerflow explore: the model file below, run by one method."""

import json

import wignerflow as wf
from wignerflow.runfile import read_run

MODEL = json.loads({model!r})

job = read_run(MODEL)
result = wf.solve(job.model, job.tlist, e_ops=job.e_ops, method={method!r}, **job.options)
print(result)
result.save("explored.nc")
'''


def _job(text: str) -> Any:
    return read_run(parse(text.encode()))


def _solved(text: str, method: str) -> Any:
    job, engine = _job(text), resolve_method(method)
    options = {k: v for k, v in job.options.items() if k in KEPT}
    limit: Any = contextlib.nullcontext()
    if "timeout" in engine.uses:
        options["timeout"] = SECONDS
    else:
        limit = within(time.process_time() + SECONDS, True)
    try:
        with limit, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # they stand in the result
            return solve(
                job.model, job.tlist, e_ops=job.e_ops, method=engine, progress=False,
                **options,
            )  # fmt: skip
    except TooLong:
        raise TimeoutError(
            f"Method {method!r} takes more than {SECONDS:g} s for this model: run it with "
            "`wignerflow run`."
        ) from None


def check(text: str) -> dict[str, Any]:
    """What the file says: the model, and the method that it names."""
    job = _job(text)
    return {"model": repr(job.model), "latex": job.model.latex(), "method": name_of(job.method)}


def run(text: str, method: str) -> dict[str, Any]:
    """Means and errors over time, real parts, of every observable with one value per time."""
    result = _solved(text, method)
    curves = {}
    for name, value in result.expect.items():
        if value.ndim == 1:
            parts = (value, result.sem[name], result.truncation[name])
            curves[name] = [[_number(x) for x in np.real(p)] for p in parts]
    left = [n for n, v in result.expect.items() if v.ndim > 1]
    notes = [*result.stats.get("notes", ()), *result.stats.get("warnings", ())]
    if left:
        notes.append(f"not drawn, several values at every time: {', '.join(left)}")
    return {"times": result.times.tolist(), "curves": curves, "notes": notes,
            "ntraj": result.ntraj, "seconds": result.stats.get("wall_time", 0.0)}  # fmt: skip


def _number(x: Any) -> float | None:
    return float(x) if np.isfinite(x) else None  # JSON has no NaN


def live(text: str) -> str:
    """A live page of the file."""
    job = _job(text)
    method, dt = name_of(job.method), job.options.get("dt")
    return file_page(job.model, job.tlist, job.e_ops, method, None, title="Live", dt=dt)


def export(text: str, method: str, kind: str) -> bytes:
    """A file to download: netCDF, picture or script."""
    if kind == "py":
        plain = parse(text.encode())
        read_run(plain)  # which names what is wrong
        return SCRIPT.format(model=json.dumps(plain), method=method).encode()
    result = _solved(text, method)
    if kind == "nc":
        return bytes(result.encoded())
    import matplotlib

    matplotlib.use("Agg")
    file = io.BytesIO()
    np.ravel(result.plot())[0].figure.savefig(file, format="png", dpi=150)
    return file.getvalue()
