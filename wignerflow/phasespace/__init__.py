"""Model -> PhaseSpaceSystem, one file per method."""
