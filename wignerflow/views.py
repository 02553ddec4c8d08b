"""What can be done with models and results by what stands above them: plain functions.

They are their methods, too: ``model.equations()``, ``result.plot()``. The classes themselves know
no method, no kernel and no plot. What a function stands on is imported when it is called.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from . import _check
from .estimate import Beyond, Estimate, Listener, listening
from .exact.bridge import model_to_qutip
from .method import AnyMethod
from .model.model import Model
from .observables import Observables
from .plot import plot_result
from .result import Result


def equations(model: Model, method: AnyMethod = "twa") -> str:
    """The equations of motion that a method solves, as text: of every trajectory or of the moments.

    Single spins stand as J = s/2, with "spin-twa" as Pauli vectors s.

    Raises:
        ValueError: the method is unknown, cannot treat the model, or solves the master equation.
    """
    from .solving import check_treats, resolve_method

    engine = resolve_method(method)
    check_treats(engine, model)
    pulses = "".join(f"\n{one!r}: exp(-i angle op)" for one in model.pulses)
    return str(engine.equations(model)) + (f"\n{pulses}" if pulses else "")


def source(model: Model, method: AnyMethod = "twa") -> str:
    """The generated source that steps a block of trajectories.

    Raises:
        ValueError: the method is unknown, cannot treat the model, or has no trajectories.
    """
    from .kernels.module import KernelText
    from .phasespace.method import TrajectoryMethod
    from .solving import check_treats, resolve_method

    engine = resolve_method(method)
    check_treats(engine, model)
    if not isinstance(engine, TrajectoryMethod):
        raise ValueError(f"Method {engine!r} has no trajectories; its equation is `model.latex()`.")
    return KernelText(engine.lower(model, {}, None)[0], []).plain()


def compile_model(
    model: Model,
    method: Any = "twa",
    *,
    tlist: Any,
    e_ops: Any,
    target: str = "wasm32",
    dt: float | None = None,
    ntraj: int = 1000,
    precision: str = "single",
    chunks: int = 1,
) -> Any:
    """The trajectories of a run as a WebAssembly module, for browsers, workers and Node.

    The module imports one memory (``env.memory``), exports ``run`` and calls nothing else. It runs
    the trajectories of ``wf.solve`` with the same arguments, up to rounding, chunk by chunk, and
    leaves the sums of the observables in its memory. All tables are filled in: the bytes are
    complete. ``out.layout`` says where everything lies, ``out.javascript`` is a module for the
    host's side.

    Args:
        method: "twa" or another method with stochastic trajectories.
        tlist: output times (T,), as for ``wf.solve``.
        e_ops: operators and array operators by name, as for ``wf.solve``; derived observables
            are for the host to make from means.
        target: "wasm32", WebAssembly with vectors of 128 bits.
        dt: largest step; None takes the one that a pilot finds good enough for ``ntraj``. Give it
            where the tables of several models are to share one module: they do if the models differ
            in numbers alone and have the same times and step; ``out.layout["code"]`` is equal then.
        ntraj: trajectories for whose errors the step is chosen; the host runs as many as it likes.
        precision: "single" or "double".
        chunks: the most chunks (of ``out.layout["lanes"]`` trajectories) that one call runs.

    Returns:
        ``bytes`` with ``layout``, ``tables`` and ``javascript``.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement, the method cannot treat
            the model or has no stochastic trajectories, or more than 4 GiB would be needed.
    """
    from .solving.compiled import compiled

    return compiled(
        model, method, tlist=tlist, e_ops=e_ops, target=target, dt=dt, ntraj=ntraj,
        precision=precision, chunks=chunks,
    )  # fmt: skip


class _Heard(BaseException):
    """Ends a call of ``solve`` that is only asked what it needs."""

    def __init__(self, estimate: Estimate):
        self.estimate = estimate


def estimate(
    model: Model,
    tlist: _check.Times,
    *,
    e_ops: Observables,
    method: AnyMethod = "twa",
    ntraj: int | None = None,
    **options: Any,
) -> Estimate:
    """What ``wf.solve`` with the same arguments needs, before it does it.

    Everything is set up (a pilot run too, where ``dt`` is not given), and nothing is run.

    Args:
        model, tlist, e_ops, method, ntraj: as for ``wf.solve``.
        options: its ``dt``, ``precision``, ``threads``, ``keep``, ``seed``, ...

    Returns:
        An object with ``seconds`` of wall time on this machine (within a factor of about three;
        infinite where memory forbids it), ``bytes`` of memory (at least) and ``what``.
    """
    from .solving import solve

    def listen(estimate: Estimate) -> None:
        raise _Heard(estimate)

    begin = time.perf_counter()
    try:
        with listening(Listener(listen, precise=True)), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            solve(model, tlist, e_ops=e_ops, method=method, ntraj=ntraj, progress=False, **options)
    except _Heard as heard:
        return heard.estimate
    except Beyond as error:
        return error.estimate
    return Estimate(time.perf_counter() - begin, 0.0, "no time to speak of")


def rerun(result: Result, ntraj: int | None = None, **options: Any) -> Result:
    """Run the same simulation again, from the provenance alone.

    The numbers are equal to the bit on the same CPU target and version, whatever the threads.

    Args:
        result: what to repeat.
        ntraj: trajectories; None repeats all of this result.
        options: ``threads``, ``timeout``, ``checkpoint``, ``every``, ``client``, ``progress``,
            ``device``, ``truncation`` of :func:`wignerflow.solve`; the truncation is that of the
            result unless it is asked for.

    Raises:
        ValueError: the result was merged, or holds something without plain form (a method or
            derived observable that is not registered, a time-dependent callable in an exact
            method).
    """
    from .solving import Chosen, read_call, solve

    known = {"threads", "timeout", "checkpoint", "every", "client", "progress", "device"}
    known.add("truncation")
    for name in options:
        _check.one_of("options", name, known)
    what = result.provenance
    if "merged" in what:
        _check.fail(
            "result", "be of one run", "a merged one", "Run its parts again, and merge them."
        )
    repeatable = what.get("repeatable", "it does not say what it was run on")
    if repeatable is not True or result.model is None:
        _check.fail("result", "hold all that it was run on", f"one that does not: {repeatable}")
    call = {"model": result.model, "e_ops": what["e_ops"], "method": what["engine"]}
    model, e_ops, engine = read_call(call)
    step: Any = what.get("step")
    if step is not None:
        step = Chosen(step, what.get("even", 0), what.get("scheme", ""))
    out = solve(
        model,
        what["tlist"],
        e_ops=e_ops,
        method=engine,
        symmetrize=what.get("symmetrize", False),
        seed=what["seed"],
        dt=step,
        ntraj=max(2, result.ntraj) if ntraj is None else ntraj,
        precision=what["precision"],
        **{"device": what.get("device", "cpu"), "truncation": False, **options},
    )
    out.step_error = result.step_error
    if not options.get("truncation"):
        out.truncation = result.truncation
    return out


def to_html(
    result: Result,
    path: str | os.PathLike[str],
    *,
    model_of: Callable[..., tuple[Model, dict[str, Any]]] | None = None,
    sliders: Mapping[str, Any] | None = None,
    title: str = "",
    text: str = "",
    reference: str | None = "auto",
    ntraj: int = 200_000,
) -> None:
    """Write a live page of this run: its trajectories, computed anew by whoever opens it.

    The page is one file without references to others. It holds the run's kernel as WebAssembly,
    which web workers run, and sliders for parameters of the model; curves sharpen while
    trajectories come in, with bands of one standard error, over exact or cumulant curves.

    Args:
        path: file to write, ending in ".html".
        model_of: takes the sliders' values by name and returns (model, e_ops), for parameters of
            one's own; None takes the numbers of the model itself: sizes, rates, and strengths of
            the terms of H.
        sliders: by name, (low, high) or (low, high, first value). Without ``model_of`` names are
            such as "N of atoms" or "rate of cav.a"; None takes the first two, from a quarter to
            twice their value.
        title, text: heading, and a paragraph below it.
        reference: "exact", "cumulant", "auto" (exact where it is cheap, else cumulants), or None.
        ntraj: trajectories at which the page stops for a position.

    Raises:
        ValueError, TypeError: the run cannot be repeated from its provenance, or its method has no
            stochastic trajectories; an argument does not meet its requirement.
    """
    from .live import result_page

    result_page(
        result, path, model_of, sliders, title=title, text=text, reference=reference, ntraj=ntraj
    )


def attach() -> None:
    """Make the functions methods of their first argument; ``import wignerflow`` does, once."""
    of_models = {"compile": compile_model, "to_qutip": model_to_qutip}
    of_models |= {f.__name__: f for f in (equations, source, estimate)}
    of_results = {"rerun": rerun, "plot": plot_result, "to_html": to_html}
    for kind, functions in ((Model, of_models), (Result, of_results)):
        for name, function in functions.items():
            setattr(kind, name, function)
