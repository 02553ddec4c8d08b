"""``wf.compare``: several methods on one model, over each other and in numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .._check import Times
from ..html import table
from ..method import AnyMethod
from ..model.model import Model
from ..observables import Observables
from ..result import Result, aligned, format_value
from ..result.accuracy import one_warning
from ..solving import METHODS, resolve_method, seed_of, solve, whole
from .budget import largest

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

#: Methods that are run unless others are named, as far as there are such.
DEFAULT = ("exact", "twa", "cumulant", "mean-field")
_ONE_RUN = ("start", "checkpoint", "every", "client")


@dataclass(frozen=True)
class Deviation:
    """The largest deviation of an observable from the reference over time (and members).

    Attributes:
        value: its size; of complex values the modulus. NaN if undefined (0/0) at all times.
        error: standard error of the difference there.
        time: where it is.
        scale: largest size of the reference.
    """

    value: float
    error: float
    time: float
    scale: float


class Comparison:
    """Results of several methods for one model.

    Attributes:
        results: by label of the method, in order; ``comparison["twa"]`` is short for one.
        refused: why each of the other methods gave none.
        reference: label of what the others are compared with: exact, else quantum jumps, else the
            first.
    """

    def __init__(self, results: Mapping[str, Result], refused: Mapping[str, str]):
        self.results, self.refused = dict(results), dict(refused)
        kinds = {label: result.method for label, result in self.results.items()}
        best = [k for kind in ("exact", "jumps") for k, m in kinds.items() if m == kind]
        self.reference = best[0] if best else next(iter(self.results))

    def __getitem__(self, label: str) -> Result:
        if label in self.refused:
            raise KeyError(f"{label} gave no result: {self.refused[label]}")
        return self.results[_check.one_of("label", label, self.results)]

    def deviations(self) -> dict[str, dict[str, Deviation]]:
        """By observable and method, the largest deviation from the reference."""
        exact = self.results[self.reference]
        out: dict[str, dict[str, Deviation]] = {}
        for name, want in exact.expect.items():
            row = out[name] = {}
            for label, result in self.results.items():
                if label == self.reference:
                    continue
                gap = np.abs(result.expect[name] - want)
                gap = np.where(np.isfinite(gap), gap, -1.0)  # undefined, as 0/0, in both or one
                at = np.unravel_index(int(np.argmax(gap)), gap.shape)
                own, other = (abs(complex(r.sem[name][at])) for r in (result, exact))
                row[label] = Deviation(
                    float(gap[at]) if gap[at] >= 0 else float("nan"),
                    float(np.hypot(own, other)),
                    float(exact.times[at[0]]),
                    largest(want),
                )
        return out

    def __repr__(self) -> str:
        lines = [*aligned(self._rows()), *self._without()]
        return "\n".join([self._title(), *("  " + line for line in lines)])

    def _repr_html_(self) -> str:
        head, *rows = self._rows()
        return table(self._title(), head, rows, self._without())

    def _title(self) -> str:
        return f"Comparison with {self.reference}, largest deviation over t"

    def _without(self) -> list[str]:
        return [f"{label}: none, {reason}" for label, reason in self.refused.items()]

    def _rows(self) -> list[tuple[str, str, str, str, str]]:
        exact = self.results[self.reference]
        rows = [("observable", "method", "deviation", "at t", "of largest")]
        for name, row in self.deviations().items():
            if not row:
                size = f"{largest(exact.expect[name]):.4g}"
                rows.append((name, self.reference, "-", "", size))
            for k, (label, d) in enumerate(row.items()):
                value = format_value(d.value, d.error) if d.error else f"{d.value:.2g}"
                share = f"{float(f'{100 * d.value / d.scale:.2g}'):g} %" if d.scale > 0 else "-"
                if np.isnan(d.value):
                    value, share = "undefined", "-"
                rows.append((name if k == 0 else "", label, value, f"{d.time:.4g}", share))
        return rows

    def plot(self, names: Iterable[str] | None = None, **options: Any) -> Axes | NDArray[Any]:
        """All methods over each other, deviations below; exact, or the reference, dashed black.

        Args:
            names: observables with one value per time; None takes all.
            options: ``xscale`` and ``xlabel``, and what Matplotlib's ``plot`` takes.

        Returns:
            An array of axes, a column per observable (one axes where there is one panel).
        """
        from ..plot import compare_plot

        return compare_plot(self.results, self.reference, names, **options)

    def to_xarray(self) -> xarray.Dataset:
        """Every observable as ``name``, with ``name_sem``, ``name_step_error`` and
        ``name_truncation``, with a dimension ``method``.

        xarray's ``sel`` has an option of that name, so select by ``sel({"method": "twa"})``.
        """
        import xarray

        data = xarray.concat(
            [result.to_xarray() for result in self.results.values()],
            xarray.Variable("method", list(self.results)),
            coords="minimal", compat="override", join="override", combine_attrs="override",
        )  # fmt: skip
        refused = "\n".join(f"{k}: {v}" for k, v in self.refused.items())
        data.attrs = {"reference": self.reference, "refused": refused}
        return data.drop_vars([f"{name}_std" for name in self.results[self.reference].expect])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_xarray` as netCDF; complex values as ``name_real`` and ``name_imag``."""
        data = self.to_xarray()
        for name in [str(n) for n in data.data_vars if np.iscomplexobj(data[n])]:
            base = name.removesuffix("_sem")
            ending = name[len(base) :]
            data[f"{base}_real{ending}"] = data[name].real
            data[f"{base}_imag{ending}"] = data[name].imag
            data = data.drop_vars(name)
        data.to_netcdf(path, engine="h5netcdf")


