"""What the physics is: subsystems, operators, couplings, jumps, states. Knows no method."""

from .forms import attach as _attach

_attach()
