"""Every registered figure keeps one contract; the tables say what the data say."""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import xarray

from wignerflow.figures import REGISTRY, ruks_2a, ruks_2a_inset
from wignerflow.figures.contract import Check, Figure, deviations, in_title, keeps, save, table
from wignerflow.figures.data import add_curve, dataset
from wignerflow.files import write_atomic
from wignerflow.result import Result


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes that take a second; N = 1000 and the like stay out."""
    monkeypatch.setattr(ruks_2a, "NUMBERS", (10, 100))
    monkeypatch.setattr(ruks_2a_inset, "QUICK", {10: 1, 18: 1, 32: 1, 180: 1})
    monkeypatch.setattr(ruks_2a_inset, "STEP", 0.025)


@pytest.fixture(scope="module")
def made() -> dict[str, xarray.Dataset]:
    return {}


def data_of(figure: Figure, made: dict[str, xarray.Dataset]) -> xarray.Dataset:
    """The small version of a figure's data, computed once."""
    if figure.name not in made:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            made[figure.name] = figure.make(True, ntraj=2000, seed=3)
    return made[figure.name]


#: Figures whose quick version is looked at in every run of the tests; the others are slow tests.
FAST = ("ruks-2a",)
registered = pytest.mark.parametrize("figure", REGISTRY.values(), ids=REGISTRY)
every = pytest.mark.parametrize(
    "figure",
    [
        pytest.param(figure, id=name, marks=() if name in FAST else pytest.mark.slow)
        for name, figure in REGISTRY.items()
    ],
)


@registered
def test_registered_under_its_name_with_a_source(figure: Figure) -> None:
    assert REGISTRY[figure.name] is figure
    assert re.fullmatch(r"[a-z]+-\d+[a-z]*(-[a-z]+)?", figure.name)
    assert "Fig. " in figure.source and len(figure.title) > 10


@every
def test_data_keep_the_contract(figure: Figure, made: dict[str, xarray.Dataset]) -> None:
    data = data_of(figure, made)
    assert data.attrs["figure"] == figure.name and data.attrs["source"] == figure.source
    curves = [v for v in data.data_vars.values() if "method" in v.attrs]
    assert {c.attrs["method"] for c in curves} & {"twa", "spin-twa", "generalized-p", "mean-field"}
    for curve in curves:
        assert np.all(np.isfinite(curve)), curve.name
        assert curve.attrs["long_name"] and curve.attrs["units"]
        if "ntraj" not in curve.attrs:
            assert "sem" not in curve.attrs
            continue
        assert curve.attrs["ntraj"] == 2000 and curve.attrs["seed"] == "3"
        sem = data[curve.attrs["sem"]]
        assert sem.name == f"{curve.name}_sem" and sem.dims == curve.dims
        assert np.all(sem >= 0) and np.any(sem > 0)
        if "reference" in curve.attrs:
            assert data[curve.attrs["reference"]].attrs["method"] == "exact"


@pytest.mark.parametrize("name", FAST)
def test_sampled_curves_agree_with_exact(name: str, made: dict[str, xarray.Dataset]) -> None:
    """Wide enough for the error of the method, narrow enough for a wrong sign or rate."""
    found = [d for d in deviations(data_of(REGISTRY[name], made)) if math.isfinite(d.value)]
    assert found
    for d in found:
        scale = 15 if d.curve.startswith(("squeezing", "subradiance")) else 1
        assert d.value < 5 * d.sem + 0.01 * scale, d.curve


#: Largest deviation of a sampled curve at any time, of the forms of TWA on single spins: errors
#: of the method, which a wrong sign, rate or index order exceeds.
SPINS = {
    "hosseinabadi-2": 0.17,
    "hosseinabadi-3": 0.15,
    "hosseinabadi-4": 0.06,
    "hosseinabadi-5": 0.06,
    "hosseinabadi-6": 0.08,
    "hosseinabadi-7": 0.06,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPINS)
