"""Files that are named, and need not be there: how a log's folder is read, whoever reads it.

It stands down here so that helpers of an audit read as `notary.folder` does, without the notary.
"""

from pathlib import Path

from proxy.errors import EvidenceError


def load(folder: Path, name: str) -> bytes | None:
    """One file of a folder; None where there is none. Raises EvidenceError with its name."""
    try:
        return (folder / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EvidenceError(f"{name}: {error.strerror}") from None
