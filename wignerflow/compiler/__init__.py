"""Text of a small part of Python -> machine code, kept on disk and in memory."""
