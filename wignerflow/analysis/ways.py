"""Whether light on links has several ways."""

from __future__ import annotations

import itertools
from typing import Any

from ..model.model import Model


def several_ways(model: Model) -> bool:
    """Whether light may reach a place on several ways, of several lengths, or come back.

    What enters an output last may then have met emitters before whose light has left already:
    later inputs and earlier signals are correlated. Arrays count as one place.
    """
    places: dict[Any, Any] = {sub: sub for sub in model.subsystems}

    def root(sub: Any) -> Any:
        while places[sub] is not sub:
            sub = places[sub]
        return sub

    coupled = [{s for f in factors for s in f.subs} for _, factors in model.H.terms]
    for subs in [*coupled, *(jump.op.subsystems for jump in model.collective_jumps)]:
        for one, two in itertools.pairwise(subs):
            places[root(one)] = root(two)
    for link in model.links:
        one, two = (
            root(next(iter(jump.op.subsystems))) for jump, _ in (link.source_key, link.target_key)
        )
        if one is two:
            return True
        places[one] = two
    return False
