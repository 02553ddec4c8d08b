"""One file per kind of subsystem; ``subsystems`` lists them."""
