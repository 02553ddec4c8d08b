"""Results: formatting, files that survive and files that attack, pooling, plots."""

import copy
import io
import json
import os
import pathlib
import random
import subprocess
import sys

import h5py
import numpy as np
import pytest

import wignerflow as wf
from wignerflow import store
from wignerflow.derived import Derived, Ratio, Squeezing, StructureFactor, Subradiance
from wignerflow.observables import batched, flatten
from wignerflow.result import Result, UnknownObservable, format_value, load
from wignerflow.run.statistics import BATCHES, Samples

TIMES = np.linspace(0, 2, 9)


@pytest.fixture(scope="module")
def plan():
    atoms = wf.Ensemble(25, name="atoms")
    chain = wf.Ensemble(4, count=3, name="chain")
    return flatten(
        {
            "emission": atoms.Jp * atoms.Jm,
            "coherence / N": chain.Jm,
            "⟨Jm⟩": atoms.Jm,
            "xi2": Squeezing(atoms),
            "share": Ratio(chain.Jz, chain.Jz.sum()),
            "S": StructureFactor(chain.Jm, [0.1, 0.2]),
        }
    )[2]


def sampled(plan, seed, first=0, n=96, dead=None, **keywords):
    """A result of n trajectories of a made-up process; trajectory k depends on (seed, k) alone."""
    columns = batched(plan)
    x = np.stack(
        [
            np.random.default_rng([seed, k]).normal(2, 1, (len(TIMES), plan.channels))
            for k in range(first, first + n)
        ]
    )
    samples = Samples.empty(len(TIMES), plan.channels, columns)
    for k in range(0, n, 32):
        chunk, index = x[k : k + 32], np.arange(first + k, first + min(k + 32, n)) % BATCHES
        count = np.full((1, len(TIMES)), len(chunk))
        batch_count = np.zeros((1, len(TIMES), BATCHES), np.int64)
        batch_sum = np.zeros((1, len(TIMES), BATCHES, len(columns)))
        for own, values in zip(index, chunk, strict=True):
            batch_count[0, :, own] += 1
            batch_sum[0, :, own] += values[:, columns]
        mean = chunk.mean(0)
        samples.absorb(
            count, mean[None], ((chunk - mean) ** 2).sum(0)[None], batch_sum, batch_count
        )
    options = {
        "method": "twa",
        "dt": 0.01,
        "stats": {
            "stopped_because": "ntraj",
            "wall_time": 1.5,
            "warnings": ["spins are short"],
            "clipped": np.float32(0.25),
            "odd": [np.inf, -np.inf, np.nan, 1e-320, 0.1],
            "table": np.arange(3),
        },
        "provenance": {"versions": {"wignerflow": "0.1.0"}, "seed": 2**64 - 1},
        "model": {"jumps": [{"rate": 0.1}], "name": "ü\n\0\ud800"},
    }
    return Result.from_samples(TIMES, plan, samples, seed=seed, first=first, **options | keywords)


@pytest.fixture(scope="module")
def result(plan):
    return sampled(plan, 2**63 + 5)


def equal_bits(a, b):
    for part in ("expect", "sem", "std"):
        one, two = getattr(a, part), getattr(b, part)
        assert list(one) == list(two)
        for name in one:
            assert one[name].dtype == two[name].dtype and one[name].shape == two[name].shape
            assert one[name].tobytes() == two[name].tobytes(), (part, name)
    assert a.times.tobytes() == b.times.tobytes()
    for name in ("method", "ntraj", "seed", "dt", "trajectories"):
        assert getattr(a, name) == getattr(b, name), name
    for name in ("stats", "provenance", "model"):
        assert repr(getattr(a, name)) == repr(getattr(b, name)), name  # repr: NaN is not NaN
    for name, (dim, where) in a.axes.items():
        assert b.axes[name][0] == dim and np.array_equal(b.axes[name][1], where)
    if a.samples is not None:
        for name in ("count", "mean", "m2", "batch_count", "batch_sum", "batched"):
            assert getattr(a.samples, name).tobytes() == getattr(b.samples, name).tobytes()
        assert (a.samples.failed, a.samples.ntraj) == (b.samples.failed, b.samples.ntraj)
    assert a.variables == b.variables and (a.final is None) == (b.final is None)
    if a.final is not None:
        assert a.final.tobytes() == b.final.tobytes()
    return True


