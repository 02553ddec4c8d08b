"""Inputs of jumps: the equivalent jumps and drives, and what leaves."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.model.jumps import vacuum_form

TIMES = np.linspace(0, 3, 4)
KAPPA, DETUNING = 0.9, 0.4


def cavity(given, **kw):
    mode = wf.Mode(name="mode")
    jump = wf.Jump(mode.a, KAPPA, input=given)
    return mode, jump, wf.Model(DETUNING * mode.n, [jump], initial={mode: wf.vacuum})


def means(model, method, **ops):
    return wf.solve(model, TIMES, e_ops=ops, method=method, progress=False).expect


@pytest.mark.parametrize("method", ["exact", "cumulant", "mean-field"])
def test_coherent_light_drives_what_it_meets(method):
    beta = 0.5 - 0.2j
    mode, jump, model = cavity(wf.coherent(beta))
    rate = 1j * DETUNING + KAPPA / 2
    a = -np.sqrt(KAPPA) * beta / rate * (1 - np.exp(-rate * TIMES))
    ops = {"a": mode.a, "flux": wf.Flux(jump)}
    if method == "mean-field":
        del ops["flux"]
    out = means(model, method, **ops)
    np.testing.assert_allclose(out["a"], a, atol=2e-5)
    if method != "mean-field":
        np.testing.assert_allclose(out["flux"], abs(beta + np.sqrt(KAPPA) * a) ** 2, atol=1e-5)


def test_an_amplitude_that_depends_on_time_and_one_per_rate():
    beta = wf.coef(lambda t: 0.3 * t + 0j)
    mode, _, model = cavity(wf.coherent(beta))
    given = wf.coef(lambda t: 1j * np.sqrt(KAPPA) * 0.3 * t)
    drive = given * mode.a
    plain = wf.Model(
        DETUNING * mode.n + drive + drive.dag(), [wf.Jump(mode.a, KAPPA)], initial={mode: wf.vacuum}
    )
    one, two = (means(m, "exact", a=mode.a)["a"] for m in (model, plain))
    np.testing.assert_allclose(one, two, atol=1e-7)
    assert abs(one[-1]) > 0.1
    with pytest.raises(ValueError, match="constant state"):
        wf.Model(initial={mode: wf.coherent(beta)})


@pytest.mark.parametrize("method", ["exact", "cumulant"])
def test_a_thermal_input_fills_a_cavity(method):
    mode, _, model = cavity(wf.thermal(0.6))
    out = means(model, method, n=mode.n)["n"]
    np.testing.assert_allclose(out, 0.6 * (1 - np.exp(-KAPPA * TIMES)), atol=1e-5)


def test_a_squeezed_input_squeezes_the_same_quadrature():
    r, phi = 0.4, 0.7
    mode = wf.Mode(name="mode", cutoff=30)
    jump = wf.Jump(mode.a, 1.0, input=wf.squeezed(r, phi))
    model = wf.Model(None, [jump], initial={mode: wf.vacuum})
    turned = np.exp(-0.5j * phi) * mode.a
    X, Y = turned + turned.dag(), (turned - turned.dag()) / 1j
    ops = {"X": X * X, "Y": Y * Y, "n": mode.n}
    out = wf.steady_state(model, ops, "exact").expect
    found = [out["X"], out["Y"], out["n"]]
    np.testing.assert_allclose(found, [np.exp(-2 * r), np.exp(2 * r), np.sinh(r) ** 2], rtol=1e-5)
    assert abs(found[0] - np.exp(2 * r)) > 1  # the other sign


@pytest.mark.parametrize("given", [None, wf.thermal(0.6), wf.squeezed(0.4, 0.7)], ids=repr)
def test_jumps_and_field_of_an_input_belong_together(given):
    """Of the field x b + y b^+ of the jumps' vacua: one of light, driven by the operator alone."""
    mode = wf.Mode(name="mode")
    form = vacuum_form(mode.a, 1.0, None, given)
    assert sum(abs(x) ** 2 - abs(y) ** 2 for _, x, y in form.parts) == pytest.approx(1)
    total = 0 * mode.a
    for k, x, y in form.parts:
        op, rate, _ = form.jumps[k]
        total = total + np.sqrt(rate) * (x * op + y * op.dag())
    assert set(total.terms) == set(mode.a.terms)
    assert list(total.terms.values()) == pytest.approx(list(mode.a.terms.values()))


