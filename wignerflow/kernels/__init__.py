"""PhaseSpaceSystem -> a compiled loop over trajectories."""
