"""Several methods on one model: overlay, deviations, refusals, files."""

from __future__ import annotations

import numpy as np
import pytest
import xarray

import wignerflow as wf


@pytest.fixture(scope="module")
def laser():
    N = 20
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(
        jumps=[wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 0.25 * N)], initial={atoms: wf.up}
    )
    e_ops = {"emission": atoms.Jp * atoms.Jm, "field": atoms.Jm, "inversion": atoms.Jz}
    return model, np.linspace(0, 0.4, 9), e_ops


@pytest.fixture(scope="module")
def comparison(laser):
    model, t, e_ops = laser
    methods = ["mean-field", "twa", "exact", wf.GeneralizedP(), "jumps"]
    return wf.compare(
        model, t, e_ops=e_ops, methods=methods, ntraj=512, seed=3, progress=False, threads=1
    )


def test_results_are_those_of_solve(laser, comparison):
    model, t, e_ops = laser
    assert list(comparison.results) == ["mean-field", "twa", "exact", "jumps"]
    alone = wf.solve(model, t, e_ops=e_ops, ntraj=512, seed=3, progress=False)
    np.testing.assert_array_equal(comparison["twa"].expect["emission"], alone.expect["emission"])
    assert comparison.reference == "exact"


def test_deviations_and_table(comparison):
    found = comparison.deviations()["emission"]
    exact, twa = comparison["exact"], comparison["twa"]
    gap = np.abs(twa.expect["emission"] - exact.expect["emission"])
    assert found["twa"].value == gap.max()
    assert found["twa"].error == twa.sem["emission"][np.argmax(gap)] > 0
    assert found["twa"].time == exact.times[np.argmax(gap)]
    assert found["mean-field"].error == 0 and found["mean-field"].value > found["twa"].value
    assert found["jumps"].value < 5 * found["jumps"].error
    text = repr(comparison)
    assert "Comparison with exact" in text and "±" in text and "%" in text
    assert len([line for line in text.splitlines() if line.split()[:1] == ["jumps"]]) == 3


def test_refusals_are_listed(laser, comparison):
    (label,) = comparison.refused
    assert label.startswith("GeneralizedP") and "cannot treat" in comparison.refused[label]
    assert f"  {label}: none, Method" in repr(comparison)
    with pytest.raises(KeyError, match="gave no result"):
        comparison[label]
    model, t, e_ops = laser
    with pytest.raises(ValueError, match="cannot treat this model"):
        wf.compare(model, t, e_ops=e_ops, methods=[wf.GeneralizedP()])


def test_reference_without_exact(laser):
    model, t, e_ops = laser
    for methods, want in ((["mean-field", "jumps"], "jumps"), (["mean-field"], "mean-field")):
        out = wf.compare(model, t, e_ops=e_ops, methods=methods, ntraj=64, seed=1, progress=False)
        assert out.reference == want
    assert "emission" in repr(out)


def test_plot_draws_the_reference_dashed_in_black(comparison):
    import matplotlib.pyplot as plt

    upper, lower = comparison.plot(["emission"])[:, 0]
    dashed = [line for line in upper.lines if line.get_linestyle() == "--"]
    assert len(upper.lines) == 4 and [line.get_color() for line in dashed] == ["black"]
    assert lower.get_ylabel() == "minus exact"
    plt.close(upper.figure)


def test_dataset_and_file(comparison, tmp_path):
    data = comparison.to_xarray()
    assert list(data["method"].values) == ["mean-field", "twa", "exact", "jumps"]
    assert data["emission"].dims == ("method", "time") and data["field"].dtype == complex
    comparison.save(tmp_path / "c.nc")
    with xarray.open_dataset(tmp_path / "c.nc", engine="h5netcdf") as read:
        np.testing.assert_array_equal(
            read["emission"].sel({"method": "twa"}), comparison["twa"].expect["emission"]
        )
        np.testing.assert_array_equal(
            read["field_imag_sem"].sel({"method": "jumps"}), comparison["jumps"].sem["field"].imag
        )
        assert read.attrs["reference"] == "exact" and "GeneralizedP" in read.attrs["refused"]


def test_undefined_values_are_said_to_be_so():
    c = wf.Mode(name="c", cutoff=4)
    model = wf.Model(c.n, [wf.Jump(c.a, 1.0)], initial={c: wf.fock(1)})
    e_ops = {"g2": wf.g2(c.a), "n": c.n}
    out = wf.compare(model, [0, 1.0], e_ops=e_ops, methods=["exact", wf.Exact("blocks")])
    assert out.deviations()["g2"]["Exact('blocks')"].value == 0
    dark = wf.Model(c.n, [wf.Jump(c.a, 1.0)], initial={c: wf.vacuum})
    out = wf.compare(dark, [0, 1.0], e_ops=e_ops, methods=["exact", "mean-field"])
    line = next(x for x in repr(out).splitlines() if x.split()[:1] == ["g2"])
    assert "undefined" in line and "nan" not in repr(out)


def test_bad_input(laser):
    model, t, e_ops = laser
    with pytest.raises(TypeError, match="`methods` must be a list"):
        wf.compare(model, t, e_ops=e_ops, methods="twa")
    with pytest.raises(ValueError, match="`methods` must hold at least one"):
        wf.compare(model, t, e_ops=e_ops, methods=[])
    with pytest.raises(ValueError, match="`method` must be one of"):
        wf.compare(model, t, e_ops=e_ops, methods=["tva"])
    with pytest.raises(ValueError, match="belongs to one run"):
        wf.compare(model, t, e_ops=e_ops, methods=["exact"], checkpoint="x.nc")
    with pytest.raises(TypeError, match=r"wf\.Model"):
        wf.compare(1, t, e_ops=e_ops)