def test_outputs_are_scaled_and_subtracted():
    mode, other = wf.Mode(name="mode"), wf.Mode(name="other")
    one, two = wf.Jump(mode.a, 1.0), wf.Jump(other.a, 1.0)
    a, b = wf.Output(one), wf.Output(two)
    mixed = ((3 - 4j) * a - b) / 5
    assert mixed.terms == pytest.approx({(one, None): 0.6 - 0.8j, (two, None): -0.2})
    assert (-mixed).terms == pytest.approx({(one, None): -0.6 + 0.8j, (two, None): 0.2})
    assert mixed.norm == pytest.approx(np.sqrt(1.04))


def test_inputs_of_arrays_and_of_correlated_jumps():
    chain = wf.Mode(name="chain", count=2, cutoff=12)
    rates = np.array([0.5, 1.2])
    model = wf.Model(
        None, [wf.Jump(chain.a, rates, input=wf.thermal(0.2))], initial={chain: wf.vacuum}
    )
    n = means(model, "exact", n=chain.n)["n"]
    np.testing.assert_allclose(n, 0.2 * (1 - np.exp(-np.outer(TIMES, rates))), atol=1e-6)
    G = np.array([[1.0, 0.5j], [-0.5j, 0.7]])
    model = wf.Model(None, [wf.Jump(chain.a, G, input=wf.thermal(0.2))], initial={chain: wf.vacuum})
    out = wf.steady_state(model, {"n": chain.n, "ab": chain[0].adag * chain[1].a}, "exact").expect
    np.testing.assert_allclose([*out["n"], out["ab"]], [0.2, 0.2, 0], atol=1e-6)


def test_a_model_made_again_of_its_parts_is_the_same():
    mode, _, model = cavity(wf.coherent(0.5))
    again = wf.Model(model.H, model.jumps, initial={mode: wf.vacuum})
    assert again.H == model.H
    np.testing.assert_array_equal(
        means(again, "exact", a=mode.a)["a"], means(model, "exact", a=mode.a)["a"]
    )


def test_outputs_add_up():
    mode = wf.Mode(name="mode")
    one, two = wf.Jump(mode.a, 0.36), wf.Jump(mode.a, 0.64)
    F, B = wf.Output(one), wf.Output(two)
    model = wf.Model(None, [one, two], initial={mode: wf.coherent(2.0)})
    ops = {"F": wf.Flux(F), "eta": wf.Flux(0.8**0.5 * F)}
    ops |= {"plus": wf.Flux((F + B) / np.sqrt(2)), "turned": wf.Flux((F + 1j * B) / np.sqrt(2))}
    out = wf.solve(model, [0, 1], e_ops=ops, method="exact").expect
    found = [out[k][0] for k in ops]
    np.testing.assert_allclose(found, [1.44, 1.152, 4 * 1.4**2 / 2, 4 / 2], rtol=1e-8)


def test_bad_inputs_and_outputs():
    mode, atoms = wf.Mode(name="mode"), wf.Ensemble(3, name="atoms")
    jump = wf.Jump(mode.a, 1.0)
    with pytest.raises(TypeError, match=r"`input` must be None \(vacuum\), wf.coherent"):
        wf.Jump(mode.a, 1.0, input=wf.fock(1))
    with pytest.raises(TypeError, match="one field"):
        wf.Output(wf.LocalJump(atoms.sm, 1.0))
    with pytest.raises(ValueError, match="positive rate"):
        wf.Output(wf.Jump(mode.a, 0.0))
    with pytest.raises(ValueError, match=r"norm of at most 1, but was 1\.41\. Divide by it|1\.41"):
        wf.Flux(wf.Output(jump) + 1j * wf.Output(wf.Jump(mode.a, 0.3)))
    with pytest.raises(ValueError, match="infinite flux"):
        wf.Flux(wf.Jump(mode.a, 1.0, input=wf.thermal(0.1)))
    chain = wf.Mode(name="chain", count=2)
    with pytest.raises(ValueError, match="one of the 2 members"):
        wf.Output(wf.Jump(chain.a, 1.0))
    with pytest.raises(ValueError, match="below 2"):
        wf.Output(wf.Jump(chain.a, 1.0), channel=2)