# ---------------------------------------------------------------- shown


@pytest.mark.parametrize(
    ("mean", "sem", "text"),
    [
        (0.41237, 0.00312, "0.412 ± 0.003"),
        (0.41237, 0.00124, "0.4124 ± 0.0012"),
        (0.41237, 0.0095, "0.412 ± 0.009"),
        (0.41237, 0.0097, "0.41 ± 0.01"),
        (0.41237, 0.0996, "0.41 ± 0.10"),
        (0.41237, 0.00199, "0.412 ± 0.002"),
        (-0.001, 0.03, "0.00 ± 0.03"),
        (41237.0, 312.0, "41200 ± 300"),
        (41237.0, 3.0, "41237 ± 3"),
        (99.96, 0.2, "100.0 ± 0.2"),
        (1.23456e-7, 2.1e-10, "(1.235 ± 0.002)e-07"),
        (-2.5e11, 3e9, "(-2.50 ± 0.03)e+11"),
        (3e-9, 0.02, "0.00 ± 0.02"),
        (0.41237, 0.0, "0.41237 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (0.41237, np.nan, "0.41237 ± nan"),
        (np.nan, 0.1, "nan ± 0.1"),
        (np.inf, np.nan, "inf ± nan"),
        (1 - 0.2j, 0.02 + 0.011j, "(1.00 ± 0.02) + (-0.200 ± 0.011)i"),
        (2 + 0j, 0j, "2 ± 0"),
        (np.float32(1.5), np.float32(0.25), "1.5 ± 0.2"),
    ],
)
def test_format_value(mean, sem, text):
    assert format_value(mean, sem) == text


def test_repr_never_shows_a_mean_without_its_error(result, plan):
    lines = repr(result).splitlines()
    assert lines[0] == f"Result of twa, 96 trajectories, seed {2**63 + 5}, dt 0.01"
    assert lines[1] == "9 times from 0 to 2; stopped because: ntraj; 1.5 s"
    assert lines[2] == "warning: spins are short"
    for name, line in zip(plan.names, lines[4:], strict=True):
        assert line.startswith(name) and "±" in line
    assert format_value(result.expect["emission"][-1], result.sem["emission"][-1]) in lines[4]
    failed = sampled(plan, 1, stats={"failed": 3})
    assert "warning: 3 of 96 trajectories failed" in repr(failed)


def test_unknown_names(result):
    for part in ("expect", "sem", "std"):
        with pytest.raises(UnknownObservable, match=r"^This result has no .*mean 'emission'\?$"):
            getattr(result, part)["emissions"]
    assert issubclass(UnknownObservable, KeyError) and issubclass(UnknownObservable, ValueError)
    with pytest.raises(KeyError, match="'nothing'; it has 'emission'"):
        result.plot(["nothing"])


def test_a_mean_is_not_taken_from_the_result_itself(result):
    """As it would be one without its error; who tries is told where both are."""
    both = r"take \.expect\['emission'\], and its error \.sem\['emission'\]"
    with pytest.raises(TypeError, match=both):
        result["emission"]
    with pytest.raises(TypeError, match=both):
        list(result)
    with pytest.raises(AttributeError, match=both):
        result.emission  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'emissions'$"):
        result.emissions  # noqa: B018
    assert copy.deepcopy(result).digest() == result.digest()
    atoms = wf.Ensemble(2, name="atoms")
    model = wf.Model(jumps=[wf.LocalJump(atoms.sm, 1.0)], initial={atoms: wf.up})
    steady = wf.steady_state(model, {"z": atoms.Jz}, "exact")
    with pytest.raises(TypeError, match=r"take \.expect\['z'\], and its error \.sem\['z'\]"):
        steady["z"]


def test_deterministic_results():
    atoms = wf.Ensemble(5, name="atoms")
    _, base, plan = flatten({"z": atoms.Jz, "s": Subradiance(atoms)})
    r = Result.from_values(TIMES, plan, {k: TIMES + 1 for k in base}, method="exact")
    assert r.ntraj == 0 and r.seed is None
    assert (r.sem["z"] == 0).all() and (r.sem["s"] == 0).all()
    assert repr(r).startswith("Result of exact, deterministic\n")
    with pytest.raises(ValueError, match="hold sampled trajectories"):
        r.merge(r)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": [0.0]}, "`tlist` must be"),
        ({"times": [0.0, 1.0]}, r"`expect\['a'\]` must have shape \(2,\)"),
        ({"sem": {}}, "`sem` must hold the observable 'a'"),
        ({"std": {"a": np.zeros((9, 2))}}, r"`std\['a'\]` must have shape"),
        ({"expect": {}}, "at least one observable"),
        ({"expect": {"time": np.zeros(9)}}, "axes of a result"),
        ({"axes": {"b": ("member", [1, 2])}}, "3 coordinates"),
        ({"ntraj": -1}, "`ntraj` must be an integer"),
        ({"samples": Samples.empty(3, 2)}, "`samples` must hold 0 trajectories"),
    ],
)
def test_constructor_refuses(change, message):
    values = {"a": np.zeros(9), "b": np.zeros((9, 3))}
    arguments = {"times": TIMES, "expect": values, "sem": values, "std": values, "method": "x"}
    Result(**arguments)
    with pytest.raises(ValueError, match=message):
        Result(**arguments | change)


