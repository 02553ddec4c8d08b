"""Derived observables: functions of several means, with jackknife errors in stochastic methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _check
from .model.operators import ArrayOp, Op
from .model.subsystems import CollectiveSpin, Ensemble, Member, Spin, Subsystem

Operator = Op | ArrayOp
Means = Mapping[str, NDArray]


class Derived:
    """A function of means, usable as a value in ``e_ops``.

    A subclass gives ``inputs()``, the operators whose means it needs, and ``evaluate(means)``. Its
    plain numbers live in ``parameters()``, and ``restore`` rebuilds it from them alone, without
    operators, so that results in a file can still be pooled.
    """

    _inputs: dict[str, Operator] | None = None
    _label = ""

    def inputs(self) -> dict[str, Operator]:
        """The operators it needs, by name.

        Raises:
            ValueError: it came from a file, which holds no operators.
        """
        if self._inputs is None:
            raise ValueError(
                f"{type(self).__name__} was read from a file, which holds its numbers "
                "but not its operators."
            )
        return dict(self._inputs)

    def evaluate(self, means: Means) -> NDArray:
        """Its value from means of shape (...) for operators and (..., M) for array operators."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """Name used where the user gives none."""
        return self._label or type(self).__name__

    def axes(self) -> dict[str, NDArray]:
        """Names and coordinates of the axes of its value after time: none or one."""
        return {}

    def parameters(self) -> dict[str, Any]:
        """The plain numbers that ``evaluate`` needs."""
        return {}

    def _configure(self, **parameters: Any) -> None:
        if parameters:
            _check.fail("parameters", f"be empty for {type(self).__name__}", parameters)

    @classmethod
    def restore(cls, parameters: Mapping[str, Any]) -> Derived:
        """The observable with these parameters; it can evaluate but has no operators.

        Raises:
            ValueError, TypeError: the parameters do not suit.
        """
        new = cls.__new__(cls)
        new._configure(**parameters)
        return new

    def __repr__(self) -> str:
        return self.label


def _operator(argument: str, value: Any, hint: str = "") -> Operator:
    if not isinstance(value, (Op, ArrayOp)):
        _check.fail(argument, "be an operator such as atoms.Jm", value, hint, TypeError)
    return value


def _array(argument: str, value: Any) -> ArrayOp:
    if not isinstance(value, ArrayOp):
        _check.fail(argument, "be an array operator such as chain.Jm", value, kind=TypeError)
    return value


def _divide(a: Any, b: Any) -> NDArray:
    """a / b with inf and NaN instead of warnings."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.true_divide(a, b))


def _member_axis(op: Operator) -> int | None:
    return op.size if isinstance(op, ArrayOp) else None


class _PerMember(Derived):
    """Derived observables with one value, or one per member: ``size`` is None or M."""

    size: int | None = None

    def axes(self) -> dict[str, NDArray]:
        return {} if self.size is None else {"member": np.arange(self.size)}

    def _set_size(self, size: Any) -> None:
        self.size = None if size is None else _check.integer("size", size, 1)


# ---------------------------------------------------------------- angular momentum


def _angular(sub: Any, total: bool) -> tuple[tuple[Any, Any, Any], Any, str]:
    """(Jx, Jy, Jz), the number of spins 1/2, and a label."""
    member = sub.m if isinstance(sub, Member) else None
    owner: Subsystem = sub.sub if isinstance(sub, Member) else sub
    must = "be an Ensemble, a CollectiveSpin, an array of them, a member, or an array of Spins"
    if not isinstance(owner, (Ensemble, CollectiveSpin, Spin)) or (
        isinstance(owner, Spin) and (member is not None or owner.count is None)
    ):
        _check.fail("sub", must, sub, kind=TypeError)
    if isinstance(owner, Spin):
        x, y, z = ((s * 0.5).sum() for s in (owner.sx, owner.sy, owner.sz))
        return (x, y, z), owner.size, owner.name
    numbers = (
        owner.numbers
        if isinstance(owner, Ensemble)
        else np.round(2 * owner.lengths).astype(np.int64)
    )
    J = (sub.Jx, sub.Jy, sub.Jz)
    if member is not None:
        label, N = f"{owner.name}[{member}]", int(numbers[member])
    elif owner.count is None:
        label, N = owner.name, int(numbers[0])
    elif total:
        return (J[0].sum(), J[1].sum(), J[2].sum()), int(numbers.sum()), f"{owner.name}, total"
    else:
        label, N = owner.name, numbers.tolist()
    if total:
        _check.fail("total", "be False unless sub is an array", total)
    return J, N, label