def test_single_spins_agree_with_exact(name: str, made: dict[str, xarray.Dataset]) -> None:
    found = [d for d in deviations(data_of(REGISTRY[name], made)) if math.isfinite(d.value)]
    assert found
    for d in found:
        assert d.value < 4 * d.sem + SPINS[name], d.curve


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "curve"),
    [
        ("hosseinabadi-3", "photons_N15"),
        ("hosseinabadi-4", "population"),
        ("hosseinabadi-4", "steady"),
    ],
)
def test_cumulants_fail_where_the_paper_says(
    name: str, curve: str, made: dict[str, xarray.Dataset]
) -> None:
    """Their largest error is more than TWA's, around the first maximum and in the steady state."""
    data = data_of(REGISTRY[name], made)
    exact = data[f"{curve}_exact"].values
    wrong = np.abs(data[f"{curve}_ce"].values - exact).max()
    change = np.abs(data[f"{curve}_spins"].values - exact)
    assert np.all(change + 4 * data[f"{curve}_spins_sem"].values < wrong)


@every
def test_files_are_written_and_read_back(
    figure: Figure, made: dict[str, xarray.Dataset], tmp_path: Path
) -> None:
    data = data_of(figure, made)
    files = save(figure, data, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{figure.name}.nc", f"{figure.name}.png"]
    assert files[1].read_bytes().startswith(b"\x89PNG")
    with xarray.open_dataset(files[0], engine="h5netcdf") as back:
        for name in data.data_vars:
            np.testing.assert_array_equal(back[name], data[name])
        assert table(figure, back.load()) == table(figure, data)


@every
def test_table_names_every_curve(figure: Figure, made: dict[str, xarray.Dataset]) -> None:
    data = data_of(figure, made)
    text = table(figure, data)
    assert figure.name in text and figure.source in text
    for d in deviations(data):
        assert d.curve in text
    for check in figure.checks(data):
        assert check.what in text


def test_same_seed_gives_same_data() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        figure = REGISTRY["ruks-2a"]
        first, second, other = (
            figure.make(True, ntraj=256, seed=seed, threads=threads)
            for seed, threads in ((1, 1), (1, 2), (2, 2))
        )
    assert first.identical(second)
    assert not np.array_equal(first["emission_N10_twa"], other["emission_N10_twa"])


# ---------------------------------------------------------------- the parts of the contract


def result(values: list[float], sem: list[float] | None) -> Result:
    zero = np.zeros(len(values))
    return Result(
        np.arange(float(len(values))),
        {"x": values},
        {"x": zero if sem is None else sem},
        {"x": zero},
        method="exact" if sem is None else "twa",
        ntraj=0 if sem is None else 100,
        seed=None if sem is None else 5,
        dt=None if sem is None else 0.5,
        stats={"warnings": [] if sem is None else ["careful."]},
    )


@pytest.fixture
def toy() -> xarray.Dataset:
    data = dataset({"time": np.arange(4.0)})
    exact = result([1, 2, 3, 4], None)
    twa = result([1.0, 2.25, 2.5, 4.0], [0, 0.1, 0.2, 0.3])
    add_curve(data, "x_exact", "time", exact, "x", label="x, exact", N=7)
    add_curve(
        data, "x_twa", "time", twa, "x", label="x, twa", reference="x_exact", required=0.3, N=7
    )
    add_curve(data, "y_twa", "time", twa, "x", label="y, twa", N=8)
    return data


def toy_figure(data: xarray.Dataset, checks: list[Check] | None = None) -> Figure:
    return Figure(
        name="toy",
        title="A toy",
        source="A paper, Fig. 1",
        compute=lambda asked: data,
        draw=lambda d: matplotlib.figure.Figure(),
        checks=lambda d: checks or [],
    )


def test_deviation_is_the_largest_with_its_own_error(toy: xarray.Dataset) -> None:
    first, second = deviations(toy)
    assert (first.value, first.sem, first.where) == (0.5, 0.2, 2.0)
    assert first.required == 0.3 and first.met is None  # above by less than two errors
    assert math.isnan(second.value) and second.met is None and second.required is None


@pytest.mark.parametrize(
    ("value", "sem", "verdict"),
    [(0.3, 1.0, True), (0.5, 0.2, None), (0.5, 0.05, False), (1.4, 0.4, None), (2.5, 0.4, False)],
)
def test_verdicts(value: float, sem: float, verdict: bool | None) -> None:
    assert keeps(value, sem, 0.3) is verdict


def test_table_of_the_toy(toy: xarray.Dataset) -> None:
    checks = [Check("slope", 0.5, 0.1, "at least 0.8", False), Check("k", 3.0, None, "odd", True)]
    text = table(toy_figure(toy, checks), toy)
    assert re.search(r"x, twa +0\.5 ± 0\.2 +no estimate +2 +at most 0\.3 +open: more", text)
    assert re.search(r"y, twa +no exact curve +no estimate", text)
    assert re.search(r"slope +0\.50 ± 0\.10 +at least 0\.8 +NOT MET", text)
    assert re.search(r"k +3 +odd +met", text)
    assert text.count("careful.") == 2  # once per N


def test_stated_truncation_stands_beside_the_true_error() -> None:
    """Where the deviation is largest; without an exact curve the largest of all times."""
    data = dataset({"time": np.arange(4.0)})
    twa = result([1.0, 2.25, 2.5, 4.0], [0, 0.1, 0.2, 0.3])
    twa.truncation["x"] = np.array([0.1, 0.2, 0.45, 0.8])
    add_curve(data, "x_exact", "time", result([1, 2, 3, 4], None), "x", label="x, exact", N=7)
    add_curve(data, "x_twa", "time", twa, "x", label="x, twa", reference="x_exact", N=7)
    add_curve(data, "y_twa", "time", twa, "x", label="y, twa", N=8)
    assert [d.stated for d in deviations(data)] == [0.45, 0.8]
    assert data["x_twa_truncation"].values.tolist() == [0.1, 0.2, 0.45, 0.8]
    text = table(toy_figure(data), data)
    assert re.search(r"x, twa +0\.5 ± 0\.2 +0\.45 +2", text)
    assert re.search(r"y, twa +no exact curve +0\.8", text)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "x.nc"
    target.write_text("before")

    def broken(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomic(target, broken)
    assert [p.name for p in tmp_path.iterdir()] == ["x.nc"] and target.read_text() == "before"


def test_a_drawing_that_fails_costs_no_data(toy: xarray.Dataset, tmp_path: Path) -> None:
    def broken(data: xarray.Dataset) -> matplotlib.figure.Figure:
        raise RuntimeError("no drawing")

    figure = toy_figure(toy)
    object.__setattr__(figure, "draw", broken)
    with pytest.raises(RuntimeError, match="no drawing"):
        save(figure, toy, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["toy.nc"]


def test_exponent_of_a_known_power_law() -> None:
    N = np.array([10, 20, 40, 80, 160])
    data = xarray.Dataset(coords={"N": N})
    data["emission_deviation"] = ("N", 0.2 * N**-1.5)
    data["emission_deviation_sem"] = ("N", 0.01 * N**-1.5)
    exponent, sigma, prefactor = ruks_2a_inset.fit(data, "emission")
    assert exponent == pytest.approx(1.5) and prefactor == pytest.approx(0.2)
    assert sigma == pytest.approx(0.05 / np.sqrt(np.sum(np.log(N / N.mean()) ** 2)), rel=0.3)
    data["emission_deviation_sem"] = ("N", 1.0 * N**-1.5)  # nothing resolved
    assert math.isnan(ruks_2a_inset.fit(data, "emission")[0])


@pytest.mark.parametrize(
    ("number", "shown"), [(10, "10"), (100_000, "$10^5$"), (20_000, "20\u2009000")]
)
def test_numbers_in_titles(number: int, shown: str) -> None:
    assert in_title(number) == shown