# ---------------------------------------------------------------- files


def test_round_trip_is_exact(result, plan, tmp_path):
    path = tmp_path / "a.nc"
    result.save(path)
    again = load(path)
    assert equal_bits(result, again)
    assert again.seed == 2**63 + 5 and again.provenance["seed"] == 2**64 - 1
    other = sampled(plan, 8)
    assert equal_bits(again.merge(other), result.merge(other))
    again.merge(other).save(path)  # over the old one
    assert equal_bits(load(path), result.merge(other))
    assert os.listdir(tmp_path) == ["a.nc"]
    values = {"a": np.zeros(9), "b": np.zeros((9, 3), complex)}
    bare = Result(TIMES, values, values, values, method="exact")
    bare.save(str(path))
    assert equal_bits(load(str(path)), bare)


def test_any_netcdf_reader_opens_it(result, tmp_path):
    import xarray

    path = tmp_path / "a.nc"
    result.save(path)
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        np.testing.assert_array_equal(data["emission"], result.expect["emission"])
        np.testing.assert_array_equal(
            data["coherence ∕ N_sem_imag"], result.sem["coherence / N"].imag
        )
        assert data["share"].dims == ("time", "member")
        assert data["S"].dims == ("time", "momentum")
        np.testing.assert_array_equal(data["momentum"], [0.1, 0.2])
        assert data["emission_sem"].attrs["long_name"] == "emission, standard error of the mean"
        assert (data.attrs["method"], data.attrs["ntraj"]) == ("twa", 96)


def test_xarray(result):
    data = result.to_xarray()
    assert data["share_std"].dims == ("time", "member")
    assert data["member"].dtype == np.int64
    np.testing.assert_array_equal(data["⟨Jm⟩"], result.expect["⟨Jm⟩"])
    at = data["S"].sel(momentum=0.2, time=2.0)
    assert at == result.expect["S"][-1, 1]
    for value in data.attrs.values():
        assert isinstance(value, (str, int, float))
    strict = json.loads(data.attrs["stats"], parse_constant=lambda name: pytest.fail(name))
    assert strict["clipped"] == 0.25


def test_awkward_names_and_axes(tmp_path):
    names = ["a/b", "a∕b", "..", " spaced ", "wignerflow_record", "x" * 300, "samples"]
    values = {n: np.full((9, k + 1), k + 1j) for k, n in enumerate(names)}
    r = Result(TIMES, values, values, values, method="m")
    r.save(tmp_path / "a.nc")
    assert equal_bits(load(tmp_path / "a.nc"), r)
    assert len(r.to_xarray().sizes) == 1 + len(names)


class Mine(Derived):
    """A derived observable of the user's own."""

    def __init__(self, op):
        self._inputs = {"a": op}

    def evaluate(self, means):
        return means["a"] ** 2

    def axes(self):
        return {}


