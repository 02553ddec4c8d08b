"""Result: labelled averages with their errors, and all that is needed to trust or continue them."""

from __future__ import annotations

import difflib
import hashlib
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import _check, store
from .observables import Plan, assemble, assemble_exact, check_names
from .run.statistics import Samples

if TYPE_CHECKING:
    import xarray


#: What higher layers add: "rerun".
_HOOKS: dict[str, Any] = {}

#: Attributes of a result that are plain data.
_PLAIN = ("method", "ntraj", "seed", "dt", "stats", "provenance", "model", "trajectories")


class UnknownObservable(KeyError, ValueError):
    """A result has no observable of this name."""

    def __str__(self) -> str:
        return str(self.args[0])


class Values(dict[str, NDArray]):
    """Arrays by name of observable; a missing name raises with the nearest one."""

    def __missing__(self, name: Any) -> NDArray:
        near = difflib.get_close_matches(str(name), self, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        known = ", ".join(map(repr, self))
        raise UnknownObservable(f"This result has no observable {name!r}; it has {known}.{hint}")


def _decimals(error: float) -> int:
    """Decimals that show an error to one digit, or two if the first is 1."""
    two = f"{error:.1e}"
    text, more = (two, 1) if two[0] == "1" else (f"{error:.0e}", 0)
    return more - int(text.partition("e")[2])


def _real(mean: float, sem: float) -> str:
    if sem == 0 or not math.isfinite(sem) or not math.isfinite(mean):
        return f"{mean:.6g} ± {sem:.6g}"
    size = max(abs(mean), sem)
    power = math.floor(math.log10(size))
    if not -4 <= power < 6:
        scale = 10.0**power
        return f"({_fixed(mean / scale, sem / scale)})e{power:+03d}"
    return _fixed(mean, sem)


def _fixed(mean: float, sem: float) -> str:
    decimals = _decimals(sem)
    text = [f"{round(v, decimals):.{max(decimals, 0)}f}" for v in (mean, sem)]
    if float(text[0]) == 0:
        text[0] = text[0].lstrip("-")
    return " ± ".join(text)


def format_value(mean: Any, sem: Any) -> str:
    """A mean with its standard error, to the digits that mean something.

    The error is shown to one digit, or two if the first is 1; the mean to the same decimals.

    Args:
        mean: real or complex number.
        sem: its standard error; for a complex mean that of its real part + 1j * imaginary part.

    Example:
        >>> format_value(0.41237, 0.00312)
        '0.412 ± 0.003'
        >>> format_value(1 - 0.2j, 0.02 + 0.011j)
        '(1.00 ± 0.02) + (-0.200 ± 0.011)i'
    """
    mean, sem = complex(mean), complex(sem)
    if mean.imag == 0 and sem.imag == 0:
        return _real(mean.real, sem.real)
    return f"({_real(mean.real, sem.real)}) + ({_real(mean.imag, sem.imag)})i"


class Result:
    """Expectation values over time with standard errors.

    Attributes:
        times: (T,).
        expect: by name, (T,) or (T, V), complex where the operator is not Hermitian.
        sem: standard errors of the same shapes; zero for deterministic methods. Of a complex value,
            that of the real part + 1j * that of the imaginary part.
        std: spread of the symbol over trajectories, no quantum uncertainty; NaN for derived
            observables.
        ntraj: trajectories; 0 for a deterministic method.
        seed: of the random numbers; a tuple for pooled results of several seeds, None without any.
        method: name of the method.
        dt: largest step, or None.
        stats: plain data on the run: "stopped_because", "wall_time" (seconds), "steps", "failed",
            "warnings" (a list) and diagnostics.
        provenance: plain data that identify the run.
        model: the canonical form of the model (``model.to_dict()``), or None.
        plan: how the observables follow from base operators, or None.
        samples: streaming sums over trajectories, or None.
        trajectories: ((seed, first, stop), …), the trajectories that it holds.
        axes: by name of an observable with V values per time, what they are and where: ("member",
            coordinates (V,)).
        final: classical variables of every trajectory at the last time, (ntraj, variables), in the
            order of ``variables`` ("atoms.x", "chain[3].z", ...), if ``solve`` was told to keep
            them; not saved.
        variables: names of the columns of ``final``.

    Raises:
        ValueError: times, names or shapes do not fit each other.
    """

    final: NDArray[np.float64] | None = None
    variables: tuple[str, ...] = ()

    def __init__(
        self,
        times: Any,
        expect: Mapping[str, Any],
        sem: Mapping[str, Any],
        std: Mapping[str, Any],
        *,
        method: str,
        ntraj: int = 0,
        seed: int | tuple[int, ...] | None = None,
        dt: float | None = None,
        stats: Mapping[str, Any] | None = None,
        provenance: Mapping[str, Any] | None = None,
        model: Mapping[str, Any] | None = None,
        plan: Plan | None = None,
        samples: Samples | None = None,
        trajectories: Iterable[tuple[int, int, int]] | None = None,
        axes: Mapping[str, tuple[str, Any]] | None = None,
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
        self.method = str(method)
        self.ntraj = _check.integer("ntraj", ntraj, 0)
        seeds = tuple(int(s) for s in np.atleast_1d(() if seed is None else seed))  # type: ignore[arg-type]
        self.seed = None if not seeds else seeds[0] if np.ndim(seed) == 0 else seeds  # type: ignore[arg-type]
        self.dt = None if dt is None else float(dt)
        self.stats: dict[str, Any] = store.plain(dict(stats or {}))
        self.provenance: dict[str, Any] = store.plain(dict(provenance or {}))
        self.model: dict[str, Any] | None = None if model is None else store.plain(dict(model))
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
            keywords: dt, stats, provenance, model. ``stats["failed"]`` is set from the samples.
        """
        keywords.setdefault("trajectories", [(seed, first, first + samples.ntraj)])
        keywords["stats"] = {"failed": samples.failed, **(keywords.get("stats") or {})}
        values = assemble(plan, samples, plan.slots())
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
            keywords: dt, stats, provenance, model.
        """
        return cls(times, *assemble_exact(plan, values), method=method, plan=plan, **keywords)

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
        hint = "Only results of one simulation can be pooled."
        for result in (self, other):
            if result.samples is None or result.plan is None or not result.trajectories:
                _check.fail(
                    "other", "hold sampled trajectories, as this result must", result.method, hint
                )
        assert self.samples is not None and other.samples is not None
        assert self.plan is not None and other.plan is not None
        for what in ("method", "dt", "model"):
            mine, theirs = getattr(self, what), getattr(other, what)
            if mine != theirs:
                shown = "another one" if what == "model" else theirs
                wanted = "" if what == "model" else f" {mine!r}"
                _check.fail("other", f"have the same {what}{wanted}", shown, hint)
        if not np.array_equal(self.times, other.times):
            _check.fail("other", "have the same times", other.times, hint)
        if self.plan.to_dict() != other.plan.to_dict():
            _check.fail(
                "other", f"have the same observables {self.plan.names}", other.plan.names, hint
            )
        for seed, first, stop in self.trajectories:
            for seed2, first2, stop2 in other.trajectories:
                if seed == seed2 and max(first, first2) < min(stop, stop2):
                    both = f"{max(first, first2)} to {min(stop, stop2) - 1} of seed {seed}"
                    must = "hold other trajectories than this result"
                    _check.fail(
                        "other", must, f"one that shares trajectories {both}", "Use another seed."
                    )
        samples = self.samples.merge(other.samples)
        trajectories = _joined(self.trajectories + other.trajectories)
        seeds = tuple(dict.fromkeys(s for s, _, _ in trajectories))
        parts = [*self.stats.get("parts", [self.stats]), *other.stats.get("parts", [other.stats])]
        stats: dict[str, Any] = {"stopped_because": "merged", "failed": samples.failed}
        if all("wall_time" in p for p in parts):
            stats["wall_time"] = sum(p["wall_time"] for p in parts)
        stats["warnings"] = list(dict.fromkeys(w for p in parts for w in p.get("warnings", ())))
        stats["parts"] = parts
        runs = [r for p in (self, other) for r in p.provenance.get("merged", [p.provenance])]
        return Result(
            self.times,
            *assemble(self.plan, samples, self.plan.slots()),
            method=self.method,
            ntraj=samples.ntraj,
            seed=seeds[0] if len(seeds) == 1 else seeds,
            dt=self.dt,
            stats=stats,
            provenance={"merged": runs},
            model=self.model,
            plan=self.plan,
            samples=samples,
            trajectories=trajectories,
        )

    # ------------------------------------------------------------ again

    def rerun(self, ntraj: int | None = None, **options: Any) -> Result:
        """Run the same simulation again, from the provenance alone.

        The numbers are equal to the bit on the same CPU target and version, whatever the threads.

        Args:
            ntraj: trajectories; None repeats all of this result.
            options: ``threads``, ``timeout``, ``checkpoint``, ``every``, ``client``, ``progress``
                of :func:`wignerflow.solve`.

        Raises:
            ValueError: the result was merged, or holds something without plain form (the user's own
                method or derived observable, a time-dependent callable in an exact method).
        """
        if "rerun" not in _HOOKS:
            raise RuntimeError("`import wignerflow` makes results repeatable.")
        out: Result = _HOOKS["rerun"](self, ntraj, **options)
        return out

    def digest(self) -> str:
        """SHA-256 of the numbers: times, means, errors, spreads and sums over trajectories.

        Equal digests mean equal bits. Run times and notes do not enter.
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

    def to_xarray(self) -> xarray.Dataset:
        """Everything as an ``xarray.Dataset``.

        Dimension ``time`` and, for observables with several values per time, ``member``,
        ``momentum`` or ``pair``. Each observable has ``name``, ``name_sem`` and ``name_std``.
        Attributes are numbers and strings; stats, provenance and model are JSON.
        """
        import xarray

        dims = store.dimension_names(self.axes)
        variables: dict[str, Any] = {}
        coordinates: dict[str, Any] = {"time": self.times}
        for name in self.expect:
            own = ("time", dims[name]) if name in dims else ("time",)
            if name in dims:
                dim, where = self.axes[name]
                whole = dim in ("member", "pair")
                coordinates[dims[name]] = where.astype(np.int64) if whole else where
            for ending, values, part in (
                ("", self.expect, "expect"),
                ("_sem", self.sem, "sem"),
                ("_std", self.std, "std"),
            ):
                attributes = {"long_name": name + store.LONG[part]}
                variables[name + ending] = (own, values[name], attributes)
        return xarray.Dataset(variables, coordinates, self._attributes())

    def _attributes(self) -> dict[str, Any]:
        seeds = self.seed if isinstance(self.seed, tuple) else (self.seed,)
        out: dict[str, Any] = {"method": self.method, "ntraj": self.ntraj}
        if self.seed is not None:
            out["seed"] = ", ".join(map(str, seeds))
        if self.dt is not None:
            out["dt"] = self.dt
        for name in ("stats", "provenance", "model"):
            out[name] = store.to_json(getattr(self, name))
        return out

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a netCDF file, whole or not at all; ``wf.load(path)`` gives the same result back.

        Complex observables are written as ``name_real`` and ``name_imag``. Any netCDF reader shows
        the observables; :func:`load` takes only unedited files.

        Raises:
            OSError: the file cannot be written; the message names it. The result stays in memory,
                and what stood there before is untouched.
        """
        store.write(path, self.encoded())

    def encoded(self, extra: Mapping[str, Any] | None = None) -> bytes:
        """The bytes that :meth:`save` writes; ``extra`` are more entries of the plain record."""
        record = {
            **store.plain(dict(extra or {})),
            **{name: store.plain(getattr(self, name)) for name in _PLAIN},
            "plan": store.plain(self.plan.to_dict()) if self.plan and self.plan.known else None,
            "axes": {name: dim for name, (dim, _) in self.axes.items()},
            "samples": None,
        }
        arrays = None
        if self.samples is not None:
            every = {f.name: getattr(self.samples, f.name) for f in fields(self.samples)}
            arrays = {n: v for n, v in every.items() if isinstance(v, np.ndarray)}
            record["samples"] = {n: list(v.shape) for n, v in arrays.items()}
            record["samples"] |= {n: int(v) for n, v in every.items() if n not in arrays}
        observables = {
            n: {"expect": self.expect[n], "sem": self.sem[n], "std": self.std[n]}
            for n in self.expect
        }
        attributes = {
            k: v for k, v in self._attributes().items() if k in ("method", "ntraj", "seed", "dt")
        }
        attributes["title"] = "wignerflow result"
        return store.encode(self.times, observables, self.axes, record, arrays, attributes)

    def plot(self, names: Iterable[str] | None = None, ax: Any = None, **options: Any) -> Any:
        """Plot observables with their standard errors; see :func:`wignerflow.plot.plot_result`."""
        from .plot import plot_result

        return plot_result(self, names, ax, **options)

    # ------------------------------------------------------------ on the screen

    def _final(self, name: str) -> str:
        value, error = self.expect[name][-1], self.sem[name][-1]
        if value.ndim == 0:
            return format_value(value, error)
        dim, coordinates = self.axes[name]
        size = np.where(np.isfinite(value), value.real, np.nan)
        if np.all(np.isnan(size)):
            return f"{format_value(value[0], error[0])} ({len(value)} values)"
        ends = [int(np.nanargmin(size)), int(np.nanargmax(size))]
        low, high = (
            f"{format_value(value[k], error[k])} ({dim} {coordinates[k]:.4g})" for k in ends
        )
        return f"from {low} to {high}"

    def __repr__(self) -> str:
        head = [f"Result of {self.method}"]
        if self.ntraj:
            seeds = self.seed if isinstance(self.seed, tuple) else (self.seed,)
            head.append(f"{self.ntraj} trajectories")
            head.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}")
        else:
            head.append("deterministic")
        if self.dt is not None:
            head.append(f"dt {self.dt:.4g}")
        lines = [", ".join(head)]
        run = [f"{len(self.times)} times from {self.times[0]:.6g} to {self.times[-1]:.6g}"]
        if "stopped_because" in self.stats:
            run.append(f"stopped because: {self.stats['stopped_because']}")
        if isinstance(self.stats.get("wall_time"), (int, float)):
            run.append(f"{self.stats['wall_time']:.3g} s")
        lines.append("; ".join(run))
        if self.stats.get("why"):
            lines.append(f"why: {self.stats['why']}")
        lines += [f"note: {text}" for text in self.stats.get("notes") or ()]
        if self.stats.get("failed"):
            lines.append(f"warning: {self.stats['failed']} of {self.ntraj} trajectories failed")
        lines += [f"warning: {text}" for text in self.stats.get("warnings") or ()]
        width = max(map(len, self.expect))
        lines.append(f"{'at time':<{width}}   {self.times[-1]:.6g}")
        lines += [f"{name:<{width}}   {self._final(name)}" for name in self.expect]
        return "\n".join(lines)


def _joined(ranges: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Ranges of trajectories sorted, adjacent ones joined."""
    out: list[tuple[int, int, int]] = []
    for seed, first, stop in sorted(ranges):
        if out and out[-1][0] == seed and out[-1][2] == first:
            out[-1] = (seed, out[-1][1], stop)
        else:
            out.append((seed, first, stop))
    return out


def load(path: str | os.PathLike[str]) -> Result:
    """Read a result that :meth:`Result.save` wrote: the same numbers to the bit.

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
    record, axes, observables, arrays = store.read(path)
    try:
        plan = None if record["plan"] is None else Plan.from_dict(record["plan"])
        samples = None
        if arrays is not None:
            counts = {n: _check.integer(n, record["samples"][n], 0) for n in ("failed", "ntraj")}
            samples = Samples(**arrays, **counts)  # type: ignore[arg-type]
        own = {n: (d, axes[observables[n]["dims"][1]]) for n, d in record["axes"].items()}
        result = Result(
            axes["time"],
            *({n: o[part] for n, o in observables.items()} for part in ("expect", "sem", "std")),
            **{n: record[n] for n in _PLAIN},
            plan=plan,
            samples=samples,
            axes=own,
        )
    except Exception as error:
        raise store.refusal(path, error) from error
    return result, record
