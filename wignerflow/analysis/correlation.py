r"""Two-time correlations: averages of products along trajectories, or quantum regression.

In the Wigner representation the average of a product of symbols at two times of one trajectory is
the symmetrised correlation,

.. math:: C(\tau) = \tfrac12\langle\{A(t+\tau), B(t)\}\rangle = \overline{A(t+\tau)\,B(t)} ,

up to second-order terms of the bracket between the two symbols, which vanish at :math:`\tau = 0`
for A and B linear in J, sigma or a. The rest of the plain correlation is half a commutator, that
is a response: with a kick :math:`H \to H + \epsilon\,\delta(t' - t) B` just before t,

.. math:: \langle A(t+\tau) B(t)\rangle = C(\tau) + \tfrac{i}{2}
          \frac{\partial\,\overline{A(t+\tau)}}{\partial\epsilon} .

The derivative is taken between trajectories with equal random numbers and opposite kicks.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .._check import Times
from ..exact.engine import Exact
from ..exact.jumps import QuantumJumps
from ..method import AnyMethod, Precision
from ..model.model import Model
from ..model.operators import Op
from ..model.pulses import refuse_pulses
from ..observables import flatten
from ..phasespace.twa import TWA
from ..solving import check_treats, resolve_method, watching
from ..solving.options import truncation_of
from .correlation_result import Asked, Correlation, evenly, exact_value
from .correlation_runs import by_runs, check_order
from .relaxation import request_of
from .steady_state import time_to_rest


@_check.called("wf.correlation(model, atoms.Jp, atoms.Jm, taus)")
def correlation(
    model: Model,
    A: Op | None = None,
    B: Op | None = None,
    taus: Times | None = None,
    *,
    ops: Sequence[Op] | None = None,
    t: float | str = "steady",
    method: AnyMethod = "twa",
    order: str = "symmetric",
    connected: bool = False,
    ntraj: int = 1000,
    seed: int | None = None,
    dt: float | None = None,
    precision: Precision = "single",
    threads: int | None = None,
    relax: float | None = None,
    truncation: bool | str | None = None,
    progress: bool = True,
) -> Correlation:
    r"""A two-time correlation, with standard errors.

    ``correlation(model, A, B, taus)`` is that of two operators;
    ``correlation(model, taus=taus, ops=(A, B, C, D))`` the time-ordered one of four,

    .. math:: \langle A(t) B(t+\tau) C(t+\tau) D(t)\rangle ,

    which a detector of photons sees: with (a+, a+, a, a) it is g2(tau) before it is normalised.
    "exact" and "jumps" keep that order for any operators; "twa" where A and D are linear in
    operators of modes and collective spins: a product with a density matrix is then half an
    anticommutator, and half a response to a kick. It leaves out second derivatives of the bracket,
    of relative size :math:`1/N` for spins, nothing for modes.

    Args:
        model: the master equation; its initial state holds at time 0.
        A: operator at the later time.
        B: operator at the earlier time.
        taus: delays, ascending from 0 or later, shape (T,). Two operators in a steady state of
            "twa" need delays that start at 0 and are evenly spaced: every trajectory is then
            averaged over as many times t as there are delays.
        ops: A, B, C and D, in place of A and B.
        t: time of B (of A and D, of four), or "steady" for the steady state that the initial state
            reaches.
        method: "twa" (or ``wf.TWA(...)``), "jumps", or "exact": quantum regression.
        order: "symmetric" gives :math:`\langle\{A(t+\tau), B(t)\}\rangle/2`, "plain"
            :math:`\langle A(t+\tau)B(t)\rangle`, for which trajectories are also kicked by B.
        connected: subtract :math:`\langle A(t+\tau)\rangle\langle B(t)\rangle`.
        ntraj: trajectories, at least 64; each is one independent number for the errors.
        seed, dt, precision, threads: as in :func:`wignerflow.solve`.
        relax: time after which trajectories count as steady; None detects it by
            :func:`wignerflow.steady_state` on A, B, A^+A and B^+B.
        truncation: as in :func:`wignerflow.solve`; from the exact correlation, of the model or of
            smaller ones, else NaN.
        progress: as in :func:`wignerflow.solve`.

    Returns:
        A :class:`Correlation`. Ctrl-C ends it with the trajectories that are done, once there are
        any: ``stats["stopped_because"]`` is then "interrupted", and errors of method and step NaN.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement; the method has no
            correlations, or does not keep the order of these; more than 1 % of the trajectories
            failed.
        NotUnique, NotRelaxed: no steady state (ValueErrors).
    """
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    refuse_pulses(model, "correlations")
    ordered = ops is not None
    if ordered:
        plain = A is None and B is None and order == "symmetric" and not connected
        if not plain:
            must = "stand alone: without `A`, `B`, `order` and `connected`"
            _check.fail("ops", must, _check.Note("one beside them"))
        every = _four(ops)
    else:
        for name, op in (("A", A), ("B", B)):
            if not isinstance(op, Op):
                _check.fail(name, "be an operator", op, kind=TypeError)
        assert A is not None and B is not None
        _check.one_of("order", order, ["symmetric", "plain"])
        every = (A, B)
    flatten(dict(zip("ABCD", every, strict=False)), model.subsystems)
    delays, start = _delays(taus), _start(t, model)
    stated = truncation_of(truncation)
    if model.links and order == "plain":
        _check.fail("order", 'be "symmetric" for a model with delayed links', order)
    engine = resolve_method(method)
    check_treats(engine, model)
    request = request_of(ntraj, seed, dt, precision, threads)
    kept = "time-ordered" if ordered else order
    ask = Asked(model, every, delays, start, kept, connected, request)
    begin = time.perf_counter()
    told = progress and not isinstance(engine, TWA)
    with watching("correlation", told=told, shown=progress):
        if isinstance(engine, Exact):
            out = _exact(ask, engine)
        elif isinstance(engine, (TWA, QuantumJumps)):
            check_order(ask, engine)
            if start == 0 and delays[-1] == 0:
                hint = "Nothing moves there; `wf.solve` gives the mean of the product."
                _check.fail("taus", "reach beyond 0 where `t` is 0", taus, hint)
            if start is None and not ordered and isinstance(engine, TWA) and not evenly(delays):
                hint = "For example `np.linspace(0, 10, 201)`; or give a time `t`."
                must = "start at 0 and be evenly spaced in a steady state"
                _check.fail("taus", must, delays, hint)
            early = _relaxed(ask, engine, relax) if start is None else start
            out = by_runs(ask, engine, early)
        else:
            what = "correlations of four operators" if ordered else "two-time correlations"
            raise ValueError(f"Method {engine!r} has no {what}; use 'twa', 'jumps' or 'exact'.")
    out.stats["wall_time"] = time.perf_counter() - begin
    for message in out.stats.setdefault("warnings", []):
        _check.warn(message)
    if stated and out.stats.get("stopped_because") == "interrupted":
        out.truncation = np.full(out.taus.shape, np.nan)
        out.stats["truncation"] = "nothing: interrupted"
    elif stated:
        from .truncations import state_correlation

        state_correlation(out, ask, engine, stated == "full")
    return out


def _four(ops: Any) -> tuple[Op, ...]:
    if not isinstance(ops, Sequence) or len(ops) != 4 or not all(isinstance(o, Op) for o in ops):
        _check.fail("ops", "be four operators, (A, B, C, D)", ops, kind=TypeError)
    return tuple(ops)


def _exact(ask: Asked, engine: Exact) -> Correlation:
    value, facts = exact_value(ask, engine)
    none = np.zeros(ask.taus.size)
    return Correlation(
        ask.taus, value, none.astype(np.complex128), ask.order, ask.labels, ask.is_power,
        engine.name, stats=dict(facts), truncation=none, step_error=none,
    )  # fmt: skip


def _delays(taus: Any) -> NDArray[np.float64]:
    if taus is None:
        hint = "For example `taus=np.linspace(0, 20, 201)`, several decay times."
        _check.fail("taus", "be given: the delays, from 0 on", taus, hint, TypeError)
    delays = _check.numeric_array("taus", taus, float)
    if delays.ndim != 1 or not delays.size or np.any(np.diff(delays) <= 0) or delays[0] < 0:
        _check.fail("taus", "ascend from 0 or later", taus)
    return delays


def _start(t: Any, model: Model) -> float | None:
    if isinstance(t, str):
        _check.one_of("t", t, ["steady"])
        if model.coefficients:
            raise ValueError(
                "A steady state needs a model that is constant in time; give a time `t`."
            )
        return None
    value = _check.real("t", t)
    if value < 0:
        _check.fail("t", "be at least 0, where the initial state holds, or 'steady'", t)
    return value


def _relaxed(ask: Asked, engine: Any, relax: float | None) -> float:
    """Time from which the steady state holds."""
    if relax is not None:
        return _check.positive("relax", relax)
    named = {f"{k}": op for k, op in enumerate(ask.ops)}
    named |= {f"{k}{k}": op.dag() * op for k, op in enumerate(ask.ops)}
    return time_to_rest(ask.model, named, engine, ask.request.seed)
