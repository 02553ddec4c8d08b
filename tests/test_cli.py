"""The command line: what it prints where, and how it refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

from wignerflow import __version__, bench, cli, figures
from wignerflow.bench import report
from wignerflow.figures.contract import Asked, Figure
from wignerflow.figures.data import dataset
from wignerflow.figures.live import PAGES, LivePage


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A registry with one figure that costs nothing; what it was asked for."""
    seen: dict[str, Any] = {}

    def make(asked: Asked) -> xarray.Dataset:
        seen.update({k: v for k, v in vars(asked).items() if k != "say"})
        asked.say("working")
        data = dataset({"time": np.arange(3.0)})
        data["x_twa"] = ("time", [0.0, 1.0, 2.0], {"long_name": "x, twa", "sem": "x_twa_sem"})
        data["x_twa_sem"] = ("time", [0.0, 0.1, 0.1])
        return data

    def draw(data: xarray.Dataset) -> Any:
        from matplotlib.figure import Figure as Drawing

        return Drawing()

    toy = Figure("toy-1", "A toy", "A paper, Fig. 1", make, draw)
    monkeypatch.setattr(figures, "REGISTRY", {"toy-1": toy})
    return seen


def test_list_names_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "list")
    assert code == 0 and err == ""
    for name, figure in figures.REGISTRY.items():
        assert name in out and figure.source in out
    for name, page in PAGES.items():
        assert re.search(rf"^{name} .*{re.escape(page.title)} \(live page", out, re.M)
    assert len(PAGES) >= 12 and out.count("as a live page: live-laser") == 1
    assert {f.live for f in figures.REGISTRY.values()} - {None} <= set(PAGES)


def test_live_pages_are_written_where_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "thermal.py"
    script.write_text(
        '"""A toy\n====="""\nfrom pathlib import Path\nPath("thermal.html").write_text("x")\n'
    )
    monkeypatch.setitem(PAGES, "live-toy", LivePage("live-toy", script))
    code, out, err = run(capsys, "reproduce", "live-toy", "--out", str(tmp_path / "here"))
    assert (code, err) == (0, "") and "thermal.html" in out
    assert (tmp_path / "here" / "thermal.html").read_text() == "x"
    assert run(capsys, "reproduce", "live-toy", "--quick")[0] == 2
    assert "Did you mean 'live-laser'?" in run(capsys, "reproduce", "live-lasr")[2]


