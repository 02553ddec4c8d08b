"""What is done with models and results: steady states."""
