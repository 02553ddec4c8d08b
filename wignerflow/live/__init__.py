"""Live pages: one HTML file that holds a model's kernel and runs it in the reader's browser."""

from .page import check_page, file_page, live_page, name_of, result_page, write_page

__all__ = ["check_page", "file_page", "live_page", "name_of", "result_page", "write_page"]
