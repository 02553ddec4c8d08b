"""Time-dependent coefficients: ``wf.coef`` multiplies an operator or stands as a rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check


class Coef:
    r"""A scalar function of time, :math:`c(t)`, given by a callable or by samples.

    A callable takes one time (or an array of times) and returns a real or complex number. Samples
    are interpolated linearly and held constant outside their range. Methods tabulate a coefficient
    on their step grid before a run starts, so no Python enters a kernel.

    Args:
        function: callable ``f(t)``, or an array of samples (then ``times`` is required).
        times: sample times, strictly increasing, shape (K,).

    Raises:
        ValueError: samples and times differ in shape, or are not finite.
        TypeError: ``function`` is neither callable nor numeric.
    """

    __array_ufunc__ = None

    def __init__(self, function: Callable[[Any], Any] | Any, times: Any = None, *, factor: complex = 1.0):
        self.factor = complex(factor)
        self.conjugated = False
        self.function: Callable[[Any], Any] | None = None
        self.times: NDArray[np.float64] | None = None
        self.values: NDArray[np.complex128] | None = None
        if callable(function):
            if times is not None:
                _check.fail("times", "be omitted when a callable is given", times)
            self.function = function
            self._identity: Any = function
        else:
            if times is None:
                _check.fail("times", "be given together with sampled values", times)
            self.times = _check.tlist(times)
            self.values = _check.numeric_array("function", function, complex)
            if self.values.shape != self.times.shape:
                _check.fail(
                    "function",
                    f"have one value per time, shape {self.times.shape}",
                    f"an array of shape {self.values.shape}",
                )
            self._identity = (self.times.tobytes(), self.values.tobytes())

    def __call__(self, t: Any) -> NDArray[np.complex128]:
        """Values at times ``t`` (any shape), complex."""
        t = np.asarray(t, float)
        if self.function is not None:
            flat = np.array([complex(self.function(float(s))) for s in t.ravel()], complex)
            out = flat.reshape(t.shape)
            if not np.all(np.isfinite(out)):
                bad = t.ravel()[~np.isfinite(flat)][0]
                _check.fail("function", "return a finite number at every time", f"{flat[t.ravel() == bad][0]} at t = {bad}")
        else:
            assert self.times is not None and self.values is not None
            out = np.interp(t, self.times, self.values.real) + 1j * np.interp(t, self.times, self.values.imag)
        out = self.factor * out
        return np.conj(out) if self.conjugated else out

    def _copy(self) -> Coef:
        new = object.__new__(Coef)
        new.__dict__.update(self.__dict__)
        return new

    def conj(self) -> Coef:
        """Complex conjugate."""
        new = self._copy()
        new.conjugated = not self.conjugated
        return new

    def tabulated(self, times: Any) -> Coef:
        """The same coefficient as samples at ``times``, without a callable."""
        times = _check.tlist(times)
        return Coef(self(times), times)

    def to_dict(self) -> dict[str, Any]:
        """Plain form; a callable must have been tabulated before."""
        if self.times is None:
            raise ValueError(
                "A coefficient given as a callable has no plain form; pass `times=` to `to_dict`, "
                "or build it from samples with `wf.coef(values, times)`."
            )
        values = self(self.times)
        return {"times": self.times.tolist(), "real": values.real.tolist(), "imag": values.imag.tolist()}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Coef:
        """Inverse of :meth:`to_dict`."""
        return Coef(np.asarray(data["real"], float) + 1j * np.asarray(data["imag"], float), data["times"])

    @property
    def key(self) -> tuple[Any, ...]:
        """Content key: two coefficients with equal keys are the same function."""
        return (self._identity, self.factor, self.conjugated)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Coef) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, (int, float, complex, np.number)):
            new = self._copy()
            new.factor = (self.factor.conjugate() if self.conjugated else self.factor) * complex(other)
            if self.conjugated:
                new.factor = new.factor.conjugate()
            return new
        return NotImplemented

    __rmul__ = __mul__

    def __repr__(self) -> str:
        source = "callable" if self.function is not None else f"{len(self.times or [])} samples"
        return f"coef({source})"


coef = Coef