def test_the_flux_of_light_that_depends_on_time_is_that_of_bins(tmp_path):
    """In `e_ops` of every method, and in bins by both engines."""
    mode = wf.Mode(name="mode", cutoff=8)
    beta = wf.coef(lambda t: 0.5 + 0.3j * np.sin(2 * t))
    jump = wf.Jump(mode.a, 1.0, input=wf.coherent(beta))
    model = wf.Model(0.4 * mode.n, [jump], initial={mode: wf.vacuum})
    bins = 0.2 * np.arange(6)
    h, a, flux, edges = 0.001, 0j, [], [0.25]  # a' = -(1/2 + 0.4i) a - beta; b = beta + a
    for k in range(1000):
        t = k * h
        middle = a + h / 2 * (-(0.5 + 0.4j) * a - beta(t))
        nxt = a + h * (-(0.5 + 0.4j) * middle - beta(t + h / 2))
        flux.append(abs(beta(t + h / 2) + (a + nxt) / 2) ** 2)
        a = nxt
        edges.append(abs(beta(t + h) + a) ** 2)
    known = np.reshape(flux, (5, -1)).mean(axis=1)
    exact = wf.photons(model, jump, bins=bins, method="exact", g1=False, g2=False).flux()
    np.testing.assert_allclose(exact.value, known, atol=2e-4)
    kw = {"ntraj": 1024, "seed": 1, "dt": 0.025, "g1": False, "g2": False}
    found = wf.photons(model, jump, bins=bins, **kw).flux()
    assert (np.abs(found.value - known) < 4.5 * found.sem + 1e-3).all()
    ops = {"flux": wf.Flux(jump), "part": wf.Flux(0.6 * wf.Output(jump))}
    for method in ("exact", "jumps", "cumulant", "mean-field", "twa"):
        n = 128 if method == "jumps" else 1024
        out = wf.solve(model, bins, e_ops=ops, method=method, ntraj=n, seed=1, progress=False)
        off = np.abs(out.expect["flux"] - np.array(edges)[::200])
        assert (off < 4.5 * out.sem["flux"] + 3e-4).all(), method
        np.testing.assert_allclose(out.expect["part"], 0.36 * out.expect["flux"], rtol=1e-6)
    out.save(tmp_path / "run.nc")  # with the factors, so that what it evaluates is kept
    again = wf.load(tmp_path / "run.nc")
    np.testing.assert_array_equal(again.expect["flux"], out.expect["flux"])
    other = wf.solve(model, bins, e_ops=ops, ntraj=1024, seed=2, progress=False)
    both = (again.expect["flux"] + other.expect["flux"]) / 2
    pooled = again.merge(other).expect["flux"]
    np.testing.assert_allclose(pooled, both, rtol=1e-12)


def test_the_flux_at_a_rate_that_depends_on_time():
    atoms = wf.Ensemble(3, name="atoms")
    rate = wf.coef(lambda t: 0.3 + 0.2 * np.cos(t))
    jump, times = wf.Jump(atoms.Jm, rate), np.linspace(0, 2, 5)
    model = wf.Model(jumps=[jump], initial={atoms: wf.up})
    ops = {"flux": wf.Flux(jump), "n": atoms.Jp * atoms.Jm}
    out = wf.solve(model, times, e_ops=ops, method="exact").expect
    np.testing.assert_allclose(out["flux"], (0.3 + 0.2 * np.cos(times)) * out["n"], rtol=1e-12)
    with pytest.raises(ValueError, match="constant in time"):
        wf.steady_state(model, ops, "exact")