def test_own_derived_observables_stay_numbers(tmp_path):
    atoms = wf.Ensemble(3, name="atoms")
    plan = flatten({"mine": Mine(atoms.Jz)})[2]
    one, two = sampled(plan, 1), sampled(plan, 2)
    assert one.merge(two).ntraj == 192
    one.save(tmp_path / "a.nc")
    again = load(tmp_path / "a.nc")
    assert equal_bits(again, one)
    with pytest.raises(ValueError, match="hold sampled trajectories"):
        again.merge(two)


def test_final_samples_survive(plan, tmp_path):
    final = np.random.default_rng(0).normal(size=(96, 2))
    final[5] = np.nan  # a trajectory that failed
    kept = sampled(plan, 1, final=final, variables=("atoms.x", "kept/ü"))
    path = tmp_path / "a.nc"
    kept.save(path)
    assert equal_bits(load(path), kept) and np.isnan(load(path).final[5]).all()
    assert kept.merge(sampled(plan, 2)).final is None
    with pytest.raises(ValueError, match=r"`final` must have shape .* = \(96, 2\), but was .*95"):
        sampled(plan, 1, final=final[:95], variables=("atoms.x", "atoms.y"))
    for change in (
        lambda f: replace(f, "kept/final", data=final[:, :1]),
        lambda f: replace(f, "kept/final", data=final.astype("f4")),
        lambda f: f.__delitem__("kept"),
    ):
        kept.save(path)
        rewritten(path, change)
        with pytest.raises(ValueError, match="is not a file with a result"):
            load(path)
    without = sampled(plan, 1)
    without.save(path)
    assert "final" not in record_of(path) and load(path).final is None


def test_a_file_that_cannot_be_written_costs_nothing(result, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"still in memory; save it elsewhere: .*no.a.nc'"):
        result.save(tmp_path / "no" / "a.nc")
    (tmp_path / "b.nc").mkdir()
    with pytest.raises(OSError, match="still in memory"):
        result.save(tmp_path / "b.nc")
    path = tmp_path / "c.nc"
    result.save(path)
    before = path.read_bytes()

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device.*c\.nc"):
        result.save(path)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["b.nc", "c.nc"]


def test_missing_and_odd_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.nc")
    with pytest.raises(ValueError, match="no regular file"):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no regular file"):
        load(tmp_path / "pipe")  # would hang if it were opened
    for content in (b"", b"CDF\x01", b"\x89HDF\r\n\x1a\n", b"x" * 10_000, os.urandom(1000)):
        (tmp_path / "a.nc").write_bytes(content)
        with pytest.raises(
            ValueError, match=r"a\.nc' is not a file with a result: it is truncated"
        ):
            load(tmp_path / "a.nc")


