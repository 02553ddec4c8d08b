"""A scheduler that is killed: what is finished comes back, soon, and the rest can be resumed."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import pytest

import wignerflow as wf
from wignerflow.run.cluster import SchedulerLost

from ..run import cases

distributed = pytest.importorskip("distributed")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

LIMIT = 30.0
LONG = {"ntraj": 10**7, "dt": 0.002}

SCHEDULER = """
import sys
from distributed.cli.dask_scheduler import main
sys.argv = ["dask-scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--no-jupyter", "--scheduler-file", sys.argv[1]]
main()
"""
WORKER = """
import sys
from distributed.cli.dask_worker import main
sys.argv = ["dask-worker", "--scheduler-file", sys.argv[1], "--nthreads", "1", "--no-dashboard",
            "--no-nanny", "--death-timeout", "20"]
main()
"""


class Cluster:
    """A scheduler and a worker, each a process that can be killed."""

    def __init__(self, folder, **options):
        file = str(folder / "scheduler.json")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes = [subprocess.Popen([sys.executable, "-c", SCHEDULER, file], **quiet)]
        end = time.monotonic() + 60
        while not os.path.exists(file) and time.monotonic() < end:
            time.sleep(0.05)
        self.processes.append(subprocess.Popen([sys.executable, "-c", WORKER, file], **quiet))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.client = distributed.Client(scheduler_file=file, **options)
            self.client.wait_for_workers(1, timeout=60)

    def kill(self, number=signal.SIGKILL):
        self.processes[0].send_signal(number)

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        closer = threading.Thread(target=self.client.close, daemon=True)
        closer.start()
        closer.join(10)


@pytest.fixture
def cluster(tmp_path):
    made = []

    def make(**options):
        made.append(Cluster(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def killed_after(cluster, seconds, number=signal.SIGKILL, **options):
    """The result of a long run whose scheduler is killed, and how long it took to come back."""
    killed = []

    def kill():
        path, end = options.get("checkpoint"), time.monotonic() + 60
        while path is not None and not path.exists() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(seconds)
        cluster.kill(number)
        killed.append(time.monotonic())

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        return cases.solve(client=cluster.client, **LONG, **options), time.monotonic() - killed[0]
    except SchedulerLost:
        return None, time.monotonic() - killed[0]
    finally:
        thread.join()


def check(result, elapsed):
    assert elapsed < LIMIT
    if result is not None:
        assert result.stats["stopped_because"] == "cluster lost" and result.ntraj > 0
        assert "scheduler is gone" in " ".join(result.stats["warnings"])


@pytest.mark.parametrize("options", [{}, {"timeout": 30}], ids=["plain", "client-timeout"])
def test_a_killed_scheduler(options, cluster, tmp_path):
    """What is done is returned; the rest is run elsewhere, to the same bits."""
    path = tmp_path / "run.nc"
    result, elapsed = killed_after(cluster(**options), 0.5, checkpoint=path, every="1 chunks")
    check(result, elapsed)
    assert result is not None
    kept = wf.load(path).ntraj
    more = kept + 1000
    rest = cases.solve(checkpoint=path, **LONG | {"ntraj": more})
    assert rest.stats["resumed"] == kept
    assert rest.digest() == cases.solve(**LONG | {"ntraj": more}).digest()


def test_a_scheduler_dead_before_the_first_submit(cluster):
    one = cluster()
    one.kill()
    begin = time.monotonic()
    with pytest.raises(SchedulerLost, match="scheduler is gone"):
        cases.solve(client=one.client, **LONG)
    assert time.monotonic() - begin < LIMIT


def test_a_scheduler_that_hangs(cluster):
    """Stopped, not killed: connections stay open and nothing answers."""
    one = cluster()
    result, elapsed = killed_after(one, 4.0, signal.SIGSTOP)
    check(result, elapsed)
    one.kill(signal.SIGCONT)


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0])
def test_killed_at_ten_moments(moment, cluster):
    check(*killed_after(cluster(), moment))


def test_no_worker_within_the_timeout(cluster):
    one = cluster()
    one.processes[1].kill()
    one.processes[1].wait()
    time.sleep(0.5)
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        cases.solve(client=one.client, timeout=3.0)
    assert time.monotonic() - begin < 20