def test_reproduce_writes_files_and_prints_the_table(
    seen: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    code, out, err = run(
        capsys, "reproduce", "toy-1", "--quick", "--ntraj", "128", "--seed", "5", "--threads", "1",
        "--out", str(folder),
    )  # fmt: skip
    assert code == 0
    assert seen == {"quick": True, "ntraj": 128, "seed": 5, "threads": 1}
    assert sorted(p.name for p in folder.iterdir()) == ["toy-1.nc", "toy-1.png"]
    assert "x, twa" in out and "toy-1.nc" in out and "working" not in out
    assert err == "working\n"


def test_options_left_out_are_the_figures_own(seen: dict[str, Any], tmp_path: Path) -> None:
    assert cli.main(["reproduce", "toy-1", "--out", str(tmp_path)]) == 0
    assert seen == {"quick": False, "ntraj": None, "seed": None, "threads": None}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["reproduce"], "FIGURE"),
        (["dance"], "invalid choice"),
        (["reproduce", "ruks-2"], "Did you mean 'ruks-2a'?"),
        (["reproduce", "huber"], "`wignerflow list`"),
        (["reproduce", "ruks-2a", "--ntraj", "3"], "at least 64, but was 3"),
        (["reproduce", "ruks-2a", "--ntraj", "many"], "must be an integer, but was 'many'"),
        (["reproduce", "ruks-2a", "--ntraj", "nan"], "must be an integer"),
        (["reproduce", "ruks-2a", "--seed", "-1"], "at least 0, but was -1"),
        (["reproduce", "ruks-2a", "--seed", str(2**64)], "below 2**64"),
        (["reproduce", "ruks-2a", "--threads", "0"], "at least 1, but was 0"),
        (["reproduce", "ruks-2a", "--speed", "9"], "--speed"),
        (["bench", "--json"], "--json"),
    ],
)
def test_wrong_usage_ends_with_2_on_stderr(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2 and out == "" and message in err


def test_a_folder_that_cannot_be_made_is_refused_before_work(
    seen: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    code, out, err = run(capsys, "reproduce", "toy-1", "--out", str(tmp_path / "file" / "x"))
    assert code == 2 and out == "" and "cannot be made" in err and not seen


def test_interrupt_ends_with_130(
    seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    toy = figures.REGISTRY["toy-1"]
    changed = Figure(toy.name, toy.title, toy.source, interrupt, toy.draw)
    monkeypatch.setitem(figures.REGISTRY, "toy-1", changed)
    code, out, err = run(capsys, "reproduce", "toy-1")
    assert code == 130 and out == "" and "interrupted" in err


def test_help_and_version_end_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"wignerflow {__version__}\n", "")
    code, out, _ = run(capsys, "reproduce", "--help")
    assert code == 0 and "--quick" in out


def test_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wignerflow", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wignerflow {__version__}\n", "")


# ---------------------------------------------------------------- bench


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def part(quick: bool) -> report.Section:
        entries = [
            report.Entry("a", "speed", 9.0, "ns", at_most=10),
            report.Entry("b", "ratio", 7.0, at_least=8, note="slow"),
            report.Entry("c", "deviation", 0.00212, sem=0.0001, at_most=0.0035),
            report.Entry("d", "free", 1.5, "s", low=1.0, high=2.0),
        ]
        return report.Section("A part", entries, "quick" if quick else "full")

    monkeypatch.setattr(bench, "PARTS", {"part": ("a part", part)})


@pytest.mark.usefixtures("parts")
def test_bench_prints_and_writes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "bench.json"
    code, out, err = run(capsys, "bench", "--quick", "--json", str(target))
    assert code == 0 and err == "measuring a part\n"
    assert re.search("speed +9 ns +at most 10 ns +met", out)
    assert re.search("ratio +7 +at least 8 +NOT MET", out)
    assert (
        "0.00212 ± 0.00010" in out and "1.5 s (1 to 2)" in out and "2 of 3 requirements met" in out
    )
    data = json.loads(target.read_text())
    assert data["quick"] is True and data["machine"]["cores"] >= 1
    sections = report.from_dict(data)
    assert [e.met for e in sections[0].entries] == [True, False, True, None]
    assert report.markdown(sections[0]).splitlines()[2] == "| speed | 9 ns | at most 10 ns | met |"


@pytest.mark.usefixtures("parts")
def test_bench_measures_the_parts_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "bench", "part")[2] == "measuring a part\n"
    code, out, err = run(capsys, "bench", "past")
    assert code == 2 and out == "" and "no part is called 'past'; there are part" in err


@pytest.mark.usefixtures("parts")
def test_bench_refuses_a_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "bench", "--json", str(tmp_path))
    assert code == 2 and out == "" and "takes the name of a file" in err


def test_ratios_share_the_slow_spells_of_the_machine() -> None:
    load = iter([1.0, 1.0, 3.0, 3.0, 1.0, 1.0, 1.0])
    run = report.race(
        lambda: report.Time(1, 2) * next(load), lambda: report.Time(10, 30) * next(load), 3
    )
    assert len(run.ours) == 4 and len(run.theirs) == 3
    assert run.ratios("wall") == [pytest.approx(5.0), pytest.approx(15.0), pytest.approx(10.0)]
    assert run.ratios("cpu") == [pytest.approx(7.5), pytest.approx(22.5), pytest.approx(15.0)]


def test_peers_integrate_the_same_equation() -> None:
    """NumPy's mean emission at the end agrees with the exact one, within sampling."""
    import wignerflow as wf
    from wignerflow.bench import peers
    from wignerflow.figures.ruks import laser

    N, scaled = 100, 6.0
    atoms, model = laser(N, 25.0)
    e_ops = {"emission": atoms.Jp * atoms.Jm / N**2}
    exact = wf.solve(model, [0, scaled / N], e_ops=e_ops, method="exact").expect["emission"][-1]
    runner = peers.numpy_runner(peers.Job(N, 4096, 240, scaled, 2))
    assert runner() == pytest.approx(exact, abs=5 * 0.06 / np.sqrt(4096))


@pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")
def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m wignerflow list | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout.startswith("hosseinabadi-2") and done.stderr == ""