def test_damage_is_noticed(result, tmp_path):
    path = tmp_path / "a.nc"
    result.save(path)
    data = path.read_bytes()
    rng = random.Random(1)
    for _ in range(300):
        spoiled = bytearray(data)
        kind = rng.randrange(4)
        at = rng.randrange(len(data))
        if kind == 0:
            spoiled[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del spoiled[at:]
        elif kind == 2:
            spoiled[at:at] = b"\0"
        else:
            del spoiled[at : at + 8]
        path.write_bytes(spoiled)
        with pytest.raises(ValueError, match="is not a file with a result"):
            load(path)


def signed(body):
    import hashlib

    return body + store._MARK + hashlib.sha256(body).hexdigest().encode() + b"\n"


def body_of(path):
    return path.read_bytes()[: -store._TRAILER]


def rewritten(path, change):
    """Let ``change`` edit the open HDF5 file and sign it anew, as an attacker would."""
    buffer = io.BytesIO(body_of(path))
    with h5py.File(buffer, "r+") as f:
        change(f)
    path.write_bytes(signed(buffer.getvalue()))


def replace(f, name, **options):
    del f[name]
    f.create_dataset(name, **options)


def chunked(f):
    replace(f, "emission", shape=(9,), dtype="<f8", chunks=(9,), compression="gzip")


def bomb(f):
    replace(f, "time", shape=(2**40,), dtype="<f8", chunks=(2**20,), compression="gzip")


def unwritten(f):
    replace(f, "time", shape=(2**40,), dtype="<f8")


def outside(f):
    del f["emission"]
    f["emission"] = h5py.ExternalLink("/etc/passwd", "/x")


def soft(f):
    del f["emission"]
    f["emission"] = h5py.SoftLink("/emission_sem")


def external_storage(f):
    replace(f, "emission", shape=(9,), dtype="<f8", external=[("/etc/passwd", 0, 72)])


def virtual(f):
    del f["emission"]
    layout = h5py.VirtualLayout((9,), "<f8")
    layout[:] = h5py.VirtualSource("other.nc", "emission", (9,))
    f.create_virtual_dataset("emission", layout)


def group(f):
    del f["emission"]
    f.create_group("emission")


def objects(f):
    del f["emission"]
    f.create_dataset("emission", (9,), h5py.string_dtype())


@pytest.fixture(scope="module")
def saved(result, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "a.nc"
    result.save(path)
    return path.read_bytes()


@pytest.fixture
def path(saved, tmp_path):
    """A file of ``result`` to be spoilt."""
    path = tmp_path / "a.nc"
    path.write_bytes(saved)
    return path


def test_signing_anew_is_no_reason_to_refuse(result, path):
    rewritten(path, lambda f: None)
    assert equal_bits(load(path), result)
    with_record(path, json.dumps(record_of(path)))
    assert equal_bits(load(path), result)


@pytest.mark.parametrize(
    "change",
    [
        chunked,
        bomb,
        unwritten,
        outside,
        soft,
        external_storage,
        virtual,
        group,
        objects,
        lambda f: replace(f, "emission", data=np.zeros(8)),
        lambda f: replace(f, "emission", data=np.zeros(9, "f4")),
        lambda f: replace(f, "time", data=np.zeros(9)),
        lambda f: f.__delitem__("samples"),
        lambda f: f.__delitem__("samples/mean"),
        lambda f: replace(f, "samples/batched", data=np.full(f["samples/batched"].shape, -1)),
        lambda f: f.__delitem__(store.RECORD),
    ],
)
def test_signed_but_hostile_structure(path, change):
    rewritten(path, change)
    with pytest.raises(ValueError, match="is not a file with a result"):
        load(path)


def record_of(path):
    with h5py.File(io.BytesIO(body_of(path)), "r") as f:
        return json.loads(f[store.RECORD][()].tobytes())


def with_record(path, text):
    raw = np.frombuffer(text.encode("ascii"), "S1")
    rewritten(path, lambda f: replace(f, store.RECORD, data=raw))


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(format=2),
        lambda r: r.update(format="1"),
        lambda r: r["variables"]["emission"].update(expect=["../emission"]),
        lambda r: r["variables"]["emission"].update(expect=["/time"]),
        lambda r: r["variables"]["emission"].update(expect=[["time"]]),
        lambda r: r["variables"]["emission"].update(expect=[]),
        lambda r: r["variables"]["emission"].update(dims=["time", "nowhere"]),
        lambda r: r["samples"].update(mean=[10**9, 10**9]),
        lambda r: r["samples"].update(mean=[-1, 3]),
        lambda r: r["samples"].update(ntraj=97),
        lambda r: r.update(ntraj="__import__('os').system('true')"),
        lambda r: r.update(ntraj=1e300),
        lambda r: r["plan"]["observables"][3].update(rule="eval"),
        lambda r: r["plan"]["observables"][3].update(rule="__class__"),
        lambda r: r["plan"]["observables"][3]["parameters"].update(N={"__reduce__": 1}),
        lambda r: r["plan"]["base"].update(op0={"shape": [10**9]}),
        lambda r: r["axes"].update(emission="member"),
        lambda r: r.pop("axes"),
        lambda r: r.pop("plan"),
        lambda r: r.update(trajectories=[[1, 2]]),
        lambda r: r.update(seed="seed"),
        lambda r: r.update(stats=3),
    ],
)
def test_signed_but_hostile_record(path, change):
    record = record_of(path)
    change(record)
    with_record(path, json.dumps(record))
    with pytest.raises(ValueError, match="is not a file with a result"):
        load(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        "{" + '"a":{' * 50_000,
        "9" * 10_000,
        "NaN",
        '{"format": NaN}',
    ],
)
def test_signed_but_hostile_json(path, text):
    with_record(path, text or " ")
    with pytest.raises(ValueError, match="is not a file with a result"):
        load(path)