class _SpinObservable(_PerMember):
    N: NDArray[np.int64]

    def _set_number(self, N: Any, least: int = 1) -> None:
        raw = _check.numeric_array("N", N, float)
        if raw.ndim > 1 or raw.size == 0 or np.any(raw != np.round(raw)) or np.any(raw < least):
            _check.fail("N", f"be integer and at least {least}", N)
        self.N = raw.astype(np.int64)
        self._set_size(None if raw.ndim == 0 else raw.size)

    def parameters(self) -> dict[str, Any]:
        return {"N": self.N.tolist()}


def _second(J: tuple[Any, Any, Any]) -> dict[str, Operator]:
    """The six symmetrised second moments, named "xx", "xy", …"""
    out = {}
    for i, a in enumerate("xyz"):
        for j, b in enumerate("xyz"):
            if i <= j:
                out[a + b] = J[i] * J[i] if i == j else (J[i] * J[j] + J[j] * J[i]) * 0.5
    return out


def _vector(means: Means) -> NDArray:
    return np.stack([means["x"], means["y"], means["z"]], -1)


def _matrix(means: Means) -> NDArray:
    """<{J_a, J_b}>/2, shape (..., 3, 3)."""
    rows = [[means["".join(sorted(a + b))] for b in "xyz"] for a in "xyz"]
    return np.stack([np.stack(row, -1) for row in rows], -2)


class Squeezing(_SpinObservable):
    r"""Tóth's generalised spin squeezing parameter: below one, the spins are entangled.

    With gamma the covariance matrix of (Jx, Jy, Jz), C their symmetrised correlation matrix and
    N spins 1/2, every separable state has all three of these at one or above:

    .. math::
        \text{singlet:}\quad & \xi^2 = \mathrm{tr}\,\gamma / (N/2)
            = \langle (\Delta J_x)^2 + (\Delta J_y)^2 + (\Delta J_z)^2 \rangle / (N/2) \\
        \text{dicke:}\quad & \xi^2 = \lambda_\mathrm{min}[(N-1)\gamma + C]
            / (\langle J^2\rangle - N/2) \\
        \text{planar:}\quad & \xi^2 = \{(N-1)\,\mathrm{tr}\,\gamma
            - \lambda_\mathrm{max}[(N-1)\gamma + C]\} / [N(N-2)/4]

    The eigenvalues take the minimum over all directions, so each is the same in any frame. Spin
    coherent states have exactly one; a many-body singlet has zero by the first, an unpolarised
    Dicke state zero by the second, which is infinite where <J^2> <= N/2 (it says nothing there).
    The first, the default, is that of Ruks, Fig. 2(b).

    Args:
        sub: an ``Ensemble``, ``CollectiveSpin`` (2S spins 1/2) or member of an array; an array of
            them, for one value per member, shape (T, M); or an array of ``Spin``, as one ensemble.
        criterion: "singlet", "dicke" or "planar" (N >= 3).
        total: for an array, of the summed angular momentum.

    Raises:
        TypeError: ``sub`` has no angular momentum.
        ValueError: unknown criterion; too few spins for it.

    Reference:
        Tóth, Knapp, Gühne and Briegel, Phys. Rev. Lett. 99, 250405 (2007) and Phys. Rev. A 79,
        042334 (2009); Ma, Wang, Sun and Nori, Phys. Rep. 509, 89 (2011).
    """

    def __init__(self, sub: Any, criterion: str = "singlet", *, total: bool = False):
        J, N, name = _angular(sub, total)
        self._configure(N, criterion)
        self._inputs = dict(zip("xyz", J, strict=True))
        if self.criterion == "singlet":
            self._inputs["JJ"] = J[0] * J[0] + J[1] * J[1] + J[2] * J[2]
        else:
            self._inputs |= _second(J)
        self._label = (
            f"Squeezing({name})" if criterion == "singlet" else f"Squeezing({name}, {criterion!r})"
        )

    def _configure(self, N: Any, criterion: str = "singlet") -> None:  # type: ignore[override]
        self.criterion = _check.one_of("criterion", criterion, ["singlet", "dicke", "planar"])
        self._set_number(N, {"singlet": 1, "dicke": 2, "planar": 3}[criterion])

    def parameters(self) -> dict[str, Any]:
        return super().parameters() | {"criterion": self.criterion}

    def evaluate(self, means: Means) -> NDArray:
        v, N = _vector(means), self.N
        if self.criterion == "singlet":
            return (means["JJ"] - np.sum(v * v, -1)) / (N / 2)
        C = _matrix(means)
        gamma = C - v[..., :, None] * v[..., None, :]
        bad = ~np.isfinite(gamma).all((-2, -1))
        both = (N - 1)[..., None, None] * gamma + C
        values = np.linalg.eigvalsh(np.where(bad[..., None, None], 0.0, both))
        if self.criterion == "dicke":
            excess = np.trace(C, axis1=-2, axis2=-1) - N / 2
            out = np.where(excess > 0, _divide(values[..., 0], excess), np.inf)
        else:
            out = ((N - 1) * np.trace(gamma, axis1=-2, axis2=-1) - values[..., -1]) / (
                N * (N - 2) / 4
            )
        return np.where(bad, np.nan, out)


