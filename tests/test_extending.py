"""Methods and observables of a user's own, registered from outside the package."""

from dataclasses import dataclass

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.derived import DERIVED
from wignerflow.model.couplings import COUPLINGS, Coupling
from wignerflow.model.kinds.base import Word
from wignerflow.model.mode_states import MODE_STATES, ModeState
from wignerflow.model.subsystems import KINDS, Subsystem
from wignerflow.phasespace.method import TrajectoryMethod
from wignerflow.runfile import read_run
from wignerflow.solving import METHODS

TIMES = np.linspace(0, 1, 5)


@pytest.fixture
def tables():
    """The registries, put back after the test."""
    before = [(table, dict(table)) for table in (METHODS, DERIVED, COUPLINGS, MODE_STATES, KINDS)]
    yield
    for table, content in before:
        table.clear()
        table.update(content)


def decay(N=100):
    atoms = wf.Ensemble(N, name="atoms")
    return atoms, wf.Model(jumps=[wf.LocalJump(atoms.sm, 1.0)], initial={atoms: wf.up})


class Decay:
    """Independent decay of one ensemble in closed form: a toy."""

    name = "decay"
    stochastic = False
    order = None
    ordering = None
    uses = frozenset()

    def __init__(self, factor: float = 1.0):
        self.factor = factor

    def __repr__(self):
        return f"Decay({self.factor})"

    def refuses(self, model, ops=None):
        return None if len(model.subsystems) == 1 and not model.H.terms else "it only knows decay"

    def run(self, task, options):
        (sub,) = task.model.subsystems
        z = sub.N * (np.exp(-self.factor * task.times) - 0.5)
        values = {key: z for key, op in task.operators.items()}
        return task.means(values, {"warnings": ["a toy"]})

    def equations(self, model):
        return "d Jz = -(Jz + N/2) dt"


class NoNoise(TrajectoryMethod):
    """The truncated Wigner approximation from points, as a phase-space method of one's own."""

    name = "no-noise"
    order = 1

    def refuses(self, model, ops=None):
        return wf.TWA().refuses(model, ops)

    def lower(self, model, ops, tlist):
        system, symbols = wf.TWA().lower(model, ops, tlist)
        for spec in system.initial:
            spec.e1[:] = spec.e2[:] = 0
            spec.sigma[:] = 0
        return system, symbols


class Ratio2(wf.Derived):
    """a^p / b for means a and b of operators."""

    def __init__(self, a, b, power=2):
        super().__init__({"a": a, "b": b}, "ratio2")
        self.configure(power)

    def configure(self, power):
        self.power = power

    def parameters(self):
        return {"power": self.power}

    def evaluate(self, means):
        return means["a"] ** self.power / means["b"]


# ---------------------------------------------------------------------------- methods


def test_an_own_method_needs_no_registration():
    atoms, model = decay()
    with pytest.warns(UserWarning, match="a toy"):
        result = wf.solve(model, TIMES, e_ops={"z": atoms.Jz}, method=Decay(), dt=0.1)
    exact = wf.solve(model, TIMES, e_ops={"z": atoms.Jz}, method="exact")
    np.testing.assert_allclose(result.expect["z"], exact.expect["z"], atol=1e-6)
    assert result.method == "decay" and not result.sem["z"].any() and result.ntraj == 0
    assert result.stats["notes"] == ["Method 'decay' makes no use of `dt`."]
    assert model.equations(Decay()) == "d Jz = -(Jz + N/2) dt"
    with pytest.raises(ValueError, match=r"Decay\(1.0\) cannot treat this model: it only knows"):
        wf.solve(
            wf.Model(atoms.Jx, initial={atoms: wf.up}), TIMES, e_ops=[atoms.Jz], method=Decay()
        )
    with pytest.raises(ValueError, match="of a class of its own, Decay, which"):
        result.rerun()


