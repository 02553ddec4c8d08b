"""Time-dependent coefficients: ``wf.coef`` multiplies an operator or stands as a rate."""

from __future__ import annotations

import cmath
import itertools
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .reading_values import complex_plain

# Of callables of one name.
_serial = itertools.count()
# Types of values that need no closer look.
_PLAIN = frozenset((float, complex, np.float64, np.complex128))


class Coef:
    r"""A scalar function of time, :math:`c(t)`, given by a callable or by samples.

    A callable takes one time and returns a real or complex number. Samples are interpolated
    linearly and held constant outside their range. Methods tabulate a coefficient on their step
    grid before a run starts, so no Python enters a kernel. ``dt=None`` follows what it does between
    outputs.

    A Hamiltonian such as ``coef * atoms.Jx`` is Hermitian only if the coefficient is real: samples
    without imaginary part, or a callable that returns real numbers (``float``, not ``complex``).

    A model is pickled with its callables, which pickle finds by the names they have in a module. A
    lambda or a function within a function has none: Dask and joblib send it all the same (they use
    cloudpickle); elsewhere send ``model.tabulated(times)``, which holds samples.

    Args:
        function: callable ``f(t)``, or an array of samples (then ``times`` is required).
        times: sample times, strictly increasing, shape (K,).

    Raises:
        ValueError: samples and times differ in shape, or are not finite.
        TypeError: ``function`` is neither callable nor numeric.
    """

    __array_ufunc__ = None

    def __init__(
        self,
        function: Callable[[Any], Any] | Any,
        times: Any = None,
        *,
        factor: complex = 1.0,
    ):
        self.factor = complex(_check.numeric_array("factor", factor, complex))
        self.conjugated = False
        self.function: Callable[[Any], Any] | None = None
        self.times: NDArray[np.float64] | None = None
        self.values: NDArray[np.complex128] | None = None
        if callable(function):
            if times is not None:
                _check.fail("times", "be omitted when a callable is given", times)
            self.function = function
            self._identity: Any = function
            self._serial = next(_serial)
        else:
            values = _check.numeric_array("function", function, complex)
            if times is None:
                _check.fail("times", "be given together with sampled values", times)
            self.times = _check.tlist(times, "times").copy()
            if values.shape != self.times.shape:
                _check.fail(
                    "function",
                    f"have one value per time, shape {self.times.shape}",
                    _check.Note(f"an array of shape {values.shape}"),
                )
            self.values = np.asarray(values + 0.0, complex)
            self._identity = (self.times.tobytes(), self.values.tobytes())

    def __call__(self, t: Any) -> NDArray[np.complex128]:
        """Values at times ``t`` (any shape), complex."""
        t = np.asarray(t, float)
        if self.function is not None:
            flat = [self._evaluate(s) for s in t.ravel().tolist()]
            out = np.array(flat, complex).reshape(t.shape)
        else:
            assert self.times is not None and self.values is not None
            out = np.interp(t, self.times, self.values.real) + 0j
            if np.any(self.values.imag):
                out += 1j * np.interp(t, self.times, self.values.imag)
        out = self.factor * out
        return np.conj(out) if self.conjugated else out

    def _evaluate(self, t: float) -> complex:
        assert self.function is not None
        try:
            raw = self.function(t)
        except Exception as error:
            must = f"return a number (here at t = {t:g})"
            was = _check.Note(f"one that raised {type(error).__name__}: {error}")
            _check.fail("function", must, was, "", TypeError)
        if type(raw) not in _PLAIN:
            masked = isinstance(raw, np.ma.MaskedArray) and np.any(np.ma.getmaskarray(raw))
            # text is no number, and what is masked stands for none
            if masked or np.asarray(raw).dtype.kind not in "iufc" or np.size(raw) != 1:
                must = f"return a number (here at t = {t:g})"
                hint = _check.AS_NUMBER if np.asarray(raw).dtype.kind == "b" else ""
                _check.fail("function", must, raw, hint, TypeError)
            raw = np.asarray(raw).item()
        value = complex(raw)
        if not cmath.isfinite(value):
            _check.fail(
                "function",
                "return a finite number at every time",
                _check.Note(f"{value} at t = {t:g}"),
            )
        if value.imag != 0 and self._returns_real:
            _check.fail(
                "function",
                "return complex numbers at every time if it does at any",
                _check.Note(f"{value} at t = {t:g}, and real or undefined at t = 0"),
            )
        return value

    @cached_property
    def _returns_real(self) -> bool:
        """Whether the callable returns real numbers, by the type of what it returns: what is no
        number is named where it is read.

        One that returns nothing at these times is taken for real, and checked where it is read.
        """
        assert self.function is not None
        for t in (0.0, 1.0, 1e-3):
            try:
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    value = self.function(t)
                    return bool(np.asarray(value).dtype.kind != "c")
            except Exception:
                continue
        return True

    @property
    def is_real(self) -> bool:
        """True if the coefficient is real at every time (a callable: if it returns floats)."""
        if self.factor.imag != 0:
            return False
        if self.function is not None:
            return self._returns_real
        assert self.values is not None
        return not np.any(self.values.imag)

    def average(self, start: Any, length: Any, panels: int = 1) -> NDArray[np.complex128]:
        """Averages over intervals (any shape), by Simpson's rule in so many panels."""
        weights = np.array([1, *[4, 2] * (panels - 1), 4, 1]) / (6 * panels)
        places = self.places(panels)
        return sum(
            (w * self(start + x * length) for w, x in zip(weights, places, strict=True)),
            np.zeros(np.shape(start), complex),
        )

    @staticmethod
    def places(panels: int) -> NDArray[np.float64]:
        """Where :meth:`average` reads, in units of the interval."""
        return np.arange(2 * panels + 1) / (2 * panels)

    def rates(self, t: Any, argument: str = "rate") -> NDArray[np.float64]:
        """Values as rates at times ``t``: real and non-negative, or an error that says when not."""
        values = self(t)
        rounding = 1e-12 * np.abs(values).max(initial=0.0)
        bad = (np.abs(values.imag) > rounding) | (values.real < -rounding)
        if np.any(bad):
            worst = np.argmin(values[bad].real - np.abs(values[bad].imag))
            where, was = np.asarray(t, float)[bad][worst], values[bad][worst]
            number = was.real if was.imag == 0 else was
            _check.fail(
                argument,
                "be real and non-negative at all times",
                _check.Note(f"{number:.6g} at t = {where:g}"),
            )
        return np.maximum(values.real, 0.0)

    def check_rate(self, argument: str = "rate") -> None:
        """Raise now if samples cannot be a rate; callables are checked where they are tabulated."""
        if self.times is not None:
            self.rates(self.times, argument)
        elif not self.is_real:
            _check.fail(
                argument, "be real", self, "Let the callable return a float, not a complex."
            )

    def _copy(self) -> Coef:
        new = object.__new__(Coef)
        new.__dict__.update(self.__dict__)
        new.__dict__.pop("order", None)
        return new

    def conj(self) -> Coef:
        """Complex conjugate; the coefficient itself where it is real."""
        if self.is_real:
            return self
        if self.values is not None:
            return Coef(self.values.conj(), self.times, factor=self.factor.conjugate())
        new = self._copy()
        new.conjugated = not self.conjugated
        return new

    def split(self) -> tuple[Coef, complex]:
        """The coefficient without its constant factor, and that factor."""
        if self.factor == 1:
            return self, 1.0
        unit = self._copy()
        unit.factor = 1.0 + 0j
        if unit.conjugated and unit.is_real:
            unit.conjugated = False
        return unit, self.factor.conjugate() if self.conjugated else self.factor

    def tabulated(self, times: Any) -> Coef:
        """The same coefficient as samples at ``times``, without a callable."""
        times = _check.tlist(times, "times")
        return Coef(self(times), times)

    def to_dict(self) -> dict[str, Any]:
        """Plain form; a callable must have been tabulated before."""
        if self.times is None:
            raise ValueError(
                "A coefficient given as a callable has no plain form; pass `times=` to `to_dict`, "
                "or build it from samples with `wf.coef(values, times)`."
            )
        return {"times": (self.times + 0.0).tolist(), **complex_plain(self(self.times))}

    if TYPE_CHECKING:  # the package and ``op`` give them these

        @staticmethod
        def from_dict(data: dict[str, Any]) -> Coef: ...

        def times_coef(self, other: Coef) -> Any: ...

    @cached_property
    def order(self) -> tuple[Any, ...]:
        """Where it stands among others: by its content, samples before callables.

        Callables stand by their names; two of one name stand as they were made.
        """
        rest = (self.factor.real, self.factor.imag, self.conjugated)
        if self.function is None:
            assert self.times is not None and self.values is not None
            return (
                0,
                self.times.tolist(),
                self.values.real.tolist(),
                self.values.imag.tolist(),
                *rest,
            )
        return (
            1,
            getattr(self.function, "__qualname__", type(self.function).__qualname__),
            self._serial,
            *rest,
        )

    @property
    def plain(self) -> Coef:
        """The same coefficient without a factor, where it has samples."""
        if self.function is not None or self.factor == 1:
            return self
        return Coef(self(self.times), self.times)

    @property
    def key(self) -> tuple[Any, ...]:
        """Content key: two coefficients with equal keys are the same function."""
        return (self._identity, self.factor, self.conjugated)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Coef) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Coef):
            return self.times_coef(other)
        value = _check.scalar("scalar", other)
        if value is None:
            return NotImplemented
        new = self._copy()
        new.factor = self.factor * (value.conjugate() if self.conjugated else value)
        return new

    __rmul__ = __mul__

    def __neg__(self) -> Coef:
        return self * -1

    def __repr__(self) -> str:
        value = self.factor.real if self.factor.imag == 0 else self.factor
        factor = "" if value == 1 else f"{value:.6g} * "
        if self.function is not None:
            source = getattr(self.function, "__name__", type(self.function).__name__)
        else:
            assert self.times is not None
            source = f"{self.times.size} samples, t = {self.times[0]:g} … {self.times[-1]:g}"
        return f"{factor}coef({source}){'*' if self.conjugated else ''}"


coef = Coef