class WinelandSqueezing(_SpinObservable):
    r"""Wineland's squeezing parameter, the phase variance relative to N independent spins:

    .. math:: \xi_R^2 = N \min_{n \perp \langle J\rangle} (\Delta J_n)^2 / |\langle J\rangle|^2

    One for a spin coherent state; below one, better than the standard quantum limit. Infinite
    without a mean spin; near there a sampled mean spin is mostly noise, so look at the error.

    Args:
        sub, total: as for :class:`Squeezing`.

    Reference:
        Wineland et al., Phys. Rev. A 50, 67 (1994).
    """

    def __init__(self, sub: Any, *, total: bool = False):
        J, N, name = _angular(sub, total)
        self._configure(N)
        self._inputs = dict(zip("xyz", J, strict=True)) | _second(J)
        self._label = f"WinelandSqueezing({name})"

    def _configure(self, N: Any) -> None:  # type: ignore[override]
        self._set_number(N)

    def evaluate(self, means: Means) -> NDArray:
        v = _vector(means)
        gamma = _matrix(means) - v[..., :, None] * v[..., None, :]
        x, y, z = v[..., 0], v[..., 1], v[..., 2]
        flat, length = np.hypot(x, y), np.sqrt(np.sum(v * v, -1))
        round_ = flat == 0
        c, s = np.where(round_, 1.0, _divide(x, flat)), np.where(round_, 0.0, _divide(y, flat))
        ct, st = (
            np.where(length == 0, 1.0, _divide(z, length)),
            np.where(length == 0, 0.0, _divide(flat, length)),
        )
        e = np.stack([ct * c, ct * s, -st], -1)  # e and f span the plane across the mean spin
        f = np.stack([-s, c, np.zeros_like(s)], -1)
        a, b, d = (
            np.einsum("...i,...ij,...j->...", u, gamma, w) for u, w in ((e, e), (e, f), (f, f))
        )
        smallest = (a + d) / 2 - np.hypot((a - d) / 2, b)
        return _divide(self.N * smallest, length**2)