def test_the_flux_of_all_emitters_of_a_local_jump():
    atoms = wf.Ensemble(6, name="atoms")
    down, up, turn = (
        wf.LocalJump(l, r) for l, r in ((atoms.sm, 0.7), (atoms.sp, 0.2), (atoms.sz, 0.3))
    )
    model = wf.Model(0.4 * atoms.Jx, [down, up, turn], initial={atoms: wf.up})
    e_ops = {"down": wf.Flux(down), "up": wf.Flux(up), "turn": wf.Flux(turn), "Jz": atoms.Jz}
    out = wf.solve(model, [0, 0.5], e_ops=e_ops, method="exact", progress=False).expect
    np.testing.assert_allclose(out["down"], 0.7 * (3 + out["Jz"]), rtol=1e-10)
    np.testing.assert_allclose(out["up"], 0.2 * (3 - out["Jz"]), atol=1e-10)
    np.testing.assert_allclose(out["turn"], 1.8, rtol=1e-10)
    array = wf.Ensemble([6, 3], count=2, name="array")
    jump = wf.LocalJump(array.sm, [0.7, 0.1])
    model = wf.Model(None, [jump], initial={array: wf.up})
    out = wf.solve(model, [0, 0.5], e_ops={"f": wf.Flux(jump)}, method="exact", progress=False)
    known = [4.5, 4.2 * np.exp(-0.35) + 0.3 * np.exp(-0.05)]
    np.testing.assert_allclose(out.expect["f"], known, rtol=1e-6)
    jump = wf.LocalJump(array[1].sm, 0.7)
    model = wf.Model(None, [jump], initial={array: wf.up})
    out = wf.solve(model, [0, 0.5], e_ops={"f": wf.Flux(jump)}, method="exact", progress=False)
    np.testing.assert_allclose(out.expect["f"], [2.1, 2.1 * np.exp(-0.35)], rtol=1e-6)
    with pytest.raises(TypeError, match=r"wf\.Flux\(jump\)"):
        wf.Output(jump)
    for other in (wf.LocalJump(array.sm, [0.7, 0.2]), wf.Jump(array[0].Jm, 1.0)):
        with pytest.raises(ValueError, match=r"of the model, but was .*Give the same object"):
            wf.solve(model, [0, 0.5], e_ops={"f": wf.Flux(other)}, method="exact")


def test_an_equal_jump_of_the_model_stands_for_its_own():
    """The model's copies and jumps made again; not where two are alike, or the input differs."""
    atoms, mode = wf.Ensemble(4, name="atoms"), wf.Mode(name="mode", cutoff=8)
    gain = wf.Jump(mode.adag, 0.03, input=wf.thermal(0.2))
    light, loss = wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sm, 0.4)
    model = wf.Model(None, [gain, light, loss], initial={atoms: wf.up, mode: wf.vacuum})
    assert model.jumps[2] is not light
    same = [light, model.jumps[2], wf.Jump(atoms.Jm, 1.0)]
    assert all(model.own(j) is light for j in same)
    again = wf.Jump(mode.adag, 0.03, input=wf.thermal(0.2))
    assert model.own(again) is gain
    others = [wf.Jump(atoms.Jm, 1.1), wf.Jump(atoms.Jp, 1.0), wf.Jump(mode.adag, 0.03)]
    others += [model.jumps[0], model.jumps[1], wf.Jump(atoms.Jm, 1.0, input=wf.coherent(1.0))]
    assert all(model.own(j) is None for j in others)  # parts of thermal light are no field
    kw = {"bins": [0, 0.1], "method": "exact"}
    values = [wf.photons(model, j, **kw).n().value for j in same]
    np.testing.assert_array_equal(values[1:], [values[0]] * 2)
    twice = (wf.Output(same[1]) + wf.Output(same[2])) / np.sqrt(2)
    with pytest.raises(ValueError, match=r"norm of at most 1, but was 1\.41"):
        wf.photons(model, twice, **kw)
    ops = {"light": wf.Flux(same[1]), "loss": wf.Flux(wf.LocalJump(atoms.sm, 0.4))}
    out = wf.solve(model, [0, 0.1], e_ops=ops, method="exact").expect
    np.testing.assert_allclose([out["light"][0], out["loss"][0]], [4.0, 1.6])
    pair = wf.Model(jumps=[light, wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.up})
    assert pair.own(wf.Jump(atoms.Jm, 1.0)) is None and pair.own(pair.jumps[1]) is pair.given[1]
    with pytest.raises(ValueError, match="of equal jumps each has a field of its own"):
        wf.photons(pair, wf.Jump(atoms.Jm, 1.0), **kw)
