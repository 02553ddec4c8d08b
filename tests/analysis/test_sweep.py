"""Sweeps of anything: steady states, spectra, own functions; parameters in step; continuation."""

import numpy as np
import pandas
import pytest

import wignerflow as wf


def decay(N, rate):
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(
        jumps=[wf.LocalJump(atoms.sm, rate), wf.LocalJump(atoms.sp, 1.0)], initial={atoms: wf.up}
    )
    return model, {"z": atoms.Jz}


def level(N, rate):
    return N / 2 * (1 - rate) / (1 + rate)


def test_steady_states_over_a_grid():
    data = wf.sweep(
        decay, {"N": [4, 6], "rate": [1.0, 3.0, 5.0]}, run=wf.steady_state, method="exact"
    )
    assert data["z"].dims == ("N", "rate") and float(abs(data["z_sem"]).max()) == 0
    want = [[level(N, rate) for rate in (1.0, 3.0, 5.0)] for N in (4, 6)]
    np.testing.assert_allclose(data["z"], want, atol=1e-9)


def test_parameters_that_change_together():
    pairs = {("N", "rate"): [(4, 3.0), (6, 5.0), (8, 1.0)]}
    data = wf.sweep(decay, pairs, [0, 40.0], method="exact")
    assert dict(data["z"].sizes) == {"N": 3, "time": 2}
    np.testing.assert_array_equal(data["rate"], [3.0, 5.0, 1.0])
    assert data["rate"].dims == ("N",)
    for N, rate in pairs[("N", "rate")]:
        assert float(data["z"].sel(N=N)[-1]) == pytest.approx(level(N, rate), abs=1e-6)
    mixed = wf.sweep(
        decay, {("N",): [(4,), (6,)], "rate": [3.0]}, run=wf.steady_state, method="exact"
    )
    assert dict(mixed["z"].sizes) == {"N": 2, "rate": 1}


def test_functions_of_ones_own_and_seeds():
    seen = []

    def own(model, e_ops, seed):
        seen.append(seed)
        return {"twice": 2 * model.subsystems[0].N, "row": np.arange(3.0)}

    data = wf.sweep(decay, {"N": [4, 6], "rate": [1.0]}, run=own, seed=7)
    np.testing.assert_array_equal(data["twice"], [[8], [12]])
    assert data["row"].dims == ("N", "rate", "row_0")
    again = list(seen)
    wf.sweep(decay, {"N": [4, 6], "rate": [1.0]}, run=own, seed=7)
    assert seen[2:] == again and len(set(again)) == 2
    one = wf.sweep(lambda N: decay(N, 1.0)[0], {"N": [4, 6]}, run=lambda m: m.subsystems[0].N)
    np.testing.assert_array_equal(one["value"], [4, 6])


def test_spectra_with_their_own_frequencies():
    def line(rate):
        atoms = wf.Ensemble(1, name="atoms")
        model = wf.Model(jumps=[wf.LocalJump(atoms.sm, rate), wf.LocalJump(atoms.sp, 1.0)],
                         initial={atoms: wf.up})  # fmt: skip
        return model, (atoms.Jp, atoms.Jm)

    def run(model, ops):
        width = 2 + 2 * model.jumps[0].rate
        return wf.spectrum(
            model, *ops, np.linspace(0, 40 / width, 129), method="exact", order="plain"
        )

    data = wf.sweep(line, {"rate": [1.0, 3.0]}, run=run)
    assert data["spectrum"].dims == ("rate", "omega") and data["omegas"].dims == ("rate", "omega")
    for k, rate in enumerate((1.0, 3.0)):  # a Lorentzian of full width 1 + rate
        S, omega = data["spectrum"][k].values, data["omegas"][k].values
        half = np.interp((1 + rate) / 2, omega, S)
        assert half / S.max() == pytest.approx(0.5, abs=0.06)


def kerr(F):
    """A driven Kerr mode with two stable branches between F = 1.7 and 2.5 or so."""
    mode = wf.Mode(name="mode")
    H = -3.0 * mode.n + 0.25 * mode.adag**2 * mode.a**2 + F * (mode.a + mode.adag)
    return wf.Model(H, [wf.Jump(mode.a, 1.0)], initial={mode: wf.vacuum}), {"n": mode.n}


