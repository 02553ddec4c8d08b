"""wf.fit: parameters of a model from measured curves, by least squares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..bars import Steps
from ..model.model import Model
from ..model.subsystems import real_sizes
from ..result import ByName, Result
from ..result.text import format_value
from ..solving import quietly, solve, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEP = 0.02  # of a parameter, for its derivatives: far above rounding, far below its range
REPEATS = 12  # runs with other seeds that measure what the model's sampling does to the parameters
STILL = 1e-9  # a curve that moves less, relative to its scale, has not moved
#: Methods with a state per emitter number: N stays whole.
COUNTING = ("exact", "jumps", "auto")
_NOT_HERE = ("e_ops", "seed", "keep", "start", "checkpoint", "client")


@dataclass(frozen=True)
class Fit(ByName):
    """Parameters found by :func:`wignerflow.fit`.

    Attributes:
        values: parameter by name.
        errors: its standard error (one sigma): of the data and of the model's sampling.
        covariance: of the parameters in the order of ``values``, shape (P, P): of the data's errors
            and of the model's sampling, measured by runs with other seeds.
        chi2: weighted sum of squared residuals, and ``dof``, points less parameters.
        absolute: whether the data came with errors; else ``errors`` are scaled so that chi2 = dof.
        truncation, step_error: by name, by how much the errors of the method itself and of its
            step may shift a parameter at most, as estimated at ``values``; NaN without an estimate.
        result: the model's :class:`Result` at ``values``.
        evaluations: how often the model was solved.
    """

    shelves = ("values", "errors")

    values: dict[str, float]
    errors: dict[str, float]
    covariance: NDArray[np.float64]
    chi2: float
    dof: int
    absolute: bool
    result: Result
    evaluations: int
    data: dict[str, NDArray[np.float64]] = field(repr=False)
    truncation: dict[str, float] = field(default_factory=dict)
    step_error: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        width = max(map(len, self.values))
        lines = []
        for k, v in self.values.items():
            own = self.truncation.get(k, 0.0)
            more = f"   (truncation {own:.1g})" if own > 0 else ""
            lines.append(f"{k:{width}}  {format_value(v, self.errors[k])}{more}")
        quality = f"chi2 / dof = {self.chi2 / self.dof:.3g}" if self.absolute and self.dof else ""
        return "\n".join([*lines, f"{quality}   {self.evaluations} runs of the model".strip()])

    def plot(self, **options: Any) -> NDArray[Any] | Axes:
        """Data with error bars over the fitted curves, one panel per observable.

        Args:
            options: of Matplotlib's ``plot``, for the curves.

        Returns:
            The axes: one, or an array of them.
        """
        from ..plot import new_figure, panels, styled

        names = [n for n in self.result.expect if n in self.data]
        _, grid = new_figure(len(names), sharex=True)
        for ax, name in zip(grid[:, 0], names, strict=True):
            sem = self.data.get(f"{name}_sem")
            ax.errorbar(self.data["time"], self.data[name], sem, fmt=".", color="0.4", label="data")
            curve = self.result.expect[name].real
            ax.plot(self.result.times, curve, **styled({"label": "model"}, options))
            ax.set_ylabel(name)
        grid[0, 0].legend()
        grid[-1, 0].set_xlabel("$t$")
        return panels(grid[:, 0])


@_check.called("wf.fit(model_of, data, {'N': 500, 'pump': 100})")
def fit(
    model_of: Callable[..., tuple[Model, Mapping[str, Any]]],
    data: Any,
    start: Mapping[str, float],
    *,
    seed: int = 0,
    progress: bool = True,
    **solve_options: Any,
) -> Fit:
    r"""Parameters of a model from measured curves, by weighted least squares:

    .. math:: \chi^2(p) = \sum_{k,t} \frac{(y_k(t) - \langle O_k\rangle_p(t))^2}
       {\sigma_k(t)^2 + \mathrm{sem}_k(t)^2} .

    Every run uses the same random numbers and the same step, so that the model's mean is a smooth
    function of the parameters; derivatives are central differences of 2 % of a parameter. Numbers
    of emitters are continued to real numbers inside ``fit``, so that they can be fitted like rates.

    Args:
        model_of: takes the parameters by name and returns ``(model, e_ops)``.
        data: xarray Dataset, pandas DataFrame or mapping of arrays: ``time`` (strictly increasing),
            variables named like the ``e_ops``, and their standard errors as ``NAME_sem``. Without
            any of these all points weigh the same, and errors follow from the scatter. The initial
            state holds at time 0, or at the first time where that is negative.
        start: where to begin, a number per parameter.
        seed: of the model's random numbers.
        progress: show how many runs there were, and the best chi2 so far, as
            :func:`wignerflow.solve` shows trajectories.
        solve_options: of :func:`wignerflow.solve`, such as ``method`` and ``ntraj``.

    Returns:
        A :class:`Fit` with ``values``, ``errors``, ``covariance`` and ``plot()``. Ctrl-C ends it
        with the best parameters so far, whose errors are then NaN, and a warning.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement; no variable of ``data`` is
            named like an observable; fewer points than parameters.

    Warns:
        UserWarning: a parameter moves no curve, the search did not converge, or Ctrl-C ended it.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> def decay(rate):
        ...     a = wf.Mode(name="a")
        ...     model = wf.Model(jumps=[wf.Jump(a.a, rate)], initial={a: wf.coherent(2)})
        ...     return model, {"n": a.n}
        >>> t = np.linspace(0, 2, 9)
        >>> data = {"time": t, "n": 4 * np.exp(-0.7 * t), "n_sem": np.full(9, 0.05)}
        >>> found = wf.fit(decay, data, {"rate": 1.0}, method="exact")
        >>> round(found.values["rate"], 3)
        0.7
    """
    if not callable(model_of):
        _check.fail("model_of", "be a function of the parameters", model_of, kind=TypeError)
    for name in solve_options:
        if name in _NOT_HERE:
            _check.fail("solve_options", f"not hold `{name}`", name)
    origin = _start(start)
    table = _table(data)
    problem = _Problem(model_of, table, list(origin), int(seed), solve_options)
    with Steps("fit", progress) as problem.bar:
        return _search(problem, origin)


def _search(problem: _Problem, origin: Mapping[str, float]) -> Fit:
    """The best fit from where to begin."""
    from scipy.optimize import least_squares

    begin = np.array(list(origin.values()))
    problem.prepare(begin)
    still = [n for n, column in zip(origin, problem.jacobian(begin).T, strict=True)
             if np.abs(column).max() * abs(origin[n] or 1.0) < STILL * problem.size]  # fmt: skip
    if still:
        names = ", ".join(still)
        _check.warn(
            f"No curve moves with {names}: nothing can be said of it. Does `model_of` use it, and "
            "not round it?"
        )
    scale = np.where(begin == 0, 1.0, np.abs(begin))
    try:
        found = least_squares(
            problem.residuals, begin, problem.jacobian, method="trf", x_scale=scale,
            xtol=1e-6, ftol=1e-8, gtol=1e-10, max_nfev=60,
        )  # fmt: skip
        if not found.success:
            _check.warn(f"The search did not converge: {found.message}")
        return problem.finish(found.x)
    except KeyboardInterrupt:
        out = problem.so_far()
        if out is None:
            raise
        _check.warn(
            "Interrupted: these are the best parameters so far, whose errors are not known."
        )
        return out
    except Exception as error:
        if problem.best is not None:
            best = dict(zip(origin, problem.best[1].tolist(), strict=True))
            error.add_note(f"The best parameters until then: {best}.")
        raise


def _start(start: Any) -> dict[str, float]:
    if not isinstance(start, Mapping) or not start:
        hint = "For example {'N': 500, 'pump': 0.2}."
        _check.fail("start", "map every parameter to a number", start, hint, TypeError)
    return {str(name): _check.real(f"start[{name!r}]", v) for name, v in start.items()}


def _table(data: Any) -> dict[str, NDArray[np.float64]]:
    """``data`` as arrays by name."""
    if not isinstance(data, Mapping) and not hasattr(data, "columns"):  # of pandas
        hint = "For example {'time': t, 'photons': y, 'photons_sem': error}."
        _check.fail("data", "be a Dataset, a DataFrame or a dict of arrays", data, hint, TypeError)
    names = list(data.variables if hasattr(data, "data_vars") else data)  # xarray's coordinates too
    if "time" not in names:
        _check.fail("data", "hold `time`", names)
    time = _check.tlist(np.asarray(data["time"]), "data['time']")
    out = {"time": time}
    for name in names:
        raw = np.asarray(data[name])
        if name == "time" or raw.dtype.kind not in "fiu":
            continue
        if raw.shape != time.shape:
            if raw.ndim == 0:
                continue  # a note of the dataset, such as the number of trajectories
            _check.fail(f"data[{name!r}]", f"have shape {time.shape}, as time has", raw.shape)
        value = _check.numeric_array(f"data[{name!r}]", raw, float)
        if str(name).endswith("_sem") and np.any(value < 0):
            _check.fail(f"data[{name!r}]", "be non-negative", float(value.min()))
        out[str(name)] = value
    return out


class _Problem:
    """Residuals and their derivatives as functions of the parameters."""

    def __init__(
        self,
        model_of: Callable[..., Any],
        table: dict[str, NDArray[np.float64]],
        names: list[str],
        seed: int,
        options: dict[str, Any],
    ):
        self.model_of, self.table, self.names, self.seed = model_of, table, names, seed
        self.options = {"ntraj": 4000, **options, "progress": False}
        method = self.options.get("method", "twa")
        self.given = self.options.get("dt")
        self.analytic = (method if isinstance(method, str) else method.name) not in COUNTING
        time = table["time"]
        self.skip = 1 if time[0] > 0 else 0
        self.times = np.concatenate([[0.0], time]) if self.skip else time
        self.evaluations = 0
        self.bar = Steps("fit", False)
        #: chi2, parameters and result of the best run so far.
        self.best: tuple[float, NDArray[np.float64], Result] | None = None

    def solve(self, x: NDArray[np.float64], last: bool = False) -> Result:
        """The model's result at the parameters x; ``last``: with all that is said of errors."""
        with real_sizes() if self.analytic else nullcontext():
            made = self.model_of(**dict(zip(self.names, map(float, x), strict=True)))
            if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], Model)):
                _check.fail("model_of", "return (wf.Model, e_ops)", made, kind=TypeError)
            self.evaluations += 1
            model, e_ops = made
            options = dict(self.options)
            if not last:  # not for every step of the fit
                options["truncation"] = False
            elif self.given is None:
                options.pop("dt", None)  # so that the step's error is found
            with nullcontext() if last else quietly():  # the last run speaks for all
                result = whole(solve(model, self.times, e_ops=e_ops, seed=self.seed, **options))
        if self.options.get("dt") is None and result.dt is not None:
            self.options["dt"] = result.dt  # one step for all: the means stay smooth functions
        return result

    def prepare(self, x: NDArray[np.float64]) -> None:
        """Weights, from a first run at the start, whose errors may speak."""
        first = self.solve(x)
        self.observed = [n for n in first.expect if n in self.table]
        if not self.observed:
            variables = [n for n in self.table if n != "time" and not n.endswith("_sem")]
            must = f"hold a variable named like an observable ({', '.join(first.expect)})"
            _check.fail("data", must, variables)
        for n in self.observed:
            if first.expect[n].ndim != 1 or np.iscomplexobj(first.expect[n]):
                _check.fail(f"e_ops[{n!r}]", "be one real number per time", first.expect[n].shape)
        size = len(self.observed) * self.table["time"].size
        if size <= len(self.names):
            _check.fail("data", f"hold more than {len(self.names)} points", size)
        given = [n for n in self.observed if f"{n}_sem" in self.table]
        if given and len(given) < len(self.observed):
            lacking = sorted(set(self.observed) - set(given))[0]
            _check.fail(
                "data", f"hold {lacking + '_sem'!r}, as others have errors", list(self.table)
            )
        self.absolute = bool(given)
        errors = []
        for n in self.observed:
            own = self.table.get(f"{n}_sem", np.ones_like(self.table["time"]))
            model = np.nan_to_num(first.sem[n][self.skip :]) if self.absolute else 0.0
            errors.append(np.hypot(own, model))
        self.sigma = np.concatenate(errors)
        if self.absolute:
            self.spread = np.concatenate([self.table[f"{n}_sem"] for n in self.observed])
        if np.any(self.sigma == 0):
            _check.fail("data", "have positive errors where the model has none", 0.0)
        self.measured = np.concatenate([self.table[n] for n in self.observed])
        self.size = float(np.abs(self.measured / self.sigma).max()) or 1.0

    def curves(self, result: Result) -> NDArray[np.float64]:
        """Every observed curve at the data's times, end to end."""
        return np.concatenate([result.expect[n].real[self.skip :] for n in self.observed])

    def residuals(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted differences; infinite, so that the search turns back, where no model exists."""
        try:
            result = self.solve(x)
        except ValueError:
            if self.evaluations < 2:
                raise
            return np.full(self.measured.size, np.inf)
        r = (self.curves(result) - self.measured) / self.sigma
        if self.best is None or r @ r < self.best[0]:
            self.best = float(r @ r), x.copy(), result
        self.bar.say(f"{self.evaluations} runs of the model, chi2 {self.best[0]:.4g}")
        return np.asarray(r)

    def jacobian(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Central differences, one-sided at the border of what the model allows."""
        columns = []
        for k in range(x.size):
            ends = []
            for sign in (-1, 1):
                y = x.copy()
                y[k] += sign * STEP * (abs(x[k]) or 1.0)
                r = self.residuals(y)
                ends.append((y[k], r) if np.all(np.isfinite(r)) else (x[k], self.residuals(x)))
            (low, below), (high, above) = ends
            columns.append((above - below) / (high - low))
        return np.stack(columns, axis=1)

    def sampling(self, x: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covariance of the parameters by the model's own sampling, from runs with other seeds.

        The points of one run share their trajectories, so their errors are not independent.
        """
        seed, found = self.seed, []
        for k in range(REPEATS):
            self.seed = int(np.random.SeedSequence(seed, spawn_key=(k,)).generate_state(1)[0])
            found.append(weight @ (self.curves(self.solve(x)) / self.sigma))
        self.seed = seed
        return np.atleast_2d(np.cov(np.array(found), rowvar=False))

    def shifts(self, weight: NDArray[np.float64], errors: Mapping[str, Any]) -> dict[str, float]:
        """By how much errors of the curves shift each parameter, if all push the same way."""
        if any(n not in errors for n in self.observed):
            return {}
        curves = np.concatenate([np.asarray(errors[n])[self.skip :] for n in self.observed])
        most = np.abs(weight) @ (curves / self.sigma)
        return dict(zip(self.names, map(float, most), strict=True))

    def so_far(self) -> Fit | None:
        """The best parameters that were tried, without errors."""
        if self.best is None:
            return None
        chi2, x, result = self.best
        values = dict(zip(self.names, x.tolist(), strict=True))
        errors = dict.fromkeys(self.names, np.nan)
        return Fit(
            values, errors, np.full((x.size, x.size), np.nan), chi2,
            self.measured.size - x.size, self.absolute,
            result, self.evaluations, self.table, dict(errors), dict(errors),
        )  # fmt: skip

    def finish(self, x: NDArray[np.float64]) -> Fit:
        """The fit at its end, with the covariance of the parameters."""
        J, r = self.jacobian(x), self.residuals(x)
        chi2, dof = float(r @ r), r.size - x.size
        weight = np.asarray(np.linalg.pinv(J), np.float64)
        variance = (self.spread / self.sigma) ** 2 if self.absolute else chi2 / dof
        covariance = (weight * variance) @ weight.T
        best = self.solve(x, last=True)
        if any(np.any(best.sem[n] > 0) for n in self.observed):
            covariance = covariance + self.sampling(x, weight)
        flat = np.abs(J).max(axis=0) < STILL * self.size / np.maximum(np.abs(x), 1e-300)
        covariance[flat, :] = covariance[:, flat] = 0.0
        covariance[flat, flat] = np.inf
        errors = np.sqrt(np.diag(covariance))
        values = dict(zip(self.names, x.tolist(), strict=True))
        return Fit(
            values, dict(zip(self.names, errors.tolist(), strict=True)), covariance, chi2, dof,
            self.absolute, best, self.evaluations, self.table,
            self.shifts(weight, best.truncation), self.shifts(weight, best.step_error),
        )  # fmt: skip