@_check.called("wf.compare(model, t, {'z': atoms.Jz})")
def compare(
    model: Model,
    tlist: Times,
    e_ops: Observables,
    *,
    methods: Iterable[AnyMethod] | None = None,
    seed: int | None = None,
    **options: Any,
) -> Comparison:
    """Run several methods on one model with the same call.

    Args:
        model: the master equation and its initial state.
        tlist: times, shape (T,).
        e_ops: as in :func:`wignerflow.solve`.
        methods: names or method objects; None takes exact, TWA, second-order cumulants and mean
            field. A method that refuses the model, or whose answer does not fit into memory, is
            listed with its reason.
        seed: of the random numbers, the same for every method.
        options: of :func:`wignerflow.solve`; methods without trajectories ignore ``ntraj``.

    Returns:
        A :class:`Comparison`: printed, a table of the largest deviations with their errors.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement, or no method gives a
            result: the first reason.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> atoms = wf.Ensemble(10)
        >>> model = wf.Model(jumps=[wf.Jump(atoms.Jm, 0.1)], initial={atoms: wf.up})
        >>> t = np.linspace(0, 5, 11)
        >>> found = wf.compare(model, t, e_ops={"z": atoms.Jz}, ntraj=256, seed=1, progress=False)
        >>> list(found.results)
        ['exact', 'twa', 'cumulant', 'mean-field']
    """
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    if isinstance(methods, (str, Mapping)):
        _check.fail("methods", "be a list of methods", methods, kind=TypeError)
    wanted = [m for m in DEFAULT if m in METHODS] if methods is None else list(methods)
    if not wanted:
        _check.fail("methods", "hold at least one method", methods)
    for name in options:
        if name in _ONE_RUN:
            _check.fail("options", f"not hold `{name}`, which belongs to one run", name)
    engines: dict[str, Any] = {}
    for method in wanted:
        engine = resolve_method(method) if method != "auto" else method
        label = method if isinstance(method, str) else repr(method)
        while label in engines:
            label += "'"
        engines[label] = engine
    number = seed_of(seed)
    results: dict[str, Result] = {}
    refused: dict[str, Exception] = {}
    with one_warning():
        for label, engine in engines.items():
            call = {"e_ops": e_ops, "method": engine, "seed": number, **options}
            try:
                results[label] = whole(solve(model, tlist, **call))
            except (ValueError, ImportError) as error:
                refused[label] = error
    if not results:
        raise next(iter(refused.values()))
    reasons = {k: " ".join(str(e).split()) for k, e in refused.items()}
    return Comparison(results, reasons)
