"""The explorer: a page on this machine alone in which a model file is edited, run and compared."""

from .server import TEMPLATE as TEMPLATE
from .server import Explorer as Explorer
