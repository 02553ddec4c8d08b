"""What the physics is: subsystems, operators, couplings, jumps, states. Knows no method."""
