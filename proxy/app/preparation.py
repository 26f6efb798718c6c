"""Every file that a configuration names: read once, and proven to be what its place demands.

A mistake is told at the key that names the file, and all of them are told at once: nothing is built
from any file before each has been tried under its own name.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from proxy.errors import CredentialError, Problem, TlsFailure
from proxy.settings.load import Loaded
from proxy.settings.secrets import MAX_LISTS, MAX_OCTETS, MAX_TOGETHER, read_secret

T = TypeVar("T")
Path = tuple[str | int, ...]
Secrets = Mapping[str, bytes]
"""Secret reference -> the octets behind it."""


class Preparation:
    """Collects what is wrong while it reads and builds what is right.

    With `secrets` no file and no variable is read: what is not among them is not there.
    """

    def __init__(self, loaded: Loaded, secrets: Secrets | None = None) -> None:
        self.loaded = loaded
        self.problems: list[Problem] = []
        self.read_so_far: dict[str, bytes] = {}
        """Every reference that was read, with what it refers to."""
        self._secrets = secrets
        self._octets: dict[Path, bytes | None] = {}

    def attempt(self, path: Path, build: Callable[[], T]) -> T | None:
        """`build()`, or None and a problem at `path`."""
        try:
            return build()
        except TlsFailure as failure:
            message = failure.detail
        except (CredentialError, ValueError) as error:
            message = str(error)
        self.problems.append(self.loaded.problem(path, message))
        return None

    def read(
        self, path: Path, reference: str | None, require: Callable[[bytes], object]
    ) -> bytes | None:
        """The octets behind the reference at `path`, of which `require` makes sure; or None.

        Read once, so that all who use a file use the same one even while somebody replaces it.
        """
        if reference is not None and path not in self._octets:

            def proven() -> bytes:
                octets = self._read(reference, MAX_LISTS if path[-1] == "crl" else MAX_OCTETS)
                require(octets)
                return octets

            self._octets[path] = self.attempt(path, proven)
        return self._octets.get(path)

    def _read(self, reference: str, at_most: int) -> bytes:
        if self._secrets is None:
            octets = self.read_so_far.get(reference)
            octets = octets or read_secret(reference, self.loaded.directory, at_most=at_most)
        elif reference in self._secrets:
            octets = self._secrets[reference]
        else:
            raise CredentialError(f"{reference} is not for this process")
        before = sum(len(each) for name, each in self.read_so_far.items() if name != reference)
        if before + len(octets) > MAX_TOGETHER:
            raise CredentialError(
                f"with {reference}, all that is referred to is larger than {MAX_TOGETHER} octets"
            )
        self.read_so_far[reference] = octets
        return octets