def test_continuation_shows_both_branches():
    forces = [1.0, 2.2, 4.5]
    options = {"ntraj": 256, "seed": 1, "dt": 0.02}
    data = wf.sweep(kerr, {"F": forces}, np.linspace(0, 10, 3), continued="F", **options)
    assert data["n"].dims == ("direction", "F", "time")
    up, down = data["n"].sel(direction="up")[:, -1], data["n"].sel(direction="down")[:, -1]
    assert float(down.sel(F=2.2)) > 3 * float(up.sel(F=2.2))  # the upper and the lower branch
    assert float(up.sel(F=4.5)) > 5
    np.testing.assert_allclose(data["n"].sel(direction="down", F=4.5)[0], up.sel(F=4.5), rtol=1e-6)
    alone = wf.sweep(kerr, {"F": forces}, np.linspace(0, 10, 3), **options)
    np.testing.assert_array_equal(alone["n"][0], data["n"].sel(direction="up")[0])
    assert len(np.unique(data["seed"])) == 6


@pytest.mark.parametrize("method", ["mean-field", "exact", wf.Cumulant(), "auto"])
def test_without_trajectories_nothing_is_continued(method):
    with pytest.raises(ValueError, match=r"`continued` must be None for method=.*'twa'"):
        wf.sweep(decay, {"N": [2, 3], "rate": [1.0]}, [0, 1], continued="N", method=method)


def test_what_is_refused():
    refusals = [
        ({"params": {("N", "N"): [(1, 2)]}}, "hold every name once"),
        ({"params": {("N", "rate"): [(1,)]}}, "hold 2 values at every place"),
        ({"run": None}, "`tlist` must be given"),
        ({"tlist": [0, 1]}, "`tlist` must be given to `wf.solve` alone"),
        ({"run": 3}, "`run` must be a function"),
        ({"continued": "N"}, "`continued` must be None with `run`"),
        ({"continued": "M"}, "Did you mean 'N'|must be one of"),
        ({"run": lambda m, e: [None]}, "return numbers"),
        ({"run": lambda m, e: np.arange(m.subsystems[0].N)}, "same names and shapes"),
    ]
    for change, message in refusals:
        given = {"params": {"N": [2, 3], "rate": [1.0]}, "run": wf.steady_state, **change}
        with pytest.raises((ValueError, TypeError), match=message):
            wf.sweep(decay, given.pop("params"), **given)


def test_tables(tmp_path):
    chain = wf.Spin(name="chain", count=2)
    model = wf.Model(0.5 * chain.sx.sum(), initial={chain: wf.down})
    e_ops = {"z": chain.sz, "m": chain.sm[0]}
    result = wf.solve(model, [0, 0.5, 1.0], e_ops=e_ops, method="exact")
    data = result.to_pandas()
    np.testing.assert_array_equal(data["z[1]"], result.expect["z"][:, 1])
    np.testing.assert_array_equal(data["m_sem"], result.sem["m"])
    assert list(data.index) == [0, 0.5, 1.0] and data.index.name == "time"
    result.save(tmp_path / "a.csv")
    with pytest.raises(ValueError, match=r"means and errors alone: `pandas\.read_csv"):
        wf.load(tmp_path / "a.csv")
    back = pandas.read_csv(tmp_path / "a.csv", index_col="time")
    np.testing.assert_allclose(back["z[0]"], result.expect["z"][:, 0], rtol=1e-15)
    np.testing.assert_allclose(back["m_imag"], result.expect["m"].imag, rtol=1e-15)
    labelled = result.to_xarray(units={"time": "µs", "z": "1"})
    assert labelled["time"].attrs == {"long_name": "time", "units": "µs"}
    assert labelled["z"].attrs["units"] == labelled["z_sem"].attrs["units"] == "1"
    assert "units" not in labelled["m"].attrs
    with pytest.raises(KeyError, match="Z"):
        result.to_xarray(units={"Z": "1"})
