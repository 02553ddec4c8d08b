"""Every way into the library says the same of a method that is wrong.

One model, in which the truncated Wigner approximation is off by far more than 5 %, goes through all
of them. A new public function that runs methods must be added to the table.
"""

import contextlib
import inspect
import io
import warnings

import numpy as np
import pytest

import wignerflow as wf

from .few import few

T = np.linspace(0, 3, 4)
TAUS = np.linspace(0, 4, 9)
RUN = {"ntraj": 2048, "seed": 1, "truncation": True}

#: Public functions of these packages that run no method of their own, or say why they are left out.
NOT_HERE = {
    "register": "enters methods",
    "relative": "a target",
    "ball_density": "of a result",
    "sphere_density": "of a result",
    "wigner_density": "of a result",
    "verify": "compares a method's equations with exact ones",
    "load": "below, as saved files",
}


def wrong(N=4):
    """A few emitters driven at the threshold of their collective decay."""
    s = wf.Ensemble(N, name="s")
    return s, wf.Model(0.5 * N * s.Jx, [wf.Jump(s.Jm, 1.0)], initial={s: wf.up})


def ops(s):
    return {"e": s.Jp * s.Jm, "z": s.Jz}


def of_N(N):
    s, model = wrong(N)
    return model, {"e": s.Jp * s.Jm}


def of_drive(drive):
    s = wf.Ensemble(4, name="s")
    model = wf.Model(drive * s.Jx, [wf.Jump(s.Jm, 1.0)], initial={s: wf.up})
    return model, {"e": s.Jp * s.Jm}


def solve(tmp):
    s, model = wrong()
    out = wf.solve(model, T, e_ops=ops(s), **RUN)
    return out.stats, out.truncation["e"], out.step_error["e"]


def saved(tmp):
    s, model = wrong()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wf.solve(model, T, e_ops=ops(s), **RUN).save(tmp / "run.nc")
    out = wf.load(tmp / "run.nc")
    for text in out.stats["warnings"]:
        warnings.warn(text, wf.AccuracyWarning, stacklevel=1)  # a file has warned when it was made
    return out.stats, out.truncation["e"], out.step_error["e"]


def steady_state(tmp):
    s, model = wrong()
    out = wf.steady_state(model, {"e": s.Jp * s.Jm}, **RUN)
    return out.stats, out.truncation["e"], out.step_error["e"]


def correlation(tmp):
    s, model = wrong()
    out = wf.correlation(model, s.Jp, s.Jm, TAUS, **RUN)
    return out.stats, out.truncation, out.step_error


def spectrum(tmp):
    s, model = wrong()
    out = wf.spectrum(model, s.Jp, s.Jm, TAUS, **RUN)
    return out.stats, out.truncation, out.step_error


def photons(tmp):
    _, model = wrong()
    out = wf.photons(model, model.given[0], bins=T, **RUN)
    flux = out.flux()
    assert "truncation" in repr(flux) and "step error" in repr(flux)
    return out.stats, flux.truncation, flux.step_error


def sweep(tmp):
    out = wf.sweep(of_drive, {"drive": [2.0, 2.2]}, T, **RUN)
    stats = {"warnings": out.attrs["warnings"].split("\n"), "truncation": out.attrs["truncation"]}
    return stats, out["e_truncation"].values, out["e_step_error"].values


def sweep_of_steady_states(tmp):
    out = wf.sweep(of_drive, {"drive": [2.0]}, run=wf.steady_state, **RUN)
    stats = {"warnings": out.attrs["warnings"].split("\n"), "truncation": out.attrs["truncation"]}
    return stats, out["e_truncation"].values, out["e_step_error"].values


def compare(tmp):
    s, model = wrong()
    out = wf.compare(model, T, e_ops=ops(s), methods=["exact", "twa"], **RUN)["twa"]
    return out.stats, out.truncation["e"], out.step_error["e"]