@pytest.mark.filterwarnings("ignore:a toy")
def test_a_registered_method_goes_by_name(tables, tmp_path):
    assert wf.register(Decay) is Decay and wf.register(Decay) is Decay
    atoms, model = decay()
    result = wf.solve(model, TIMES, e_ops={"z": atoms.Jz}, method=Decay(2.0))
    result.save(tmp_path / "r.nc")
    again = wf.load(tmp_path / "r.nc").rerun()
    assert again.digest() == result.digest() and again.provenance["method"] == "Decay(2.0)"
    assert wf.solve(model, TIMES, e_ops=[atoms.Jz], method="decay").method == "decay"
    with pytest.raises(ValueError, match=r"must be one of .*'decay'"):
        wf.solve(model, TIMES, e_ops=[atoms.Jz], method="decy")
    run = {"tlist": [0.0, 1.0], "method": {"name": "decay", "factor": 2.0}}
    assert read_run({**model.to_dict(), "e_ops": {"z": "atoms.Jz"}, "run": run}).method.factor == 2


def test_a_trajectory_method_of_ones_own(tables):
    wf.register(NoNoise)
    atoms, model = decay()
    result = wf.solve(
        model, TIMES, e_ops={"z": atoms.Jz}, method="no-noise", ntraj=256, seed=1, dt=0.1
    )
    assert result.ntraj == 256 and result.sem["z"][-1] > 0 and result.std["z"][0] == 0
    assert result.rerun().digest() == result.digest()
    assert "dJ = (-Λ J + (N/2) c) dt + noise" in model.equations("no-noise")
    assert "def step(" in model.source("no-noise")


def test_what_is_no_method_is_refused(tables):
    class Half:
        name = "half"

        def refuses(self, model, ops=None):
            return None

    atoms, model = decay()
    with pytest.raises(TypeError, match="A method has name, stochastic, order"):
        wf.register(Half)
    with pytest.raises(TypeError, match="`method` must be a name or a method object"):
        wf.solve(model, TIMES, e_ops=[atoms.Jz], method=Half())
    with pytest.raises(TypeError, match="`kind` must be a method or a subclass"):
        wf.register(3)
    twin = type("TWA", (Decay,), {"name": "other"})
    with pytest.raises(ValueError, match="have a name of its own"):
        wf.register(twin)
    with pytest.raises(ValueError, match="have a name of its own"):
        wf.register(type("Other", (Decay,), {"name": "twa"}))
    assert "half" not in METHODS and type(METHODS["twa"]()) is wf.TWA


def test_reading_a_method_makes_no_other(tables):
    """A method's plain form is read by its class alone."""

    class Dear(Decay):
        name = "dear"

        def __init__(self):
            raise AssertionError("made")

    wf.register(Dear)
    atoms, model = decay(10)
    result = wf.solve(model, TIMES, e_ops=[atoms.Jz], method="exact")
    assert result.rerun().digest() == result.digest()
    with pytest.raises(AssertionError, match="made"):
        wf.solve(model, TIMES, e_ops=[atoms.Jz], method="dear")


# ---------------------------------------------------------------------------- observables


@pytest.mark.filterwarnings("ignore:Up to .* length of order one")
def test_a_function_of_means_has_the_error_of_the_library_s_own():
    atoms, model = decay(20)
    x, n = atoms.Jx, atoms.Jp * atoms.Jm
    ops = {
        "own": wf.function(lambda a, b: a / b, [n, atoms.Jz * atoms.Jz]),
        "ratio": wf.Ratio(n, atoms.Jz * atoms.Jz),
        "variance": wf.function(lambda a, aa: aa - a**2, [x, x * x]),
    }
    result = wf.solve(model, TIMES, e_ops=ops, ntraj=2000, seed=3, dt=0.1)
    for part in (result.expect, result.sem):
        np.testing.assert_allclose(part["own"], part["ratio"], rtol=1e-12)
    z = (result.expect["variance"] - 5.0) / result.sem["variance"]
    assert np.all(np.abs(z) < 4) and np.all(result.sem["variance"] > 0)
    exact = wf.solve(model, TIMES, e_ops=ops, method="exact")
    np.testing.assert_allclose(exact.expect["variance"], 5.0, atol=1e-8)


