"""Unnamed subsystems are known by kind and place in their model, whatever else was made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.model.serialize import model_to_dict

from .golden import lanes

TIMES = np.array([0.0, 0.1])


def pair(first: wf.Ensemble, second: wf.Ensemble, cavity: wf.Mode) -> wf.Model:
    """Two unlike ensembles in a cavity, with noise of every kind."""
    J = first.Jm + second.Jm
    H = J * cavity.adag + J.dag() * cavity.a
    jumps: list[Any] = [wf.Jump(cavity.a, 1.0), wf.Jump(J, 0.2)]
    jumps += [wf.Jump(second.Jz, 0.1), wf.LocalJump(first.sp, 0.3)]
    return wf.Model(H, jumps, initial={first: wf.up, second: wf.down, cavity: wf.vacuum})


def observed(model: wf.Model) -> np.ndarray:
    """What single trajectories show: the noise itself, not its mean."""
    subs = model.subsystems
    e_ops = {"a": subs[0].Jz, "b": subs[1].Jx, "c": subs[2].n}
    return np.asarray(lanes(model, e_ops, wf.TWA())["observed"])


def unnamed(order: str, before: int) -> wf.Model:
    """The model of unnamed subsystems made in an order, others before them."""
    for _ in range(before):
        wf.Ensemble(3), wf.Mode()
    make = {"a": lambda: wf.Ensemble(20), "b": lambda: wf.Ensemble(30), "c": wf.Mode}
    made = {key: make[key]() for key in order}
    return pair(made["a"], made["b"], made["c"])


@pytest.mark.parametrize("order", ["abc", "bac", "cba"])
@pytest.mark.parametrize("before", [0, 9])
def test_noise_does_not_depend_on_what_was_made_before(order: str, before: int) -> None:
    """Trajectory by trajectory, in any order of creation."""
    expected = observed(unnamed("abc", 0))
    np.testing.assert_allclose(observed(unnamed(order, before)), expected, rtol=1e-9, atol=1e-9)


def test_names_are_the_ones_that_are_stored_and_printed() -> None:
    """One name per subsystem everywhere; a model read back has the same noise."""
    model = unnamed("bca", 2)
    data = model.to_dict()
    assert [s["name"] for s in data["subsystems"]] == ["ensemble", "ensemble2", "mode"]
    text = repr(model)
    assert "Ensemble(N=30, name='ensemble2')" in text and "ensemble2.Jz" in text
    assert r"\mathrm{ensemble2}" in model.latex()
    assert "ensemble2.Jx" in model.equations()
    again = wf.Model.from_dict(data)
    assert model_to_dict(again) == data
    np.testing.assert_allclose(observed(again), observed(model), rtol=1e-9, atol=1e-9)


def test_other_places_are_other_noise() -> None:
    """Negative control: the names do key the noise."""
    a, b, c = wf.Ensemble(20), wf.Ensemble(30), wf.Mode()
    model = pair(a, b, c)
    moved = wf.Model(model.H, model.given, initial={b: wf.down, a: wf.up, c: wf.vacuum})
    one = np.asarray(lanes(model, {"a": a.Jz}, wf.TWA())["observed"])
    two = np.asarray(lanes(moved, {"a": a.Jz}, wf.TWA())["observed"])
    assert np.abs(one - two).max() > 1e-3


def test_an_unrelated_subsystem_leaves_named_noise_alone() -> None:
    """Named subsystems keep their noise beside others, named or not, wherever those stand."""
    atoms, cavity = wf.Ensemble(20, name="atoms"), wf.Mode(name="cavity")
    H = atoms.Jm * cavity.adag + atoms.Jp * cavity.a
    jumps = [wf.Jump(cavity.a, 1.0), wf.LocalJump(atoms.sm, 0.5)]
    initial = {atoms: wf.up, cavity: wf.vacuum}
    e_ops = {"a": atoms.Jz, "b": cavity.n}
    alone = np.asarray(lanes(wf.Model(H, jumps, initial=initial), e_ops, wf.TWA())["observed"])
    for other in (wf.Ensemble(5), wf.Ensemble(5, name="a"), wf.Ensemble(5, name="z")):
        model = wf.Model(
            H + other.Jx, [wf.Jump(other.Jz, 0.1), *jumps], initial={other: wf.up, **initial}
        )
        both = np.asarray(lanes(model, e_ops, wf.TWA())["observed"])
        np.testing.assert_allclose(both, alone, rtol=1e-9, atol=1e-9)


def test_a_list_of_operators_is_told_apart() -> None:
    """Labels are the names of the model."""
    a, b = wf.Mode(), wf.Mode()
    model = wf.Model(jumps=[wf.Jump(a.a, 1.0)], initial={a: wf.coherent(1), b: wf.coherent(2)})
    result = wf.solve(model, [0.0, 0.1], e_ops=[a.n, b.n], method="exact")
    assert list(result.expect) == ["mode.n", "mode2.n"]


def test_given_names_come_first() -> None:
    """An unnamed subsystem gives way to one that was named so."""
    a, b = wf.Mode(), wf.Mode(name="mode")
    model = wf.Model(initial={a: wf.vacuum, b: wf.vacuum})
    assert [model.names[s] for s in (a, b)] == ["mode2", "mode"]


def test_unnamed_arrays_of_one_kind_are_not_taken_for_each_other() -> None:
    """A difference of products with weights exchanged is not zero."""
    a, b = wf.Spin(count=3), wf.Spin(count=3)
    u, v = np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 0.2])
    one = (u * a.sx).sum() * (v * b.sx).sum() - (v * a.sx).sum() * (u * b.sx).sum()
    assert not (1j * one).is_hermitian()
