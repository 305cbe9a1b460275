"""Files: the one format of everything that is saved, and JSON that is read strictly."""

from ._disk import MAX_BYTES, read_bytes, write_bytes
from ._format import read, write

__all__ = ["MAX_BYTES", "read", "read_bytes", "write", "write_bytes"]