def test_a_function_of_array_operators():
    chain = wf.Spin(name="s", count=3)
    model = wf.Model(0.5 * chain.sx.sum(), initial={chain: wf.up})
    ops = {
        "each": wf.function(lambda z: z**2, [chain.sz]),
        "total": wf.function(lambda z: z.sum(axis=-1), [chain.sz]),
    }
    result = wf.solve(model, TIMES, e_ops=ops, method="exact")
    each, total = result.expect.values()
    np.testing.assert_allclose(each, np.cos(TIMES)[:, None] ** 2 * np.ones(3), atol=1e-6)
    np.testing.assert_allclose(total, 3 * np.cos(TIMES), atol=1e-6)


@pytest.mark.parametrize(
    "f, ops, error, message",
    [
        (3, "Jz", TypeError, "`f` must be a function of means"),
        (lambda a, b: a, "Jz", TypeError, "`f` must be a function of 1 arrays"),
        (lambda a: 1.0, "Jz", ValueError, "`f` must give one value"),
        (lambda a: a, None, ValueError, "`ops` must hold at least one operator"),
        (lambda a: a, "sz", TypeError, r"`ops\[0\]` must be an operator"),
    ],
)
def test_functions_are_checked_when_made(f, ops, error, message):
    atoms = wf.Ensemble(4)
    with pytest.raises(error, match=message):
        wf.function(f, [] if ops is None else [getattr(atoms, ops)])
    with pytest.raises(TypeError, match=r"`ops` must be a list of operators"):
        wf.function(np.abs, atoms.Jz)


def test_a_registered_observable_is_read_from_files(tables, tmp_path):
    atoms, model = decay(400)
    ops = {"r": Ratio2(atoms.Jp * atoms.Jm, atoms.Jz * atoms.Jz, 3)}
    options = {"e_ops": ops, "ntraj": 128, "dt": 0.1}
    before = wf.solve(model, TIMES, seed=1, **options)
    with pytest.raises(ValueError, match="of a class of its own, Ratio2, which"):
        before.rerun()
    wf.register(Ratio2)
    first, second = (wf.solve(model, TIMES, seed=k, **options) for k in (1, 2))
    assert first.digest() == before.digest()
    for k, result in enumerate((first, second)):
        result.save(tmp_path / f"{k}.nc")
    one, two = (wf.load(tmp_path / f"{k}.nc") for k in (0, 1))
    assert one.rerun().digest() == first.digest()
    both = one.merge(two)
    assert both.ntraj == 256
    means = [r.expect["r"] for r in (one, two)]
    assert np.all((both.expect["r"] - means[0]) * (both.expect["r"] - means[1]) <= 1e-12)


# ---------------------------------------------------------------------------- parts of models


class Exponential(Coupling):
    """K = q^|m - m'|, m != m': a toy."""

    kind, structure, required = "exponential", "dense", ("q",)

    def __init__(self, q):
        self.q = float(q)

    def matrix(self, size):
        m = np.arange(size)
        out = self.q ** np.abs(m[:, None] - m).astype(float)
        np.fill_diagonal(out, 0)
        return out.astype(complex)

    def apply(self, x):
        return self.matrix(x.shape[0]).real @ x

    def row_sum(self, size):
        return 2 * self.q / (1 - self.q)

    def entries(self, size):
        return size * size

    def check(self, size):
        pass

    @property
    def key(self):
        return (self.kind, self.q)

    def to_dict(self):
        return {"kind": self.kind, "q": self.q}

    @classmethod
    def read(cls, where, entry, size):
        return cls(entry["q"])

    def latex(self, writer, m, n):
        return rf"{m} \neq {n}", rf"{writer.number(self.q)}^{{|{m} - {n}|}}\,"

    def __repr__(self):
        return f"Exponential({self.q:g})"


class Tilted(wf.Ensemble):
    """An ensemble with one more operator, Jn = (Jx + Jz)/sqrt(2)."""

    kind = "tilted"
    Jn = Word("Along the diagonal of x and z.", x=0.5**0.5, z=0.5**0.5)


