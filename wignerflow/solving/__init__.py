"""``wf.solve``: one function for every method.

``problem`` (what to solve, and by what), ``options`` (how), ``provenance`` (what it was,
as plain data), ``trajectories`` (runs of phase-space methods); ``solve`` holds the function itself
and the task that it gives to a method.
"""

from ..estimate import watching
from .options import Chosen, seed_of, threads_of, trajectories_of
from .problem import (
    METHODS,
    check_treats,
    gather,
    members,
    register,
    resolve_method,
    runs_trajectories,
)
from .provenance import plain_form, read_call
from .solve import FAILED_LIMIT, FailedTrajectories, quietly, solve, whole

__all__ = [
    "FAILED_LIMIT",
    "METHODS",
    "Chosen",
    "FailedTrajectories",
    "check_treats",
    "gather",
    "members",
    "plain_form",
    "quietly",
    "read_call",
    "register",
    "resolve_method",
    "runs_trajectories",
    "seed_of",
    "solve",
    "threads_of",
    "trajectories_of",
    "watching",
    "whole",
]