def fit(tmp):
    model, e_ops = of_drive(2.0)
    right = wf.solve(model, T, e_ops=e_ops, method="exact").expect["e"]
    data = {"time": T[1:], "e": right[1:], "e_sem": np.full(3, 0.2)}
    out = wf.fit(of_drive, data, {"drive": 2.0}, ntraj=4096, truncation=True)
    assert "truncation" in repr(out)
    values = np.array([out.truncation["drive"]]), np.array([out.step_error["drive"]])
    return out.result.stats, *values


def certify(tmp):
    out = wf.certify(of_N, T, N=6, small=(2, 4), ntraj=4000, small_ntraj=4000)
    line = out.lines["e"]
    stats = {"warnings": list(out.notes), "truncation": "exact solutions"}
    return stats, np.array([line.truncation]), np.array([line.step])


FILE = """
H = [{ coef = 2.0, factors = ["s.Jx"] }]

[[subsystems]]
kind = "ensemble"
name = "s"
N = 4
initial = "up"

[[jumps]]
type = "collective"
op = "s.Jm"
rate = 1.0

[e_ops]
e = { coef = 1.0, factors = ["s.Jp", "s.Jm"] }

[run]
tlist = { start = 0.0, stop = 3.0, points = 4 }
ntraj = 2048
seed = 1
truncation = true
output = "out"
"""


def model_file(tmp):
    from wignerflow.cli import main

    (tmp / "model.toml").write_text(FILE)
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.chdir(tmp):
        assert main(["run", "model.toml"]) == 0
    for line in told.getvalue().splitlines():  # what a terminal is told
        if line.startswith("warning: ") or "warning: " in line:
            warnings.warn(line, wf.AccuracyWarning, stacklevel=1)
    out = wf.load(tmp / "out.nc")
    return out.stats, out.truncation["e"], out.step_error["e"]


TABLE = {
    "solve": solve,
    "saved": saved,
    "steady_state": steady_state,
    "correlation": correlation,
    "spectrum": spectrum,
    "photons": photons,
    "sweep": sweep,
    "sweep(run=steady_state)": sweep_of_steady_states,
    "compare": compare,
    "fit": fit,
    "certify": certify,
    "model file": model_file,
}


#: What goes through two ways, each of which is in the table, is a slow test.
SINGLE = [name for name in TABLE if name != "sweep(run=steady_state)"]


@pytest.mark.parametrize("entry", few(TABLE, SINGLE))
def test_the_same_is_said(entry, tmp_path):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        stats, truncation, step = TABLE[entry](tmp_path)
    mine = [str(w.message) for w in heard if issubclass(w.category, wf.AccuracyWarning)]
    assert len(mine) == 1, mine
    assert "is off by about" in mine[0] and "by the method itself" in mine[0]
    assert any("is off by about" in w for w in stats["warnings"])
    assert "exact" in stats["truncation"]
    assert np.nanmax(truncation) > 0.02 and np.all(np.isfinite(truncation))
    assert np.all(np.isfinite(step)) and np.all(step >= 0)


def test_exact_ones_say_that_they_are(tmp_path):
    """The control: the same calls by the exact method warn of nothing, and state zero."""
    s, model = wrong()
    exact = {"method": "exact", "truncation": True}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [
            wf.solve(model, T, e_ops=ops(s), **exact).truncation["e"],
            wf.steady_state(model, ops(s), **exact).truncation["e"],
            wf.correlation(model, s.Jp, s.Jm, TAUS, **exact).truncation,
            wf.spectrum(model, s.Jp, s.Jm, TAUS, **exact).truncation,
            wf.photons(model, model.given[0], bins=T, **exact).flux().truncation,
            wf.sweep(of_drive, {"drive": [2.0]}, T, **exact)["e_truncation"].values,
        ]
    assert all(np.all(value == 0) for value in found)


def test_none_is_forgotten():
    """Public functions of the packages that run methods are in the table."""
    public = {
        name
        for name in dir(wf)
        if inspect.isfunction(f := getattr(wf, name))
        and f.__module__.split(".")[1] in ("analysis", "solving", "run", "result")
    }
    assert public == {name for name in TABLE if name.isidentifier() and name != "saved"} | set(
        NOT_HERE
    )
