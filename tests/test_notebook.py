"""What notebooks show of models, operators, subsystems and results; progress; pickles."""

import gc
import html.parser
import pickle
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import wignerflow as wf
from wignerflow import bars, progress
from wignerflow.html import curve, table

from .few import few


class Balanced(html.parser.HTMLParser):
    """Fails where a tag is not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.words = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def words(text):
    page = Balanced()
    page.feed(text)
    page.close()
    assert not page.open
    return " ".join(page.words)


def laser(N):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, N / 4)]
    return wf.Model(jumps=jumps, initial={atoms: wf.down}), {"<emission>": atoms.Jp * atoms.Jm}


@pytest.fixture(scope="module")
def results():
    model, e_ops = laser(6)
    t = np.linspace(0, 0.5, 11)
    comparison = wf.compare(model, t, e_ops=e_ops, methods=["exact", "cumulant", "mean-field"])
    atoms = model.subsystems[0]
    correlation = wf.correlation(
        model, atoms.Jp, atoms.Jm, np.linspace(0, 4, 33), method="exact", order="plain"
    )
    return {
        "result": comparison["cumulant"],
        "comparison": comparison,
        "spectrum": wf.spectrum(correlation),
        "correlation": correlation,
        "steady state": wf.steady_state(model, e_ops, "exact"),
        "certificate": wf.certify(
            laser, t, N=20, small=(4, 6), small_ntraj=2, ntraj=2, method="mean-field"
        ),
    }


def test_results_are_tables_that_hold_what_is_printed(results):
    for name, value in results.items():
        shown = words(value._repr_html_())
        for word in repr(value).split():
            if any(c.isdigit() for c in word) and "e-" not in word and name != "result":
                assert word.strip(",;():") in shown, (name, word)
    shown = results["result"]._repr_html_()
    assert "&lt;emission&gt;" in shown and "<emission>" not in shown  # names are no tags
    assert "<polyline" in shown


def test_little_curves_are_the_values():
    x = np.linspace(0, 2, 5)
    picture = ET.fromstring(curve(x, x**2, "a < b"))
    points = [tuple(map(float, p.split(","))) for p in picture[0].get("points").split()]
    across, up = np.array(points).T
    np.testing.assert_allclose(np.diff(across), np.diff(across)[0], atol=0.11)
    np.testing.assert_allclose((up[0] - up) / (up[0] - up[-1]), x**2 / 4, atol=0.01)
    assert curve(x, np.full(5, np.nan), "nothing") == ""
    assert picture.get("aria-label") == "a < b"


def test_tables_escape_all_but_pictures():
    shown = table("<b>", ["<i>"], [["<u>", curve(np.arange(3), np.arange(3), "y")]], ["<s>"])
    assert not any(tag in shown for tag in ("<b>", "<i>", "<u>", "<s>")) and "<svg" in shown


def test_models_and_operators_are_formulas():
    model, e_ops = laser(6)
    atoms = model.subsystems[0]
    assert model.latex() in model._repr_latex_() and model.latex() in model._repr_html_()
    assert "initially" in words(model._repr_html_()) and "down" in model._repr_html_()
    assert e_ops["<emission>"]._repr_latex_() == r"$\displaystyle J^{+}\,J^{-}$"
    chain = wf.Spin(name="chain", count=3)
    for op in (chain.sx, atoms.sm, wf.Mode().a):
        assert op._repr_latex_().startswith(r"$\displaystyle ")


@pytest.mark.parametrize(
    ("sub", "names"),
    [
        (wf.Ensemble(3), ["Jx", "Jm", "sm"]),
        (wf.Mode(count=2), ["a", "adag", "n"]),
        (wf.Levels(3, ["g", "e"]), ["op", "pop", "one_matrix"]),
        (wf.Levels.spin(1, 3), ["Sx", "op"]),
    ],
    ids=repr,
)
def test_subsystems_list_their_operators(sub, names):
    shown = sub._repr_html_()
    for name in names:
        assert f">.{name}</td>" in shown
    assert '<td style="text-align:left"></td>' not in shown  # each is described
    assert (".Sx" in shown) == (".Sx" in [f".{n}" for n in names])


@pytest.fixture
def seen(monkeypatch):
    """What bars show: (their name, share or text), and "closed"."""
    monkeypatch.setattr(bars, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(bars, "UPDATE_SECONDS", 0.0)
    monkeypatch.setattr(bars, "in_notebook", lambda: True)
    found = []

    class Bar:
        n, text = 0, None

        def set_postfix_str(self, text, refresh):
            self.text = text

        def refresh(self):
            found.append((self.layout, self.n if self.text is None else self.text))

        def close(self):
            found.append("closed")

    def new(total, layout):
        bar = Bar()
        bar.layout = layout.split(": {")[0].split(" {")[0]
        return bar

    monkeypatch.setattr(bars, "new_bar", new)
    return found


def shares(seen, bar):
    return [s[1] for s in seen if s[0] == bar]


@pytest.mark.parametrize("what", ["exact", "jumps", "cumulant", "certify", "sweep"])
def test_work_that_lasts_shows_how_far_it_is(what, seen):
    model, e_ops = laser(6)
    atoms, t = model.subsystems[0], np.linspace(0, 40, 5)
    for wanted in (False, True):
        if what == "sweep":
            wf.sweep(laser, {"N": [2, 3, 4]}, t, method="exact", progress=wanted)
        elif what == "certify":
            options = {"small_ntraj": 2, "ntraj": 2, "method": "mean-field", "progress": wanted}
            wf.certify(laser, [0, 0.1], N=20, small=(4, 6), **options)
        else:
            H = 2.0 * atoms.Jx if what != "jumps" else None  # runs of a classical process are quick
            driven = wf.Model(H, model.jumps, initial={atoms: wf.down})
            wf.solve(driven, t, e_ops=e_ops, method=what, progress=wanted, ntraj=2000)
        assert bool(seen) == wanted
    assert {s[0] for s in seen if s != "closed"} == {what} and seen[-1] == "closed"
    done = shares(seen, what)
    assert done == sorted(done) and done[0] < 50 < done[-1] <= 100


def of_a_cavity(what, progress, seen):
    """Some calculation of the light of a cavity, and the bars that it is to show."""
    a = wf.Mode(name="a")
    out = wf.Jump(a.a, 1.0)
    model = wf.Model(0.3 * (a.a + a.adag), [out], initial={a: wf.vacuum})
    options = {"ntraj": 1024, "seed": 1, "dt": 0.1, "truncation": False, "progress": progress}
    if what == "steady_state":
        # an average that begins at 3, where the slowest part of n has fallen to 0.2
        found = wf.steady_state(model, {"n": a.n}, controls=True, **options)
        T = [f"steady_state, to t = {2.0**-k * 2 * found.stats['relaxed']:.3g}" for k in (1, 0)]
        return [*T, "steady_state, controls", "steady_state, error of the step"]
    if what == "photons":
        wf.photons(model, out, width=0.2, window=1.0, t="steady", **{**options, "dt": None})
        first = next((s[0] for s in seen if "rest" in s[0]), "no bar")
        return [first, "photons", "photons, error of the step"]
    taus = np.linspace(0, 1, 6)
    if what == "correlation":
        wf.correlation(model, a.adag, a.a, taus, **options)
        return [next((s[0] for s in seen if "rest" in s[0]), "no bar"), "correlation"]
    if what == "spectrum":
        wf.spectrum(model, a.adag, a.a, taus, relax=3.0, order="plain", **options)
        return ["correlation"]
    ops = (a.adag, a.adag, a.a, a.a)
    wf.correlation(model, ops=ops, taus=taus, t=1.0, method="jumps", **options)
    return ["correlation"]


@pytest.mark.parametrize(
    "what", few(["steady_state", "photons", "correlation", "spectrum", "jumps"], 2)
)
def test_what_is_made_of_trajectories_shows_how_far_it_is(what, seen):
    of_a_cavity(what, False, seen)
    assert not seen
    bars = of_a_cavity(what, True, seen)
    for bar in bars:
        done = shares(seen, bar)
        assert done == sorted(done) and done[0] < 50 < done[-1] <= 100, (bar, done)
    assert seen[-1] == "closed" and seen.count("closed") >= len(bars)


def test_points_of_a_sweep_show_no_bars_of_their_own(seen):
    wf.sweep(laser, {"N": [2, 3]}, run=wf.steady_state, ntraj=64, seed=1)
    assert {s[0] for s in seen if s != "closed"} == {"sweep"}


def test_a_fit_shows_its_runs_and_the_best_chi2(seen):
    def decay(rate):
        a = wf.Mode(name="a")
        return wf.Model(jumps=[wf.Jump(a.a, rate)], initial={a: wf.coherent(2)}), {"n": a.n}

    t = np.linspace(0, 2, 9)
    data = {"time": t, "n": 4 * np.exp(-0.7 * t), "n_sem": np.full(9, 0.05)}
    for wanted in (False, True):
        found = wf.fit(decay, data, {"rate": 1.0}, method="mean-field", progress=wanted)
        assert bool(seen) == wanted
    texts = shares(seen, "fit")
    assert len(texts) > 3 and seen[-1] == "closed"
    best = [float(text.split()[-1]) for text in texts]
    assert best == sorted(best, reverse=True) and best[0] > 100 * (found.chi2 + 1)
    runs = [int(text.split()[0]) for text in texts]
    assert runs == sorted(runs) and runs[-1] <= found.evaluations


def ramp(t):
    return 2 * t


def test_models_with_functions_travel():
    atoms = wf.Ensemble(4, name="atoms")
    model = wf.Model(wf.coef(ramp) * atoms.Jx, initial={atoms: wf.down})
    there = pickle.loads(pickle.dumps(model))
    one, two = (
        wf.solve(m, [0, 1.0], e_ops={"z": m.subsystems[0].Jz}, method="exact").expect["z"]
        for m in (model, there)
    )
    np.testing.assert_array_equal(one, two)
    assert one[-1] == pytest.approx(-2 * np.cos(1.0), rel=1e-6)
    lost = wf.Model(wf.coef(lambda t: t) * atoms.Jx, initial={atoms: wf.down})
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(lost)
    pickle.loads(pickle.dumps(lost.tabulated(np.linspace(0, 1, 11))))  # as its page says


def test_spectra_are_drawn_where_the_line_is(results):
    import matplotlib

    matplotlib.use("Agg")
    spectrum = results["spectrum"]
    axes = spectrum.plot(color="black", linewidth=3)
    low, high = axes.get_xlim()
    peak = spectrum.omega[np.argmax(spectrum.value)]
    half = spectrum.omega[spectrum.value > spectrum.value.max() / 2]
    assert low < half.min() and half.max() < high and low < peak < high
    inside = (spectrum.omega >= low) & (spectrum.omega <= high)
    assert spectrum.value[~inside].max(initial=0.0) < spectrum.value.max() / 100
    assert high - low < 12 * (half.max() - half.min())  # the line, and not its tails alone
    assert axes.lines[0].get_linewidth() == 3 and axes.get_xlabel() == r"$\omega$"
    drawn = results["correlation"].plot(lw=3, ls=":")
    assert all(line.get_linewidth() == 3 and line.get_linestyle() == ":" for line in drawn.lines)
    import matplotlib.pyplot as plt

    plt.close("all")


def test_a_notebook_without_widgets_has_a_line_of_text(monkeypatch, capsys):
    """And not a bar that breaks off, whose remains complain when they are collected."""
    import tqdm.notebook

    monkeypatch.setattr(bars, "in_notebook", lambda: True)
    monkeypatch.setattr(tqdm.notebook, "IProgress", None)
    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    bar = bars.new_bar(10, progress.BAR)
    bar.n = 5
    bar.refresh()
    bar.close()
    del bar
    gc.collect()
    assert not complaints
    assert "%" in capsys.readouterr().err