class Subradiance(_SpinObservable):
    r"""Collective emission relative to independent emitters in the same mean excitation:

    .. math:: s = \langle J^+ J^- \rangle / \langle J_z + N/2 \rangle

    One for independent emitters, below one subradiant, up to N for a superradiant Dicke state.

    Args:
        sub, total: as for :class:`Squeezing` (a ``CollectiveSpin`` counts as 2S emitters).

    Reference:
        Ruks, Fig. 2(b); Shankar et al., Phys. Rev. Lett. 127, 073603 (2021).
    """

    def __init__(self, sub: Any, *, total: bool = False):
        (x, y, z), N, name = _angular(sub, total)
        self._configure(N)
        self._inputs = {"emission": (x + 1j * y) * (x - 1j * y), "z": z}
        self._label = f"Subradiance({name})"

    def _configure(self, N: Any) -> None:  # type: ignore[override]
        self._set_number(N)

    def evaluate(self, means: Means) -> NDArray:
        return _divide(means["emission"], means["z"] + self.N / 2)


# ---------------------------------------------------------------- any operator


class g2(_PerMember):
    r"""Equal-time second-order coherence of an operator such as ``mode.a`` or ``atoms.Jm``:

    .. math:: g^{(2)}(0) = \langle A^\dagger A^\dagger A A\rangle / \langle A^\dagger A\rangle^2

    One for coherent, two for thermal light. For a product of four J the leading symbol is used in
    phase-space methods (relative error of order 1/N).

    Args:
        op: an operator, or an array operator for one value per member.
    """

    def __init__(self, op: Operator):
        op = _operator("op", op)
        self._configure(_member_axis(op))
        n = op.dag() * op  # type: ignore[operator]
        self._inputs = {"n": n, "nn": op.dag() * n * op}
        self._op = op

    @property
    def label(self) -> str:
        return f"g2({self._op!r})" if self._inputs else "g2"

    def _configure(self, size: Any = None) -> None:  # type: ignore[override]
        self._set_size(size)

    def parameters(self) -> dict[str, Any]:
        return {"size": self.size}

    def evaluate(self, means: Means) -> NDArray:
        return _divide(means["nn"], np.square(means["n"]))


class Fano(_PerMember):
    r"""Fano factor of a Hermitian operator such as ``mode.n``:

    .. math:: F = (\langle A^2\rangle - \langle A\rangle^2) / \langle A\rangle

    Args:
        op: a Hermitian operator, or array operator for one value per member.

    Raises:
        ValueError: ``op`` is not Hermitian.
    """

    def __init__(self, op: Operator):
        op = _operator("op", op)
        if not hermitian(op):
            _check.fail("op", "be Hermitian, such as mode.n", op)
        self._configure(_member_axis(op))
        self._inputs = {"n": op, "nn": op * op}  # type: ignore[operator]

    @property
    def label(self) -> str:
        return f"Fano({self._inputs['n']!r})" if self._inputs else "Fano"

    def _configure(self, size: Any = None) -> None:  # type: ignore[override]
        self._set_size(size)

    def parameters(self) -> dict[str, Any]:
        return {"size": self.size}

    def evaluate(self, means: Means) -> NDArray:
        return _divide(means["nn"] - np.square(means["n"]), means["n"])


class Ratio(_PerMember):
    r"""The ratio of two means, :math:`\langle A\rangle / \langle B\rangle`.

    The error is that of the ratio: correlations between A and B are accounted for.

    Args:
        A, B: operators; an array operator in either place gives one value per member.

    Raises:
        TypeError: A or B is not an operator.
        ValueError: both are array operators, of different sizes.
    """

    def __init__(self, A: Operator, B: Operator):
        self._inputs = {"A": _operator("A", A), "B": _operator("B", B)}
        self._configure(_member_axis(A), _member_axis(B))

    @property
    def label(self) -> str:
        return f"Ratio({self._inputs['A']!r}, {self._inputs['B']!r})" if self._inputs else "Ratio"

    def _configure(self, A: Any = None, B: Any = None) -> None:  # type: ignore[override]
        self._sizes = tuple(None if n is None else _check.integer("size", n, 1) for n in (A, B))
        known = {n for n in self._sizes if n is not None}
        if len(known) > 1:
            _check.fail("B", f"have as many members as A, {A}", f"an array operator of {B} members")
        self.size = known.pop() if known else None

    def parameters(self) -> dict[str, Any]:
        return {"A": self._sizes[0], "B": self._sizes[1]}

    def evaluate(self, means: Means) -> NDArray:
        a, b = (
            np.asarray(means[k])[..., None] if self.size is not None and n is None else means[k]
            for k, n in zip("AB", self._sizes, strict=True)
        )
        return _divide(a, b)


