"""wf.fit against data made by closed forms and by the model itself."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest

import wignerflow as wf

T = np.linspace(0, 3, 25)


def cavity(rate: float, detuning: float) -> Any:
    a = wf.Mode(name="a")
    model = wf.Model(detuning * a.n, [wf.Jump(a.a, rate)], initial={a: wf.coherent(2)})
    return model, {"n": a.n, "x": a.a + a.adag}


def curves(rate: float, detuning: float) -> dict[str, np.ndarray]:
    amplitude = 4 * np.exp(-rate * T / 2) * np.cos(detuning * T)
    return {"time": T, "n": 4 * np.exp(-rate * T), "x": amplitude}


def noisy(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    data = curves(0.8, 1.3)
    for name in ("n", "x"):
        data[f"{name}_sem"] = np.full(T.size, 0.05)
        data[name] = data[name] + 0.05 * rng.standard_normal(T.size)
    return data


@cache
def fitted(seed: int) -> wf.Fit:
    return wf.fit(cavity, noisy(seed), {"rate": 0.5, "detuning": 1.0}, method="mean-field")


@pytest.mark.slow
def test_errors_are_those_of_repeated_fits() -> None:
    z = []
    for seed in range(15):
        found = fitted(seed)
        z += [
            (found.values[k] - v) / found.errors[k] for k, v in (("rate", 0.8), ("detuning", 1.3))
        ]
    assert 0.65 < np.sqrt(np.mean(np.square(z))) < 1.35  # 30 numbers: a spread of 0.13
    assert found.absolute and found.covariance.shape == (2, 2)
    assert "rate" in repr(found) and "±" in repr(found)


def test_errors_of_data_without_errors_follow_from_the_scatter() -> None:
    data = noisy(3)
    with_errors = fitted(3)
    bare = {k: v for k, v in data.items() if not k.endswith("_sem")}
    without = wf.fit(cavity, bare, {"rate": 0.5, "detuning": 1.0}, method="mean-field")
    assert not without.absolute
    with pytest.raises(
        TypeError, match=r"take \.values\['rate'\], and its error \.errors\['rate'\]"
    ):
        without["rate"]  # type: ignore[index]
    ratio = without.errors["rate"] / with_errors.errors["rate"]
    assert ratio == pytest.approx(np.sqrt(with_errors.chi2 / with_errors.dof), rel=0.05)


def test_numbers_of_emitters_are_fitted_like_rates() -> None:
    def burst(N: float, rate: float) -> Any:
        atoms = wf.Ensemble(N, name="atoms")
        model = wf.Model(jumps=[wf.Jump(atoms.Jm, rate)], initial={atoms: wf.up})
        return model, {"emission": atoms.Jp * atoms.Jm}

    t = np.linspace(0, 0.1, 21)
    model, e_ops = burst(100, 1.0)
    exact = wf.solve(model, t, e_ops=e_ops, method="exact").expect["emission"]
    data = {"time": t, "emission": exact, "emission_sem": np.full(21, 0.02 * exact.max())}
    found = wf.fit(burst, data, {"N": 70.0, "rate": 1.3}, ntraj=4000)
    for name, right in (("N", 100), ("rate", 1.0)):
        assert abs(found.values[name] - right) < 3 * found.errors[name] < 0.3 * right
    assert not found.values["N"].is_integer()
    with pytest.raises(ValueError, match="positive integer"):  # only inside a fit
        wf.Ensemble(2.5)
    with pytest.raises(ValueError, match="positive integer"):  # emitters are counted one by one
        wf.fit(burst, data, {"N": 70.5, "rate": 1.3}, method="exact")


@pytest.mark.slow
def test_bursts_are_recovered_from_noisy_data() -> None:
    """Number and pump of 20 exact records with 3 % noise, from guesses far off."""

    def laser(N: float, pump: float) -> Any:
        atoms = wf.Ensemble(N, name="atoms")
        jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, pump)]
        return wf.Model(jumps=jumps, initial={atoms: wf.up}), {"emission": atoms.Jp * atoms.Jm}

    right = {"N": 100.0, "pump": 25.0}
    t = np.linspace(0, 0.2, 41)
    model, e_ops = laser(100, 25.0)
    clean = wf.solve(model, t, e_ops=e_ops, method="exact").expect["emission"]
    error = np.full(t.size, 0.03 * clean.max())
    good = 0
    for seed in range(20):
        data = clean + error * np.random.default_rng(seed).standard_normal(t.size)
        table = {"time": t, "emission": data, "emission_sem": error}
        found = wf.fit(laser, table, {"N": 65.0, "pump": 14.0}, ntraj=2000, seed=seed)
        off = [abs(found.values[k] - v) < 3 * found.errors[k] for k, v in right.items()]
        good += all(off)
        assert all(found.errors[k] < 0.1 * v for k, v in right.items())
    assert good >= 18


def test_a_parameter_that_moves_nothing_is_named() -> None:
    def rounded(rate: float, idle: float) -> Any:
        return cavity(rate, 1.3)

    with pytest.warns(UserWarning, match="No curve moves with idle"):
        found = wf.fit(rounded, noisy(1), {"rate": 0.5, "idle": 2.0}, method="mean-field")
    assert found.values["idle"] == 2.0 and np.isinf(found.errors["idle"])
    assert abs(found.values["rate"] - 0.8) < 4 * found.errors["rate"]


def test_the_last_run_alone_warns() -> None:
    """Where every run of a fit would warn, the fit warns as one run would."""

    def decay(rate: float) -> Any:
        atoms = wf.Ensemble(6, name="atoms")
        model = wf.Model(jumps=[wf.LocalJump(atoms.sm, rate)], initial={atoms: wf.up})
        return model, {"excited": atoms.Jz / 6 + 0.5}

    t = np.linspace(0, 1, 11)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = wf.fit(decay, {"time": t, "excited": np.exp(-3 * t)}, {"rate": 2.0}, ntraj=256)
    said = [str(w.message) for w in seen]
    assert (
        found.evaluations > 10
        and len(said) == len(set(said)) == len(found.result.stats["warnings"]) > 0
    )


@pytest.mark.parametrize("kind", ["dataset", "frame"])
def test_kinds_of_data(kind: str) -> None:
    data: Any = noisy(2)
    plain = fitted(2)
    if kind == "dataset":
        xarray = pytest.importorskip("xarray")
        table = xarray.Dataset(
            {k: ("time", v) for k, v in data.items() if k != "time"}, {"time": data["time"]}
        )
    else:
        table = pytest.importorskip("pandas").DataFrame(data)
    assert wf.fit(cavity, table, plain.values, method="mean-field").values == pytest.approx(
        plain.values, rel=1e-3
    )


def test_plot_has_one_panel_per_observable() -> None:
    found = fitted(2)
    axes = found.plot(c="black")
    assert {
        line.get_color() for ax in axes for line in ax.lines if line.get_label() == "model"
    } == {"black"}
    assert [ax.get_ylabel() for ax in np.atleast_1d(axes)] == ["n", "x"]


@pytest.mark.parametrize(
    ("data", "start", "message"),
    [
        ({"n": T}, {"rate": 1.0, "detuning": 1.0}, "`data` must hold `time`"),
        ({"time": T, "y": T}, {"rate": 1.0, "detuning": 1.0}, "named like an observable"),
        ({"time": T, "n": T[:3]}, {"rate": 1.0, "detuning": 1.0}, "have shape"),
        ({"time": T, "n": T, "x": T, "n_sem": T + 1}, {"rate": 1.0, "detuning": 1.0}, "'x_sem'"),
        ({"time": T, "n": T, "n_sem": -T}, {"rate": 1.0, "detuning": 1.0}, "non-negative"),
        ({"time": T, "n": T}, {}, "map every parameter"),
        ({"time": T, "n": T}, {"rate": "1", "detuning": 1.0}, "be a real number"),
        ({"time": T[:2], "n": T[:2]}, {"rate": 1.0, "detuning": 1.0}, "more than 2 points"),
    ],
)
def test_bad_input(data: Any, start: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        wf.fit(cavity, data, start, method="mean-field")
