"""``wf.solve``: one function for every method.

``steps`` holds the function itself, a short list of steps, each in a file of its own: ``task``
(what to solve), ``methods`` (by what), ``options`` (how), ``record`` (what it was, as plain data),
then ``operators`` or ``trajectories`` (the work). ``failures``: warnings and errors about a run;
``rerun``: once more.
"""

from .failures import FAILED_LIMIT, FailedTrajectories
from .members import gather, members
from .methods import METHODS, check_treats, resolve_method, runs_trajectories
from .options import seed_of
from .record import plain_form
from .rerun import rerun
from .steps import solve

__all__ = [
    "FAILED_LIMIT",
    "METHODS",
    "FailedTrajectories",
    "check_treats",
    "gather",
    "members",
    "plain_form",
    "rerun",
    "resolve_method",
    "runs_trajectories",
    "seed_of",
    "solve",
]