# ---------------------------------------------------------------- arrays


def _fourier(op: ArrayOp, p: float) -> Op:
    """sum_mm' e^{ip(m-m')} A_m^+ A_m' as F^+ F with F = sum_m e^{-ipm} A_m."""
    F = (np.exp(-1j * p * np.arange(op.size)) * op).sum()
    return F.dag() * F


class StructureFactor(Derived):
    r"""Structure factor of an array of M members,

    .. math:: S(p) = \sum_{mm'} e^{ip(m-m')} \langle A_m^\dagger A_{m'}\rangle / n

    on-site terms included with their exact symbol. Each momentum costs O(M).

    Args:
        op: array operator A such as ``chain.Jm``.
        momenta: dimensionless momenta p, shape (P,); None takes the M multiples of 2 pi/M in
            (-pi, pi].
        normalise: None (n = 1, as in Ruks, Fig. 4(c)), "diagonal" (n = sum_m <A_m^+ A_m>, so that
            S = 1 without correlations) or a number.

    Raises:
        TypeError: ``op`` is not an array operator.
        ValueError: the momenta are not a finite one-dimensional array.
    """

    def __init__(self, op: ArrayOp, momenta: Any = None, normalise: Any = None):
        op = _array("op", op)
        if momenta is None:
            momenta = 2 * np.pi / op.size * (np.arange(op.size) - (op.size - 1) // 2)
        self._configure(momenta, normalise)
        self._inputs = {f"p{k}": _fourier(op, p) for k, p in enumerate(self.momenta)}
        if self.normalise == "diagonal":
            self._inputs["diagonal"] = (op.dag() * op).sum()
        self._label = f"StructureFactor({', '.join(sorted(s.name for s in op.subsystems))})"

    def _configure(self, momenta: Any, normalise: Any = None) -> None:  # type: ignore[override]
        self.momenta = _check.numeric_array("momenta", momenta, float)
        if self.momenta.ndim != 1 or self.momenta.size == 0:
            _check.fail("momenta", "be a one-dimensional array of momenta", momenta)
        self.normalise = normalise
        if isinstance(normalise, str):
            _check.one_of("normalise", normalise, ["diagonal"])
        elif normalise is not None:
            self.normalise = _check.positive("normalise", normalise)

    def axes(self) -> dict[str, NDArray]:
        return {"momentum": self.momenta}

    def parameters(self) -> dict[str, Any]:
        return {"momenta": self.momenta.tolist(), "normalise": self.normalise}

    def evaluate(self, means: Means) -> NDArray:
        S = np.stack([means[f"p{k}"] for k in range(self.momenta.size)], -1)
        if self.normalise == "diagonal":
            return _divide(S, np.asarray(means["diagonal"])[..., None])
        return S if self.normalise is None else S / self.normalise


class Coherence(Derived):
    r"""First-order spatial coherence between members of an array (complex),

    .. math:: g^{(1)}(m, m') = \langle A_m^\dagger A_{m'}\rangle /
              \sqrt{\langle A_m^\dagger A_m\rangle \langle A_{m'}^\dagger A_{m'}\rangle}

    Args:
        op: array operator A such as ``chain.Jm``.
        reference: the member m to which all members m' are compared, shape (T, M).
        pairs: instead, a list of (m, m'), shape (T, len(pairs)).

    Raises:
        TypeError: ``op`` is not an array operator.
        IndexError: a member does not exist.
        ValueError: ``pairs`` is empty or no list of pairs.
    """

    def __init__(
        self, op: ArrayOp, reference: int = 0, *, pairs: Iterable[tuple[int, int]] | None = None
    ):
        op = _array("op", op)
        if pairs is None:
            chosen = [(reference, m) for m in range(op.size)]
        else:
            chosen = [tuple(p) for p in pairs]  # type: ignore[misc]
            if not chosen or any(len(p) != 2 for p in chosen):
                _check.fail("pairs", "be a list of pairs (m, m')", pairs)
        dagger = op.dag()
        self._inputs = {"n": dagger * op}
        for k, (m, n) in enumerate(chosen):
            self._inputs[f"c{k}"] = dagger[m] * op[n]
        self._configure([[m % op.size, n % op.size] for m, n in chosen], pairs is None)
        self._label = f"Coherence({', '.join(sorted(s.name for s in op.subsystems))})"

    def _configure(self, pairs: Any, members: bool = False) -> None:  # type: ignore[override]
        raw = _check.numeric_array("pairs", pairs, float)
        if (
            raw.ndim != 2
            or raw.shape[1] != 2
            or len(raw) == 0
            or np.any(raw != np.round(raw))
            or np.any(raw < 0)
        ):
            _check.fail("pairs", "be a list of pairs (m, m')", pairs)
        self.pairs, self.members = raw.astype(np.int64), bool(members)

    def axes(self) -> dict[str, NDArray]:
        return {"member" if self.members else "pair": np.arange(len(self.pairs))}

    def parameters(self) -> dict[str, Any]:
        return {"pairs": self.pairs.tolist(), "members": self.members}

    def evaluate(self, means: Means) -> NDArray:
        n = np.asarray(means["n"])
        c = np.stack([np.asarray(means[f"c{k}"], complex) for k in range(len(self.pairs))], -1)
        with np.errstate(invalid="ignore"):
            norm = np.sqrt(n[..., self.pairs[:, 0]] * n[..., self.pairs[:, 1]])
        return _divide(c, norm)


class CorrelationLength(Derived):
    r"""Second-moment correlation length along an array, in units of the distance of neighbours,

    .. math:: \xi = \frac{1}{2\sin(q/2)} \sqrt{\frac{S(p)}{[S(p+q)+S(p-q)]/2} - 1},
              \qquad q = 2\pi/M,

    with S the structure factor and p the momentum of the order. For correlations e^{-d/xi}, xi
    much larger than one and much smaller than M, it is xi; without correlations it is zero; NaN
    where S(p) is no local maximum.

    Args:
        op: array operator A such as ``chain.Jm``, M >= 2.
        momentum: p.

    Reference:
        Cooper, Freedman and Preston, Nucl. Phys. B 210, 210 (1982).
    """

    def __init__(self, op: ArrayOp, momentum: float = 0.0):
        op = _array("op", op)
        p, q = _check.real("momentum", momentum), 2 * np.pi / op.size
        self._configure(op.size)
        self._inputs = {
            "centre": _fourier(op, p),
            "above": _fourier(op, p + q),
            "below": _fourier(op, p - q),
        }
        self._label = f"CorrelationLength({', '.join(sorted(s.name for s in op.subsystems))})"

    def _configure(self, size: Any) -> None:  # type: ignore[override]
        self.size = _check.integer("size", size, 2)

    def parameters(self) -> dict[str, Any]:
        return {"size": self.size}

    def evaluate(self, means: Means) -> NDArray:
        ratio = _divide(means["centre"], (means["above"] + means["below"]) / 2)
        with np.errstate(invalid="ignore"):
            return np.sqrt(ratio - 1) / (2 * np.sin(np.pi / self.size))


def hermitian(op: Operator, tolerance: float = 1e-12) -> bool:
    """True if an operator, or each member of an array operator, is Hermitian within rounding."""
    if isinstance(op, Op):
        return op.is_hermitian(tolerance)
    scale = max((np.abs(w).max() for w in op.terms.values()), default=0.0)
    return all(np.abs(w).max() <= tolerance * scale for w in (op - op.dag()).terms.values())


#: Derived observables that a file may name.
DERIVED: dict[str, type[Derived]] = {
    c.__name__: c
    for c in (
        Squeezing,
        WinelandSqueezing,
        Subradiance,
        g2,
        Fano,
        Ratio,
        StructureFactor,
        Coherence,
        CorrelationLength,
    )
}
