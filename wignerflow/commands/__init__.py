"""Commands of the command line that have a module of their own."""


class UsageError(Exception):
    """The command cannot be carried out as given."""
