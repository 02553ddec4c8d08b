"""Whose connection broke: a worker's is no reason to give up the cluster."""

import time

import pytest

from wignerflow.run.cluster import Line, SchedulerLost


class Client:
    """A client whose scheduler is there or not."""

    status = "running"

    def __init__(self, there):
        self.there = there

    def nthreads(self):
        if not self.there:
            raise OSError("nobody")
        return {"a": 1}


def broken():
    raise ConnectionResetError("reset by peer")


def test_a_broken_connection_to_a_worker_is_its_own_error():
    with pytest.raises(ConnectionResetError, match="reset by peer"):
        Line(Client(True), None).ask(broken)


def test_a_broken_connection_to_the_scheduler_is_the_end(monkeypatch):
    monkeypatch.setattr("wignerflow.run.cluster.SILENCE", 0.5)
    with pytest.raises(SchedulerLost, match="scheduler is gone"):
        Line(Client(False), None).ask(broken)


def test_what_was_lost_before_it_was_fetched_is_not_waited_for():
    begin = time.perf_counter()
    with pytest.raises(TimeoutError):
        Line(Client(True), None).ask(time.sleep, 30, lost=lambda: True)
    assert time.perf_counter() - begin < 20