def test_a_coupling_of_ones_own(tables):
    """One class: products, bounds, kernels, LaTeX and files follow from its answers."""
    chain = wf.Spin(name="chain", count=4)
    H = 0.3 * wf.couple(chain.sx, Exponential(0.5), chain.sx) + chain.sz.sum()
    model = wf.Model(H, [wf.Jump(chain.sm, 0.2)], initial={chain: wf.bloch(0.6, 0)})
    assert "0.5^{|m - m'|}" in model.latex() and "Exponential(0.5)" in repr(model)
    with pytest.raises(ValueError, match=r"name a kind of coupling"):
        wf.Model.from_dict(model.to_dict())
    wf.register(Exponential)
    assert wf.Model.from_dict(model.to_dict()).to_dict() == model.to_dict()
    dense = wf.couple(chain.sx, Exponential(0.5).matrix(4), chain.sx)
    other = wf.Model(0.3 * dense + chain.sz.sum(), model.jumps, initial=model.initial)
    for method in ("exact", "mean-field", "cumulant"):
        one, two = (wf.solve(m, TIMES, e_ops=[chain.sz], method=method) for m in (model, other))
        np.testing.assert_allclose(*(r.expect["chain.sz (m = 0 … 3)"] for r in (one, two)), 1e-6)


@pytest.mark.filterwarnings("ignore:Up to .* length of order one")
def test_a_kind_of_ones_own(tables):
    """What it inherits serves every method that knows its algebra; others refuse it by name."""
    wf.register(Tilted)
    atoms = Tilted(200, name="atoms")
    model = wf.Model(0.5 * atoms.Jn, [wf.LocalJump(atoms.sm, 0.3)], initial={atoms: wf.up})
    assert wf.Model.from_dict(model.to_dict()).to_dict() == model.to_dict()
    e_ops = {"n": atoms.Jn, "z": atoms.Jz}
    plain = wf.Ensemble(200, name="atoms")
    n = (plain.Jx + plain.Jz) * 0.5**0.5
    known = wf.Model(0.5 * n, [wf.LocalJump(plain.sm, 0.3)], initial={plain: wf.up})
    for method in ("mean-field", "twa"):
        own, same = (
            wf.solve(m, TIMES, e_ops={"n": op}, method=method, ntraj=64, seed=2, dt=0.1)
            for m, op in ((model, atoms.Jn), (known, n))
        )
        np.testing.assert_allclose(own.expect["n"], same.expect["n"], rtol=1e-6)
    for method in ("exact", "jumps", "cumulant"):
        with pytest.raises(ValueError, match="no subsystems of the kind of 'atoms', 'tilted'"):
            wf.solve(model, TIMES, e_ops=e_ops, method=method)


def test_a_state_of_ones_own(tables):
    """Phase space takes its moments; the exact engine, which keeps its own table, refuses it."""

    @dataclass(frozen=True)
    class Shifted(ModeState):
        """A coherent state with n quanta of noise."""

        kind = "shifted"
        value: float
        n: float

        @property
        def mean(self):
            return complex(self.value)

        @property
        def covariance(self):
            return np.eye(2) * (self.n / 2 + 0.25)

        @property
        def circle(self):
            return None

        def plain(self):
            return [self.value, self.n]

        @classmethod
        def read(cls, where, data):
            return cls(*data)

        @property
        def text(self):
            return f"shifted({self.value:g}, {self.n:g})"

    wf.register(Shifted)
    cavity = wf.Mode(name="cavity")
    model = wf.Model(cavity.n, [wf.Jump(cavity.a, 1.0)], initial={cavity: Shifted(1.5, 0.4)})
    assert wf.Model.from_dict(model.to_dict()).to_dict() == model.to_dict()
    e_ops = {"n": cavity.n}
    cumulant = wf.solve(model, TIMES, e_ops=e_ops, method="cumulant").expect["n"]
    np.testing.assert_allclose(cumulant, (1.5**2 + 0.4) * np.exp(-TIMES), rtol=1e-5)
    with pytest.raises(ValueError, match="shifted"):
        wf.solve(model, TIMES, e_ops=e_ops, method="exact")


def test_what_leaves_an_answer_open_is_no_part(tables):
    """It is named when it is registered, and when one is made."""

    class Half(Coupling):
        kind, structure = "half", "dense"

    with pytest.raises(TypeError, match=r"`kind` must answer __repr__, apply, check, entries, key"):
        wf.register(Half)
    with pytest.raises(TypeError, match="abstract"):
        Half()
    with pytest.raises(TypeError, match=r"`kind` must answer algebra, check_state"):
        wf.register(type("Bare", (Subsystem,), {"kind": "bare"}))
