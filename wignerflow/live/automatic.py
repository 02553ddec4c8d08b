"""Sliders for the numbers of a model itself: sizes, rates, strengths of terms of H."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import _check
from ..model.serialize import copied
from ..solving.provenance import read_call
from .kernel import Maker
from .sliders import Slider

FIRST = 2  # sliders that a page has if nobody chooses
Setter = Callable[[dict[str, Any], float], None]


def automatic(
    call: Mapping[str, Any], chosen: Mapping[str, Any] | None
) -> tuple[Maker, list[Slider]]:
    """A function of numbers of a call's model that gives (model, e_ops), and its sliders.

    Args:
        call: model, e_ops and method as plain data.
        chosen: ranges by name; None takes a few.
    """
    found = parameters(call["model"])
    if chosen is None:
        chosen = {name: _range(value) for name, (value, _) in list(found.items())[:FIRST]}
    sliders = []
    for name, entry in chosen.items():
        _check.one_of("sliders", name, found)
        value, _ = found[name]
        if isinstance(entry, (tuple, list)) and len(entry) == 2 and entry[0] <= value <= entry[1]:
            entry = (*entry, value)
        sliders.append(Slider.of(name, entry, isinstance(value, int)))

    def model_of(**given: float) -> tuple[Any, dict[str, Any]]:
        plain = copied(dict(call["model"]))
        for name, value in given.items():
            found[name][1](plain, value)
        model, e_ops, _ = read_call({**call, "model": plain})
        return model, e_ops

    return model_of, sliders


def _range(value: float) -> tuple[float, float, float]:
    if isinstance(value, int):
        return max(1, value // 4), max(2, 2 * value), value
    return value / 4, 2 * value, value


def parameters(model: Mapping[str, Any]) -> dict[str, tuple[float, Setter]]:
    """By name, the value of a number of a plain model, and what sets another in such a model."""
    out: dict[str, tuple[float, Setter]] = {}
    for k, jump in enumerate(model["jumps"]):
        if isinstance(jump["rate"], float) and jump["rate"] > 0:
            out[_free(out, f"rate of {_jump(jump)}")] = jump["rate"], _set("jumps", k, "rate")
    groups: dict[float, list[int]] = {}
    for k, term in enumerate(model.get("H", ())):
        size = float(f"{np.hypot(*term['coef']):.12g}")
        groups.setdefault(size, []).append(k)
    for size, places in groups.items():
        words = " ".join(map(_word, model["H"][places[0]]["factors"]))
        out[_free(out, f"strength of {words}")] = size, _scale(places, size)
    for k, sub in enumerate(model["subsystems"]):
        if isinstance(sub.get("N"), int):
            out[_free(out, f"N of {sub['name']}")] = sub["N"], _set("subsystems", k, "N")
    return out


def _free(taken: Mapping[str, Any], name: str) -> str:
    others = (f"{name} ({number})" for number in itertools.count(2))
    return next(n for n in itertools.chain([name], others) if n not in taken)


def _set(table: str, k: int, key: str) -> Setter:
    def change(plain: dict[str, Any], value: float) -> None:
        plain[table][k][key] = value

    return change


def _scale(places: Sequence[int], size: float) -> Setter:
    """Terms of one size stand or fall together: H stays Hermitian."""

    def change(plain: dict[str, Any], value: float) -> None:
        for k in places:
            real, imag = plain["H"][k]["coef"]
            plain["H"][k]["coef"] = [real * value / size, imag * value / size]

    return change


def _jump(jump: Mapping[str, Any]) -> str:
    if jump["type"] == "local":
        op = jump["op"]
        if isinstance(op, Mapping):
            y = op.get("sy", [0.0, 0.0])
            ladder = list(op) == ["sx", "sy"] and op["sx"] == [0.5, 0.0] and abs(y[1]) == 0.5
            name = ("sp" if y[1] > 0 else "sm") if ladder else "+".join(op)
            return f"{jump['on']}.{name}"
        return f"{jump['on']} (one emitter)"
    terms = jump["op"]
    if isinstance(terms, list) and terms and isinstance(terms[0], Mapping):
        words = [" ".join(map(_word, t.get("factors", ()))) for t in terms]
        if len(words) == 2 and words[0].endswith("Jx") and words[1].endswith("Jy"):
            positive = terms[1]["coef"][1] > 0
            return words[0][:-1] + ("p" if positive else "m")
        return " + ".join(words[:2])
    return str(terms)


def _word(factor: Any) -> str:
    if isinstance(factor, str):
        return factor
    if isinstance(factor, Mapping):
        for key in ("sum", "left"):
            if key in factor:
                inner = factor[key]
                return f"sum {inner[0] if isinstance(inner, list) else inner}"
    return "…"
