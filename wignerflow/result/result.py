"""The class: what a result holds, and what can be done with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _check, store
from ..observables import Plan, assemble, assemble_exact, check_names
from ..run.statistics import Samples
from .file import PLAIN, csv, dataset, decode, encode, frame
from .pool import pooled
from .text import result_html, result_text
from .values import ByName, Values

if TYPE_CHECKING:
    import pandas
    import xarray


class Result(ByName):
    """Expectation values over time with standard errors.

    Attributes:
        times: (T,).
        expect: by name, (T,) or (T, V), complex where the operator is not Hermitian.
        sem: standard errors of the same shapes; zero for deterministic methods. Of a complex value,
            that of the real part + 1j * that of the imaginary part.
        std: spread of the symbol over trajectories, no quantum uncertainty; NaN for derived
            observables.
        step_error: estimates of the error that the length of the steps makes, of the same shapes:
            real, non-negative; zero for exact methods, NaN where ``dt`` was given or nothing is
            known.
        truncation: estimates of the method's own error |method - exact|, apart from sampling, of
            the same shapes: real, non-negative; zero for exact methods, NaN where nothing is known;
            ``stats["truncation"]`` says what they rest on.
        ntraj: trajectories; 0 for a deterministic method.
        seed: of the random numbers; a tuple for pooled results of several seeds, None without any.
        method: name of the method.
        dt: largest step, or None.
        stats: plain data on the run: "stopped_because", "wall_time" (seconds), "steps", "failed",
            "warnings" (a list) and diagnostics.
        plan: how the observables follow from base operators, or None.
        samples: streaming sums over trajectories, or None.
        trajectories: ((seed, first, stop), …), the trajectories that it holds.
        axes: by name of an observable with V values per time, what they are and where: ("member",
            coordinates (V,)).
        final: classical variables of every trajectory at the last time, (ntraj, variables), in the
            order of ``variables`` ("atoms.x", "chain[3].z", ...), if ``solve`` was told to keep
            them, else None; NaN where one failed. Saved with the rest; a merged result has none.
        variables: names of the columns of ``final``; empty without it.

    Raises:
        ValueError: times, names or shapes do not fit each other.
    """

    def __init__(
        self,
        times: Any,
        expect: Mapping[str, Any],
        sem: Mapping[str, Any],
        std: Mapping[str, Any],
        *,
        step_error: Mapping[str, Any] | None = None,
        truncation: Mapping[str, Any] | None = None,
        method: str,
        ntraj: int = 0,
        seed: int | tuple[int, ...] | None = None,
        dt: float | None = None,
        stats: Mapping[str, Any] | None = None,
        provenance: Mapping[str, Any] | Callable[[], Any] | None = None,
        model: Mapping[str, Any] | Callable[[], Any] | None = None,
        plan: Plan | None = None,
        samples: Samples | None = None,
        trajectories: Iterable[tuple[int, int, int]] | None = None,
        axes: Mapping[str, tuple[str, Any]] | None = None,
        final: Any = None,
        variables: Iterable[str] = (),
    ):
        self.times = _check.tlist(times)
        check_names(expect)
        self.expect, self.sem, self.std = Values(), Values(), Values()
        for name, raw in expect.items():
            value = np.asarray(raw)
            value = value.astype(complex if np.iscomplexobj(value) else float)
            for argument, source, target in (("sem", sem, self.sem), ("std", std, self.std)):
                if name not in source:
                    _check.fail(argument, f"hold the observable {name!r}", list(source))
                target[name] = np.asarray(source[name]).astype(value.dtype)
            self.expect[name] = value
            for argument in ("expect", "sem", "std"):
                shape = getattr(self, argument)[name].shape
                if shape != value.shape or len(shape) not in (1, 2) or shape[0] != len(self.times):
                    must = f"have shape ({len(self.times)},) or ({len(self.times)}, V)"
                    _check.fail(f"{argument}[{name!r}]", must, f"an array of shape {shape}")
        self.step_error = self._errors("step_error", step_error)
        self.truncation = self._errors("truncation", truncation)
        self.method = str(method)
        self.ntraj = _check.integer("ntraj", ntraj, 0)
        seeds = tuple(int(s) for s in np.atleast_1d(() if seed is None else seed))  # type: ignore[arg-type]
        self.seed = None if not seeds else seeds[0] if np.ndim(seed) == 0 else seeds  # type: ignore[arg-type]
        self.dt = None if dt is None else float(dt)
        self.stats: dict[str, Any] = plain(dict(stats or {}))
        self._provenance: Any = provenance if callable(provenance) else _plain(provenance or {})
        self._model: Any = model if callable(model) else _plain(model)
        self.plan, self.samples = plan, samples
        if plan is not None and plan.names != list(self.expect):
            _check.fail("plan", f"hold the observables {list(self.expect)}", plan.names)
        if samples is not None:
            wanted = (len(self.times), plan.channels if plan else samples.mean.shape[1])
            if samples.mean.shape != wanted or samples.ntraj != self.ntraj:
                must = f"hold {self.ntraj} trajectories at (times, channels) = {wanted}"
                _check.fail("samples", must, f"{samples.ntraj} at {samples.mean.shape}")
        if trajectories is None:
            one = isinstance(self.seed, int) and self.ntraj > 0
            trajectories = [(self.seed, 0, self.ntraj)] if one else []  # type: ignore[list-item]
        self.trajectories = tuple((int(s), int(a), int(b)) for s, a, b in trajectories)
        self.variables = tuple(str(v) for v in variables)
        self.final: NDArray[np.float64] | None = None
        if final is not None:
            self.final = np.asarray(final, float)
            if self.final.shape != (wanted := (self.ntraj, len(self.variables))):
                must = f"have shape (ntraj, variables) = {wanted}"
                _check.fail("final", must, f"an array of shape {self.final.shape}")
        if axes is None and plan is not None:
            axes = {o.name: o.axes[0] for o in plan.observables if o.axes}
        self.axes: dict[str, tuple[str, NDArray[np.float64]]] = {}
        for name, value in self.expect.items():
            if value.ndim == 2:
                size = value.shape[1]
                dim, where = (axes or {}).get(name, ("member", range(size)))
                coordinates = np.asarray(where, float)
                if coordinates.shape != (size,):
                    _check.fail(f"axes[{name!r}]", f"have {size} coordinates", where)
                self.axes[name] = (str(dim), coordinates)

    @property
    def provenance(self) -> dict[str, Any]:
        """Plain data that identify the run; given as a function, that is called when asked for."""
        if callable(self._provenance):
            self._provenance = _plain(self._provenance())
        made: dict[str, Any] = self._provenance
        return made

    @provenance.setter
    def provenance(self, value: Mapping[str, Any]) -> None:
        self._provenance = value

    @property
    def model(self) -> dict[str, Any] | None:
        """The canonical form of the model (``model.to_dict()``), or None; given likewise."""
        if callable(self._model):
            self._model = _plain(self._model())
        made: dict[str, Any] | None = self._model
        return made

    @model.setter
    def model(self, value: Mapping[str, Any] | None) -> None:
        self._model = value

    def __getstate__(self) -> dict[str, Any]:
        self.provenance, self.model  # noqa: B018 (functions do not travel)
        return self.__dict__

    def _errors(self, argument: str, errors: Mapping[str, Any] | None) -> Values:
        """Sizes of errors of every observable, NaN where they are not known."""
        out = Values()
        for name, value in self.expect.items():
            known = (errors or {}).get(name)
            own = np.full(value.shape, np.nan) if known is None else np.asarray(known, float)
            if own.shape != value.shape:
                must = f"have shape {value.shape}"
                _check.fail(f"{argument}[{name!r}]", must, f"an array of shape {own.shape}")
            out[name] = own
        return out

    @classmethod
    def from_samples(
        cls,
        times: Any,
        plan: Plan,
        samples: Samples,
        *,
        method: str,
        seed: int,
        first: int = 0,
        **keywords: Any,
    ) -> Result:
        """Result of a stochastic method.

        Args:
            times, plan, samples: output times, plan of the observables, sums over trajectories.
            method, seed: name of the method, seed of the random numbers.
            first: index of the first trajectory; the samples hold those from it to it + ntraj.
            keywords: step_error, dt, stats, provenance, model, final, variables.
                ``stats["failed"]`` is set from the samples.
        """
        keywords.setdefault("trajectories", [(seed, first, first + samples.ntraj)])
        keywords["stats"] = {"failed": samples.failed, **(keywords.get("stats") or {})}
        values = assemble(plan, samples)
        return cls(
            times,
            *values,
            method=method,
            seed=seed,
            ntraj=samples.ntraj,
            plan=plan,
            samples=samples,
            **keywords,
        )

    @classmethod
    def from_values(
        cls, times: Any, plan: Plan, values: Mapping[str, NDArray], *, method: str, **keywords: Any
    ) -> Result:
        """Result of a deterministic method from the expectation values of the base operators.

        Args:
            times, plan: output times, plan of the observables.
            values: by key of base operator, (T,) or (T, M).
            method: name of the method.
            keywords: step_error (zero if left out), dt, stats, provenance, model.
        """
        found = assemble_exact(plan, values)
        zero = {name: np.zeros(value.shape) for name, value in found[0].items()}
        keywords = {"step_error": zero, **keywords}
        return cls(times, *found, method=method, plan=plan, **keywords)

    @property
    def efficiency(self) -> dict[str, float]:
        """By name, how many plain trajectories each of these stands for: the number with which
        plain ones would have the same largest standard error, over ``ntraj``.

        One for plain trajectories, but for what averages over symmetries after the run save; with
        controls as their pilot saw it. Derived observables, of which that is not known, are left
        out.
        """
        parts = self.stats.get("parts", [self.stats])
        known = [part["efficiency"] for part in parts if "efficiency" in part]
        if known:
            return {str(n): min(float(k[n]) for k in known if n in k) for n in known[0]}
        if self.samples is None or not self.samples.nets:
            return dict.fromkeys(self.expect, 1.0)
        out = {}
        for name, error in self.sem.items():
            plain, own = np.abs(self.std[name]) ** 2 / self.ntraj, np.abs(error) ** 2
            if np.all(np.isfinite(plain)) and own.max(initial=0.0) > 0:
                out[name] = float((plain.max(axis=0) / own.max(axis=0)).min())
        return out

    # ------------------------------------------------------------ together

    def merge(self, other: Result) -> Result:
        """Pool with a result of other trajectories of the same simulation.

        Args:
            other: same model, times, observables, method and step; another seed, or other
                trajectories of the same seed.

        Raises:
            TypeError: ``other`` is no result.
            ValueError: the results differ in more than their trajectories, share trajectories, or
                hold no trajectories.
        """
        if not isinstance(other, Result):
            _check.fail("other", "be a Result", other, kind=TypeError)
        return Result(**pooled(self, other))

    if TYPE_CHECKING:  # results know no method and no plot: ``wignerflow.views`` gives them these

        def rerun(self, ntraj: int | None = None, **options: Any) -> Result: ...

        def to_html(self, path: Any, **options: Any) -> None: ...

        def plot(
            self, names: Iterable[str] | None = None, ax: Any = None, **options: Any
        ) -> Any: ...

    def digest(self) -> str:
        """SHA-256 of the numbers: times, means, errors, spreads and sums over trajectories.

        Equal digests mean equal bits. Run times and notes do not enter; names and order of the
        observables do.
        """
        out = hashlib.sha256(np.ascontiguousarray(self.times).tobytes())
        for name in self.expect:
            out.update(name.encode())
            for values in (self.expect, self.sem, self.std):
                out.update((values[name] + 0.0).tobytes())
        if self.samples is not None:
            out.update(self.samples.digest().encode())
        return out.hexdigest()

    # ------------------------------------------------------------ elsewhere

    def to_xarray(self, units: Mapping[str, str] | None = None) -> xarray.Dataset:
        """Everything as an ``xarray.Dataset``.

        Args:
            units: by name of an observable, or "time", such as ``{"time": "µs"}``: attributes
                ``units``, which xarray's plots show. The library itself has none (hbar = 1).

        Dimension ``time`` and, for observables with several values per time, ``member``,
        ``momentum`` or ``pair``. Each observable has ``name``, ``name_sem``, ``name_std`` and
        ``name_step_error``, ``name_truncation``.
        Attributes are numbers and strings; stats, provenance and model are JSON.

        Raises:
            UnknownObservable: ``units`` names none.
        """
        return dataset(self, units or {})

    def to_pandas(self) -> pandas.DataFrame:
        """Means and errors as a table over time, with columns as :meth:`to_xarray` names them.

        Observables with several values per time have a column for each, ``name[0]``, ``name[1]``.
        """
        return frame(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a netCDF file, whole or not at all; ``wf.load(path)`` gives the same result back.

        A name that ends in ".csv" makes a table of means and errors instead, for other programs.

        Complex observables are written as ``name_real`` and ``name_imag``. Any netCDF reader shows
        the observables; :func:`load` takes only unedited files.

        Raises:
            ValueError: the ending of the name is that of another format, such as ".json".
            OSError: the file cannot be written; the message names it. The result stays in memory,
                and what stood there before is untouched.
        """
        if _is_table(path):
            store.write(path, csv(self))
            return
        store.check_ending("path", path)
        store.write(path, self.encoded())

    def encoded(self, extra: Mapping[str, Any] | None = None) -> bytes:
        """The bytes that :meth:`save` writes; ``extra`` are more entries of the plain record."""
        record = {**(extra or {}), **{name: getattr(self, name) for name in PLAIN}}
        record["plan"] = self.plan.to_dict() if self.plan and self.plan.known else None
        return encode(self, plain(record))

    # ------------------------------------------------------------ on the screen

    def __repr__(self) -> str:
        return result_text(self)

    def _repr_html_(self) -> str:
        return result_html(self)


