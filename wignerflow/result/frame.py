"""Results as pandas tables, and as CSV files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import store

if TYPE_CHECKING:
    import pandas

    from .result import Result


def frame(result: Result) -> pandas.DataFrame:
    """See ``Result.to_pandas``."""
    import pandas

    columns: dict[str, Any] = {}
    for name, value in result.expect.items():
        places = [("", ...)] if value.ndim == 1 else _places(result, name)
        for label, at in places:
            for part, ending in store.PARTS.items():
                columns[name + label + ending] = getattr(result, part)[name][:, at].reshape(-1)
    data = pandas.DataFrame(columns, index=pandas.Index(result.times, name="time"))
    data.attrs = {"method": result.method, "ntraj": result.ntraj}
    return data


def _places(result: Result, name: str) -> list[tuple[str, Any]]:
    return [(f"[{where:.6g}]", k) for k, where in enumerate(result.axes[name][1])]


def csv(result: Result) -> bytes:
    """The table as CSV: times, and real and imaginary parts of complex columns."""
    data = frame(result)
    for name in [n for n in data.columns if np.iscomplexobj(data[n])]:
        values = data.pop(name).to_numpy()
        data[f"{name}_real"], data[f"{name}_imag"] = values.real, values.imag
    return data.to_csv().encode()
