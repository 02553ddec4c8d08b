"""Subsystems: what a model is made of, one file per kind in ``kinds`` (and ``levels``)."""

from __future__ import annotations

from .kinds.base import SAME_NAME as SAME_NAME
from .kinds.base import Member as Member
from .kinds.base import Subsystem as Subsystem
from .kinds.base import naming as naming
from .kinds.base import real_sizes as real_sizes
from .kinds.collective import CollectiveMember as CollectiveMember
from .kinds.collective import CollectiveSpin
from .kinds.ensemble import Ensemble
from .kinds.ensemble import EnsembleMember as EnsembleMember
from .kinds.ensemble import LocalOp as LocalOp
from .kinds.mode import Mode
from .kinds.spin import Spin
from .levels import Levels

#: Every kind by its name in the plain form.
KINDS: dict[str, type[Subsystem]] = {
    c.kind: c for c in (Ensemble, CollectiveSpin, Spin, Mode, Levels)
}
