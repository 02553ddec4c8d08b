"""Running trajectories: chunks, threads, statistics, stopping."""
