"""The SQLite extension cotaste: where it is, and how to load it into a connection."""

import os

__version__ = "0.1.0"
__all__ = ["load", "loadable_path"]


def loadable_path():
    """The path for SQLite's load_extension(), without the suffix, which SQLite adds itself."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "cotaste0")


def load(connection):
    """Load the extension into a connection of sqlite3, or of a driver with the same method names.

    Extension loading is allowed for this call only. Raises the driver's own error when the library cannot be loaded and
    NotImplementedError when the driver was built without extension loading.
    """
    if not hasattr(connection, "enable_load_extension"):
        raise NotImplementedError(
            "cotaste: this Python's sqlite3 was built without extension loading; "
            "use one that has it, such as Debian's or python.org's, or the package pysqlite3-binary"
        )
    connection.enable_load_extension(True)
    try:
        connection.load_extension(loadable_path())
    finally:
        connection.enable_load_extension(False)
