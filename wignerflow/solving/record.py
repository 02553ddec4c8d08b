"""What a run was, as plain data: kept in its result, and run in place of the objects given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.model import Model
from ..observables import flatten
from ..provenance import NotPlain, read_call, versions, write_call
from .methods import METHODS
from .options import Options
from .task import Task


@dataclass
class Record:
    """Provenance and the model's plain form (None: it has none), as a ``Result`` holds them."""

    provenance: dict[str, Any]
    model: dict[str, Any] | None


def recorded(
    task: Task, engine: Any, options: Options, sampling: NDArray[np.float64]
) -> tuple[Task, Any, Record]:
    """The record of a run, and the task and method that it describes.

    Running what the plain form describes, not the objects given, running it again gives the same
    bits. What has no plain form is run as it is, and ``provenance["repeatable"]`` says why.

    Args:
        task, engine, options: of the call.
        sampling: times at which callable coefficients are tabulated.
    """
    provenance: dict[str, Any] = {
        **versions(),
        "method": repr(engine),
        "tlist": task.times.tolist(),
        "dt": options.dt,
        "seed": options.seed,
        "precision": options.precision,
        "device": "cpu",
    }
    form: dict[str, Any] | None = None
    try:
        if not hasattr(engine, "lower") and task.has_callables:
            raise NotPlain(
                "a coefficient is a callable, which this method reads at times of its own"
            )
        call = write_call(task.model, task.named, engine, sampling)
        form = call["model"]
        provenance |= {"repeatable": True, "e_ops": call["e_ops"], "engine": call["method"]}
        model, named, engine = read_call(call, METHODS)
        _, base, plan = flatten(named, model.subsystems)
        task = Task(model, task.times, named, base, plan)
    except NotPlain as error:
        provenance["repeatable"] = str(error)
        if form is None:
            form = plain_form(task.model, task.times)
    if options.start is not None:
        provenance["start"] = options.start.record()
        if provenance["repeatable"] is True:
            provenance["repeatable"] = "it started from the samples of another run"
    return task, engine, Record(provenance, form)


def plain_form(model: Model, times: NDArray[np.float64]) -> dict[str, Any] | None:
    """The plain form of a model, callables tabulated at ``times``; None if it is too large."""
    try:
        return model.to_dict(times)
    except (ValueError, TypeError):  # too large for the format
        return None