def _is_table(path: str | os.PathLike[str]) -> bool:
    """Whether a name stands for a CSV file."""
    return os.path.splitext(os.fspath(path))[1].lower() == ".csv"


def _plain(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else plain(dict(value))


def plain(value: Any) -> Any:
    """``value`` as None, bool, int, float, str, list and dict alone; anything else by its repr."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, complex):
        return {"real": value.real, "imag": value.imag}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        return [plain(v) for v in items]
    return repr(value)


def load(path: str | os.PathLike[str]) -> Result:
    """Read a result that :meth:`Result.save` wrote: the same numbers to the bit.

    A table that ends in ".csv" holds less than a result: other programs read it, such as pandas.

    The file is checked before any of it is used: checksum, types, shapes and names. Nothing in it
    is executed. A derived observable of the user's own class is read as plain numbers, and such a
    result cannot be merged.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not an undamaged result.
    """
    return load_record(path)[0]


def load_record(path: str | os.PathLike[str]) -> tuple[Result, dict[str, Any]]:
    """What :func:`load` gives, and the plain record of the file."""
    if _is_table(path):
        _check.fail(
            "path", "be that of a netCDF file", os.fspath(path),
            "A CSV file holds means and errors alone: `pandas.read_csv(path)` reads it.",
        )  # fmt: skip
    found = store.read(path)
    try:
        return Result(**decode(*found)), found[0]
    except Exception as error:
        raise store.refusal(path, error) from error