def test_mutated_records_load_or_are_refused(path):
    """Whatever stands where in the record: a result or a ValueError, nothing else."""
    record, body = record_of(path), body_of(path)
    rng = random.Random(2)
    junk = [None, True, -1, 0, 2**70, 1e308, "", "op0", "../..", [], {}, [[]], {"": None}, [1, "a"]]
    outcomes = {"loaded": 0, "refused": 0}
    for _ in range(40):
        mutant = copy.deepcopy(record)
        where, key = mutant, rng.choice(list(mutant))
        while isinstance(where[key], (dict, list)) and where[key] and rng.random() < 0.8:
            where = where[key]
            key = rng.choice(list(where)) if isinstance(where, dict) else rng.randrange(len(where))
        where[key] = rng.choice(junk)
        path.write_bytes(signed(body))
        with_record(path, json.dumps(mutant))
        try:
            loaded = load(path)
        except ValueError as error:
            assert "is not a file with a result" in str(error)
            outcomes["refused"] += 1
        else:
            repr(loaded)
            outcomes["loaded"] += 1
    assert min(outcomes.values()) > 5


# ---------------------------------------------------------------- pooled


def test_merge_pools(plan):
    a, b = sampled(plan, 1, n=64), sampled(plan, 2, n=160)
    both = a.merge(b)
    assert both.ntraj == 224 and both.seed == (1, 2)
    assert both.trajectories == ((1, 0, 64), (2, 0, 160))
    np.testing.assert_allclose(
        both.expect["emission"], (64 * a.expect["emission"] + 160 * b.expect["emission"]) / 224
    )
    assert np.all(both.sem["xi2"] < a.sem["xi2"])
    assert both.stats["stopped_because"] == "merged" and both.stats["wall_time"] == 3.0
    assert len(both.stats["parts"]) == 2 and both.stats["warnings"] == ["spins are short"]
    assert "seeds 1, 2" in repr(both)
    three = both.merge(sampled(plan, 3))
    assert len(three.stats["parts"]) == len(three.provenance["merged"]) == 3


def test_two_halves_are_the_whole(plan):
    whole = sampled(plan, 5, n=192)
    halves = sampled(plan, 5, n=96).merge(sampled(plan, 5, first=96, n=96))
    assert halves.trajectories == whole.trajectories == ((5, 0, 192),)
    assert halves.seed == 5
    for name in plan.names:
        np.testing.assert_allclose(halves.expect[name], whole.expect[name], rtol=1e-12)
        np.testing.assert_allclose(halves.sem[name], whole.sem[name], rtol=1e-10)


def test_merge_refuses(plan, result):
    a = sampled(plan, 1)
    with pytest.raises(ValueError, match="shares trajectories 64 to 95 of seed 1"):
        a.merge(sampled(plan, 1, first=64))
    with pytest.raises(ValueError, match="shares trajectories 0 to 95 of seed 1"):
        a.merge(sampled(plan, 2)).merge(a)
    for change, message in (
        ({"method": "schwinger-w"}, "same method 'twa'"),
        ({"dt": 0.02}, "same dt 0.01"),
        ({"model": {}}, "same model"),
    ):
        with pytest.raises(ValueError, match=message):
            a.merge(sampled(plan, 2, **change))
    other = sampled(plan, 2)
    other.times = other.times + 1
    with pytest.raises(ValueError, match="same times"):
        a.merge(other)
    atoms = wf.Ensemble(25, name="atoms")
    with pytest.raises(ValueError, match="same observables"):
        a.merge(sampled(flatten({"emission": atoms.Jz})[2], 2))
    with pytest.raises(TypeError, match="`other` must be a Result"):
        a.merge(3)


# ---------------------------------------------------------------- drawn


