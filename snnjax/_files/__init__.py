"""Files: the one format of everything that is saved, and JSON that is read strictly."""

from ._format import MAX_BYTES, read, write

__all__ = ["MAX_BYTES", "read", "write"]
