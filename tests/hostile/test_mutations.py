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