@pytest.fixture
def figures():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_plot(result, figures, tmp_path):
    grid = result.plot()
    axes = dict(zip(result.expect, grid, strict=True))
    grid[0].figure.savefig(tmp_path / "a.png")
    curve = axes["emission"].lines[0]
    np.testing.assert_array_equal(curve.get_ydata(), result.expect["emission"])
    (band,) = axes["emission"].collections
    top = band.get_paths()[0].vertices[:, 1].max()
    highest = np.max(result.expect["emission"] + result.sem["emission"])
    assert top == pytest.approx(highest)
    assert [t.get_text() for t in axes["⟨Jm⟩"].get_legend().get_texts()] == ["Re ⟨Jm⟩", "Im ⟨Jm⟩"]
    assert axes["S"].get_xlabel() == "$t$"
    one = result.plot("emission", linewidth=3.5, color="black")  # one panel: its axes
    assert one.lines[0].get_linewidth() == 3.5 and one.lines[0].get_color() == "black"
    one = result.plot("emission", lw=3.5, c="black", ls=":")  # short names, too
    line = one.lines[0]
    assert (line.get_linewidth(), line.get_color(), line.get_linestyle()) == (3.5, "black", ":")


def test_plot_into_given_axes(result, figures):
    from matplotlib.figure import Figure

    own = Figure().add_subplot()
    assert result.plot(["emission", "xi2"], own, xscale="log", xlabel="time (1/Γ)") is own
    assert own.get_xlabel() == "time (1/Γ)" and own.get_xscale() == "log"
    assert not figures.get_fignums()  # nothing registered with pyplot
    assert result.plot("emission", ax=own) is own


def test_maps(figures, tmp_path):
    values = np.outer(np.sin(3 * TIMES), np.arange(8.0))
    error = np.full((9, 8), 0.02)
    r = Result(TIMES, {"z": values}, {"z": error}, {"z": error}, method="twa", ntraj=10, seed=1)
    axes = r.plot(cmap="PuOr")
    axes.figure.savefig(tmp_path / "a.png")
    (mesh,) = axes.collections
    assert mesh.get_cmap().name == "PuOr"
    np.testing.assert_array_equal(mesh.get_array(), values.T)
    assert mesh.get_clim() == (-np.abs(values).max(), np.abs(values).max())
    assert axes.figure.axes[-1].get_ylabel() == "z (± 0.02 at most)"
    both = {"z": values, "a": values[:, 0]}
    r = Result(TIMES, both, both, both, method="twa")
    with pytest.raises(ValueError, match="alone when `ax` is given"):
        r.plot(ax=axes)


def test_compare_plot(result, figures, tmp_path):
    from wignerflow.plot import compare_plot

    zero = {n: np.zeros_like(v) for n, v in result.expect.items()}
    exact = Result(TIMES, result.expect, zero, zero, method="exact")
    axes = compare_plot({"twa": result, "exact": exact}, "exact")
    axes[0, 0].figure.savefig(tmp_path / "a.png")
    assert [ax.get_ylabel() for ax in axes[0]] == ["emission", "⟨Jm⟩", "xi2"]
    upper, lower = axes[:, 0]
    assert upper.lines[-1].get_color() == "black"
    assert [t.get_text() for t in upper.get_legend().get_texts()] == ["twa", "exact"]
    np.testing.assert_allclose(lower.lines[0].get_ydata(), 0, atol=1e-14)
    two = {"twa": result, "twa'": result, "exact": exact}
    upper, _ = compare_plot(two, "exact", ["emission"], lw=3.5)[:, 0]
    assert [line.get_linewidth() for line in upper.lines] == [3.5, 3.5, 1.1]
    assert [t.get_text() for t in upper.get_legend().get_texts()] == list(two)
    (line,) = compare_plot({"twa": result}, "twa", ["emission"]).lines
    assert line.get_color() == "black"
    with pytest.raises(ValueError, match="one value per time"):
        compare_plot({"twa": result}, "twa", ["share"])


def test_import_loads_nothing_heavy():
    heavy = ["matplotlib", "xarray", "h5netcdf", "h5py", "pandas", "dask", "sympy", "qutip"]
    code = (
        "import sys, wignerflow, wignerflow.result, wignerflow.plot;"
        f"print(*[m for m in {heavy} if m in sys.modules])"
    )
    root = pathlib.Path(wf.__file__).parent.parent
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert out.stdout.strip() == ""


def test_errors_of_the_method_are_printed_beside_a_mean():
    from wignerflow.result import stated

    assert stated(None, None) == stated(0.0, np.nan) == ""
    assert stated(0.0123, None) == "   (step 0.01)"
    assert stated([np.nan, 0.2, -0.34], 0.0012) == "   (step 0.3, truncation 0.001)"
