"""Mutants that once survived every test: each of these kills one, and its siblings."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.cpu import CpuKernel

from ..run import cases

# ---------------------------------------------------------------- the identity of a run


def different_program(monkeypatch):
    """The same run with one number of its tables changed, as another compiler might."""
    digest = CpuKernel.digest.fget

    def other(self):
        return digest(self)[::-1]

    monkeypatch.setattr(CpuKernel, "digest", property(other))


def test_another_compiled_program_is_another_run(tmp_path, monkeypatch):
    path = tmp_path / "run.nc"
    cases.solve(ntraj=300, checkpoint=path)
    before = path.read_bytes()
    different_program(monkeypatch)
    with pytest.raises(ValueError, match="a run with another compiled program"):
        cases.solve(checkpoint=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "what",
    [
        "wignerflow version",
        "llvmlite version",
        "NumPy version",
        "seed",
        "precision",
        "method",
        "times",
        "observables",
        "start",
        "model",
        "step",
        "trajectories per chunk",
        "compiled program",
        "CPU target",
    ],
)
def test_every_entry_of_an_identity_counts(what, tmp_path, monkeypatch):
    """A checkpoint that differs in one entry alone is refused by that name."""
    from wignerflow.checkpoint import FileKeeper

    path = tmp_path / "run.nc"
    cases.solve(ntraj=300, checkpoint=path)
    opened = FileKeeper.open

    def elsewhere(self, *arguments):
        own = self.identity

        def changed(*those):
            entries = dict(own(*those))
            assert what in entries
            return entries | {what: "another"}

        self.identity = changed
        return opened(self, *arguments)

    monkeypatch.setattr(FileKeeper, "open", elsewhere)
    with pytest.raises(ValueError, match=rf"a run with (another|other) {what}"):
        cases.solve(checkpoint=path)


# ---------------------------------------------------------------- products in mean field


@pytest.mark.parametrize("N", [2, 3, 10, 1000])
def test_products_in_mean_field_are_those_of_a_product_state(N):
    """<{J_a, J_b}>/2 = J_a J_b (1 - 1/N) + delta_ab N/4, and <J_x^2 + J_y^2 + J_z^2> follows."""
    atoms = wf.Ensemble(N, name="atoms")
    theta, phi = 0.7, 0.4
    model = wf.Model(0.0 * atoms.Jz, initial={atoms: wf.bloch(theta, phi)})
    J = {"x": atoms.Jx, "y": atoms.Jy, "z": atoms.Jz}
    e_ops = {a + b: (J[a] * J[b] + J[b] * J[a]) / 2 for a in J for b in J}
    result = wf.solve(model, [0, 1], e_ops=e_ops, method="mean-field", progress=False)
    mean = dict(
        zip(
            "xyz",
            N / 2 * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi),
                              np.cos(theta)]),
            strict=True,
        )
    )  # fmt: skip
    for a in J:
        for b in J:
            expected = mean[a] * mean[b] * (1 - 1 / N) + (a == b) * N / 4
            assert np.isclose(result.expect[a + b][0].real, expected, rtol=1e-6, atol=1e-6), a + b
    total = sum(result.expect[a + a][0].real for a in J)
    assert np.isclose(total, N / 2 * (N / 2 + 1))


# ---------------------------------------------------------------- signs and factors of equations


@pytest.mark.parametrize("d", [2, 3, 4])
def test_brackets_are_those_of_the_matrices(d):
    """[x_i, x_j] = i sum_k c_ijk x_k, and half the anticommutator by the symmetric ones."""
    from wignerflow.phasespace.matrices import brackets, symmetrised, units

    _, x = units(d)
    product = np.einsum("iab,jbc->ijac", x, x)
    back = product.swapaxes(0, 1)
    for table, wanted in (
        (brackets(d), -1j * (product - back)),
        (symmetrised(d), (product + back) / 2),
    ):
        assert np.allclose(np.einsum("ijk,kab->ijab", table, x), wanted, atol=1e-12)


def test_ports_of_members_in_the_vacuum_give_no_light():
    """The flux of b^+ b is that of |b|^2 less that of the vacuum, member by member."""
    modes = wf.Mode(name="modes", count=2)
    out = wf.Jump(modes.a, [1.0, 2.0])
    link = wf.Link(wf.Output(out, 0), wf.Output(out, 1), 0.1)
    model = wf.Model(jumps=[out], initial={modes: wf.vacuum}, links=[link])
    bins = np.linspace(0, 1, 6)
    light = wf.photons(model, wf.Output(out, 0), bins=bins, ntraj=2000, seed=1, dt=0.02)
    flux = light.flux()
    assert np.all(np.abs(flux.value) < 4 * flux.sem + 1e-12) and flux.sem.max() < 0.2


def test_outputs_are_divided_by_numbers():
    mode = wf.Mode(name="mode")
    half = wf.Output(wf.Jump(mode.a, 1.0)) / 2j
    assert list(half.terms.values()) == [-0.5j] and half.norm == 0.5


@pytest.mark.parametrize("phase", ["x", None, True, np.nan])
def test_phases_of_mirrors_are_numbers(phase):
    with pytest.raises((ValueError, TypeError), match="`phase` must be"):
        wf.Mirror("end", 1.0, phase)


# ---------------------------------------------------------------- steps


def test_a_step_that_was_given_is_kept_by_delayed_links():
    modes = wf.Mode(name="modes", count=2)
    out = wf.Jump(modes.a, [1.0, 2.0])
    link = wf.Link(wf.Output(out, 0), wf.Output(out, 1), 0.4)
    model = wf.Model(jumps=[out], initial={modes: wf.coherent(1.0)}, links=[link])
    options = {"e_ops": {"n": modes.n.sum()}, "ntraj": 64, "seed": 1, "truncation": False}
    for dt, taken in ((0.1, 0.1), (0.03, 0.4 / 14), (5.0, 0.4)):
        found = wf.solve(model, [0, 0.4, 0.8], dt=dt, progress=False, **options)
        assert found.dt == pytest.approx(taken)


def test_extrapolated_runs_say_where_no_step_was_found(monkeypatch):
    atoms = wf.Ensemble(50, name="atoms")
    model = wf.Model(3.0 * atoms.Jx, [wf.Jump(atoms.Jm, 0.1)], initial={atoms: wf.down})
    options = {"e_ops": [atoms.Jz], "method": "mean-field", "truncation": False}
    assert wf.solve(model, [0, 1], progress=False, **options).stats["step_met"]
    monkeypatch.setattr("wignerflow.run.extrapolated.LEVELS", 2)
    monkeypatch.setattr("wignerflow.run.extrapolated.MET", 1e-15)
    with pytest.warns(UserWarning):
        found = wf.solve(model, [0, 1], progress=False, **options)
    assert not found.stats["step_met"]
