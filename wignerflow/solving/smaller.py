r"""The same classical equations at a smaller size: models whose exact solution is quick.

A factor s < 1 multiplies N, lengths, quanta and numbers of spins in sums. A coefficient of an
operator of weight w is multiplied by :math:`s^{1-w}`, a rate of a jump of weight w by
:math:`s^{1-2w}` (the weight counts one for every J or sum of spins, a half for every a or a^+;
jumps of single emitters and the squeezing of a mode stay), which leaves the classical equations as
they are: what differs is the size of quantum fluctuations, which truncation gets wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..derived.function import function
from ..model.serialize import copied
from ..phasespace.ensemble import GAUSSIAN_BELOW

LISTS = (("N", 1), ("S", 2))  # sizes in a plain form, and how many emitters one of each is
SAMPLED_BY_SIZE = ("TWA", "SpinTWA")  # methods whose start is sampled as its size has it
ADJOINT = {"a": "adag", "adag": "a", "sp": "sm", "sm": "sp", "Jp": "Jm", "Jm": "Jp"}
Whole = Callable[[Mapping[str, Any]], dict[str, Any]]


def weight(factors: list[Any]) -> float:
    """The weight of a product in a plain form; of "s.Jx" and "s.|0><1|" one, of "s.a" a half."""
    total = 0.0
    for f in factors:
        if isinstance(f, str):
            letter = f.rsplit(".", 1)[-1]
            total += {"a": 0.5, "adag": 0.5}.get(letter, 1.0 if letter[0] in "J|" else 0.0)
        elif "sum" in f:
            total += weight(f["sum"])
        else:
            total += weight(f["left"]) + weight(f["right"])
    return total


def _times(coefficient: Any, factor: float) -> Any:
    if isinstance(coefficient, list):
        return [_times(c, factor) for c in coefficient]
    if isinstance(coefficient, dict):
        return {k: _times(v, factor) for k, v in coefficient.items()}
    return coefficient * factor


def shrunk(call: Mapping[str, Any], s: float) -> dict[str, Any] | None:
    """A call (see ``write_call``) at a size smaller by ``s``; None where there is no such model."""
    out = copied(dict(call))
    model, method = out["model"], out["method"]
    if method["class"] in SAMPLED_BY_SIZE and method["options"]["sampling"] == "auto":
        numbers = [
            np.min(sub[key]) * unit
            for sub in model["subsystems"]
            for key, unit in LISTS
            if key in sub
        ]
        if numbers and min(numbers) >= GAUSSIAN_BELOW:
            method["options"]["sampling"] = "fixed"
    if not all(_subsystem(sub, s) for sub in model["subsystems"]):
        return None
    for term in model.get("H", []):
        if "coef" not in term:
            return None
        term["coef"] = _times(term["coef"], s ** (1 - weight(term["factors"])))
    if any(_ordered(term["factors"]) for term in model.get("H", [])):
        model["H"] = _hermitian(model["H"], _conjugates(model.get("coefficients", {})))
    for pulse in model.get("pulses", []):
        for term in pulse["op"]:
            term["coef"] = _times(term["coef"], s ** (1 - weight(term["factors"])))
    for jump in model.get("jumps", []):
        if "input" in jump:
            return None
        if jump["type"] == "local":
            continue
        terms = list(jump["op"])
        heaviest = _levelled(terms, s)
        if not isinstance(jump["rate"], (int, float, list)):
            return None
        jump["rate"] = _times(jump["rate"], s ** (1 - 2 * heaviest))
    for entry in out["e_ops"]:
        for operator in entry["operators"].values():
            for op in _operators(operator):
                _levelled(op, s, vacuum=True)
        number = entry.get("parameters", {}).get("N")
        if number is not None:
            entry["parameters"]["N"] = _number(number, s, 1)
    return out


def _ordered(factors: list[Any]) -> bool:
    """Whether a product holds different letters of an angular momentum, or of atoms with levels."""
    letters = {f for f in factors if isinstance(f, str) and weight([f]) == 1}
    return len({f.rsplit(".", 1)[0] for f in letters}) < len(letters)


def _conjugates(coefficients: Mapping[str, Any]) -> dict[str, str]:
    """Names of functions of time, and of their complex conjugates where there are such."""
    out = {}
    for name, f in coefficients.items():
        turned = {k: np.negative(v).tolist() if k == "imag" else v for k, v in f.items()}
        found = [other for other, g in coefficients.items() if g == turned]
        if found:
            out[name] = found[0]
    return out


def _hermitian(terms: list[dict[str, Any]], conjugates: Mapping[str, str]) -> list[dict[str, Any]]:
    """The Hermitian part of a sum in normal order.

    Ordering leaves terms of smaller weight, J_x J_y - i J_z / 2, which are no longer Hermitian when
    weights are multiplied by different numbers. Sums over members keep theirs.
    """
    out = []
    for term in terms:
        times = term.get("times", [])
        if not all(isinstance(f, str) for f in term["factors"]) or set(times) - set(conjugates):
            out.append(term)
            continue
        real, imag = (float(x) / 2 for x in term["coef"])
        out.append({**term, "coef": [real, imag]})
        adjoint = {
            "coef": [real, -imag],
            "factors": [_adjoint(f) for f in reversed(term["factors"])],
        }
        out.append(adjoint | ({"times": [conjugates[t] for t in times]} if times else {}))
    return out


def _adjoint(name: str) -> str:
    on, letter = name.rsplit(".", 1)
    if letter[0] == "|":
        left, right = letter[1:-1].split("><")
        letter = f"|{right}><{left}|"
    return f"{on}.{ADJOINT.get(letter, letter)}"


def parted(named: Mapping[str, Any]) -> tuple[dict[str, Any], Whole]:
    """Observables that are functions of the user's own, which no file holds, as their operators.

    Also what puts the functions together again, of the operators of another model.
    """
    out: dict[str, Any] = {}
    places: dict[str, dict[str, str]] = {}
    for name, value in named.items():
        if type(value) is not function:
            out[name] = value
            continue
        places[name] = {n: f"{name}\0{n}" for n in value.inputs()}
        out |= {places[name][n]: op for n, op in value.inputs().items()}

    def whole(ops: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value.of({n: ops[key] for n, key in places[name].items()})
            if name in places
            else ops[name]
            for name, value in named.items()
        }

    return out, whole


def _operators(plain: Mapping[str, Any]) -> Iterator[list[Any]]:
    if isinstance(plain.get("op"), list):
        yield plain["op"]


def _levelled(terms: list[Any], s: float, vacuum: bool = False) -> float:
    """The largest weight of a sum, to whose proportion its constant is brought.

    Other terms of smaller weight come from the order of operators, and stay; so does a constant
    beside modes where it is their ``vacuum``.
    """
    heaviest = max(weight(term["factors"]) for term in terms)
    if vacuum and any(weight(term["factors"]) % 1 or _modes(term["factors"]) for term in terms):
        return heaviest
    for term in terms:
        if not term["factors"] and "coef" in term:
            term["coef"] = _times(term["coef"], s**heaviest)
    return heaviest


def _modes(factors: list[Any]) -> bool:
    return any(isinstance(f, str) and f.rsplit(".", 1)[-1] in ("a", "adag") for f in factors)


def _number(value: Any, s: float, unit: int) -> Any:
    """A number of emitters (unit 1) or length (unit 2) times s, and at least one emitter."""
    whole = np.maximum(np.round(np.asarray(value, float) * s * unit), 1) / unit
    return (whole if unit == 2 else whole.astype(int)).tolist()


def _subsystem(sub: dict[str, Any], s: float) -> bool:
    """Shrink one in place; False where that cannot be."""
    if sub["kind"] == "spin" or (sub["kind"] == "levels" and np.all(np.asarray(sub["N"]) == 1)):
        return False
    for key, unit in LISTS:
        if key in sub:
            sub[key] = _number(sub[key], s, unit)
    states = sub["initial"] if isinstance(sub["initial"], list) else [sub["initial"]]
    for state in states:
        if "fock" in state:
            return False
        if "coherent" in state:
            state["coherent"] = _times(state["coherent"], float(np.sqrt(s)))
        if "thermal" in state:
            state["thermal"] = _times(state["thermal"], s)
    return True
