"""Live pages: one HTML file that holds a model's kernel and runs it in the reader's browser."""

from .page import file_page, live_page, result_page

__all__ = ["file_page", "live_page", "result_page"]
