"""What a run was, as plain data from which it can be run again.

A *call* is a dict of strings, numbers and lists: the canonical model, the observables with their
operators, the method with its options. Models and operators are canonical when they are made, so
running the call again gives the same bits; it is written when somebody asks for it.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import llvmlite
import numpy as np
import scipy
from numpy.typing import NDArray

from .. import _check
from .._version import __version__
from ..derived import DERIVED, Derived
from ..kernels.cpu import cpu_target
from ..method import Method
from ..model.model import Model
from ..model.reading import read_with
from ..model.serialize import digest, model_to_dict, ops_to_dicts
from ..observables import Plan
from .problem import MAX_SAMPLES, Problem, classes


class NotPlain(ValueError):
    """A part of a call has no plain form, so that the run cannot be repeated from a file."""


def write_call(
    model: Model, e_ops: Mapping[str, Any], engine: Any, times: NDArray[np.float64]
) -> dict[str, Any]:
    """The call as plain data.

    Args:
        model: the master equation.
        e_ops: observables by name.
        engine: the method object.
        times: where callable coefficients are tabulated.

    Raises:
        NotPlain: a part has no plain form; the message says which and why.
    """
    if model.coefficients and times.size > MAX_SAMPLES:
        raise NotPlain(f"a callable coefficient would be tabulated at {times.size} times")
    try:
        plain = model_to_dict(model, times)
    except (ValueError, TypeError) as error:
        raise NotPlain(f"the model has no plain form ({error})") from error
    ops: dict[int, Any] = {}
    observables = []
    for name, value in e_ops.items():
        entry: dict[str, Any] = {"name": name}
        if isinstance(value, Derived):
            kind = type(value).__name__
            if DERIVED.get(kind) is not type(value):
                why = f"the observable {name!r} is of a class of its own, {kind}"
                raise NotPlain(f"{why}, which `wf.register` makes known")
            entry |= {"rule": kind, "parameters": value.parameters()}
        inputs = value.inputs() if isinstance(value, Derived) else {"": value}
        ops |= {id(op): op for op in inputs.values()}
        observables.append((entry, inputs))
    try:
        forms = dict(zip(ops, ops_to_dicts(model, ops.values(), times), strict=True))
    except (ValueError, TypeError) as error:
        raise NotPlain(f"an observable has no plain form ({error})") from error
    return {
        "model": plain,
        "e_ops": [
            {**entry, "operators": {n: forms[id(op)] for n, op in inputs.items()}}
            for entry, inputs in observables
        ],
        "method": write_method(engine, model),
    }


def read_call(call: Mapping[str, Any]) -> tuple[Model, dict[str, Any], Any]:
    """Model, observables by name and method object of a call.

    Args:
        call: what ``write_call`` gave, perhaps from a file: nothing in it is evaluated.

    Raises:
        ValueError, TypeError: it is no such call.
    """
    if not isinstance(call, Mapping) or not {"model", "e_ops", "method"} <= set(call):
        _check.fail("call", "hold model, e_ops and method", call)
    if not isinstance(call["e_ops"], list) or not all(isinstance(e, dict) for e in call["e_ops"]):
        _check.fail("e_ops", "be a list of tables", call["e_ops"], kind=TypeError)
    entries = [(e, e.get("operators")) for e in call["e_ops"]]
    for e, operators in entries:
        if not isinstance(operators, dict) or not isinstance(e.get("name"), str):
            _check.fail("e_ops", "hold names and operators", e)
    flat = [form for _, operators in entries for form in operators.values()]  # type: ignore[union-attr]
    model, found = read_with(call["model"], flat)
    supply = iter(found)
    e_ops: dict[str, Any] = {}
    for e, operators in entries:
        inputs = {n: next(supply) for n in operators}  # type: ignore[union-attr]
        if "rule" in e:
            rule = DERIVED[_check.one_of("rule", e["rule"], DERIVED)]
            if not isinstance(e.get("parameters"), dict):
                _check.fail("parameters", "be a table", e.get("parameters"), kind=TypeError)
            value = rule.restore(e["parameters"])
            value._inputs = inputs
            e_ops[e["name"]] = value
        elif list(inputs) == [""]:
            e_ops[e["name"]] = inputs[""]
        else:
            _check.fail("operators", "hold one operator", list(inputs))
    return model, e_ops, read_method(call["method"])


# ---------------------------------------------------------------- methods


def _options(engine: Any) -> dict[str, Any]:
    names = inspect.signature(type(engine).__init__).parameters
    return {
        n: getattr(engine, n)
        for n, p in names.items()
        if n != "self" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def write_method(engine: Any, model: Model) -> dict[str, Any]:
    """Class and arguments of a method object.

    Arguments stand as attributes of their names, or are what its ``options(model)`` gives, where
    those that a user gives belong to a model.

    Raises:
        NotPlain: an argument is not kept as an attribute of its name, or is no plain number,
            string, None or list of such.
    """
    kind = type(engine).__name__
    known = classes().get(kind)
    if known is None or known() is not type(engine):
        why = f"the method is of a class of its own, {kind}"
        raise NotPlain(f"{why}, which `wf.register` makes known")
    try:
        own = getattr(engine, "options", None)
        options = _options(engine) if own is None else own(model)
    except AttributeError as error:
        raise NotPlain(f"the method {kind} does not keep its arguments ({error})") from error
    for name, value in options.items():
        if not _is_plain(value):
            raise NotPlain(f"the argument `{name}` of the method {kind} is no plain value")
    return {"class": kind, "options": options}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def read_method(data: Any) -> Any:
    """A method object from its plain form.

    Raises:
        ValueError, TypeError: the class is unknown, or refuses the arguments.
    """
    if not isinstance(data, dict) or not isinstance(data.get("options"), dict):
        _check.fail("method", "be a table with class and options", data, kind=TypeError)
    known = classes()
    kind = known[_check.one_of("method", data.get("class"), known)]()
    accepted = inspect.signature(kind).parameters
    for name in data["options"]:
        _check.one_of("method.options", name, accepted)
    return kind(**data["options"])


# ---------------------------------------------------------------- identity


def versions() -> dict[str, str]:
    """Versions and machine that the bits of a result may depend on."""
    return {
        "wignerflow": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "llvmlite": llvmlite.__version__,
        "target": cpu_target(),
        "system": platform.system(),
    }


def plain_digest(value: Any) -> str:
    """SHA-256 of plain data: equal for equal data."""
    if isinstance(value, dict):
        return digest(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def identity(
    provenance: Mapping[str, Any], model: Any, plan: Plan, program: str, dt: float, lanes: int
) -> dict[str, Any]:
    """What two runs must share for one to continue the other, as strings by what they are."""
    return {
        "wignerflow version": provenance["wignerflow"],
        "llvmlite version": provenance["llvmlite"],
        "NumPy version": provenance["numpy"],
        "seed": str(provenance["seed"]),
        "precision": provenance["precision"],
        "method": provenance["method"],
        "times": plain_digest(provenance["tlist"]),
        "observables": plain_digest(plan.to_dict()),
        "start": provenance.get("start", {}).get("samples", "none"),
        "model": "none" if model is None else plain_digest(model),
        "step": repr(float(dt)),
        "trajectories per chunk": str(lanes),
        "compiled program": program,
        "CPU target": provenance["target"],
    }


# ---------------------------------------------------------------- record of a run


@dataclass
class Record:
    """What a run was: plain forms are written when they are asked for.

    Attributes:
        problem, engine: what was solved, and by what.
        sampling: times at which callable coefficients are tabulated.
        facts: known at once.
    """

    problem: Problem
    engine: Method
    sampling: NDArray[np.float64]
    facts: dict[str, Any]

    @cached_property
    def _plain(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """How to run it again, or why not; and the model."""
        problem, method = self.problem, self.engine
        try:
            if "dt" not in method.uses and problem.has_callables:
                raise NotPlain(
                    "a coefficient is a callable, which this method reads at times of its own"
                )
            call = write_call(problem.model, problem.named, method, self.sampling)
        except NotPlain as error:
            return {"repeatable": str(error)}, plain_form(problem.model, problem.times)
        why: Any = True
        if "start" in self.facts:
            why = "it started from the samples of another run"
        if "nets" in self.facts:
            why = "its trajectories come in nets"
        again = {"repeatable": why, "e_ops": call["e_ops"], "engine": call["method"]}
        return again, call["model"]

    def provenance(self) -> dict[str, Any]:
        """Plain data that identify the run; ``["repeatable"]``: True, or why it cannot be."""
        known = {"method": repr(self.engine), "tlist": self.problem.times.tolist()}
        return {**versions(), **known, **self.facts, **self._plain[0]}

    def model(self) -> dict[str, Any] | None:
        """The model's plain form (None: it has none)."""
        return self._plain[1]


def plain_form(model: Model, times: NDArray[np.float64]) -> dict[str, Any] | None:
    """The plain form of a model, callables tabulated at ``times``; None if it is too large."""
    try:
        return model.to_dict(times)
    except (ValueError, TypeError):  # too large for the format
        return None
