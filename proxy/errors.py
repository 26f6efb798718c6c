"""What can go wrong, and whose fault it is.

Every foreign exception (OpenSSL, h11, pydantic, the kernel) is translated into one of these once,
at the edge of the package that owns the library. None of them carries payload data: `reason` names
what was expected and where, never the value that was found there.

The public table of problem codes is in `problems.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from proxy.problems import ADVICE as ADVICE
from proxy.problems import PROBLEMS as PROBLEMS

WITHDRAWN: Final = frozenset(
    ["certificate-revoked", "certificate-expired", "certificate-withdrawn", "upstream-withdrawn"]
)
"""Codes of transfers that were cut off: a certificate of their connections is accepted no more."""

TROUBLES: Final[dict[str, str]] = {
    "disk-full": "there is no disk space for the log",
    "read-only": "the file system of the log is read-only",
    "disk-failing": "the disk of the log fails",
    "ids-failing": "the table of ids cannot be written",
    "inconsistent": "what is to be published does not follow from what was",
    "slow": "the log is behind: statements wait for their receipts longer than receipts.patience",
    "notary-away": "the notary is away: it has not begun yet, or has died and is being replaced",
    "notary-silent": "the notary does not answer",
    "unsayable": "a statement cannot be said",
    "stopping": "the log takes nothing new any more",
    "draining": "the program is being stopped",
    "no-worker": "no worker takes transfers",
}
"""Why transfers are refused before they begin: code -> what it means."""

TLS_FAILURES: Final[dict[str, str]] = {
    "no_certificate": "the peer has none",
    "untrusted": "its chain does not end at an authority of `trust`, or is not sound",
    "expired": "a certificate of the chain is too old",
    "not_yet_valid": "a certificate of the chain is too young; look at the clocks",
    "revoked": "it is on the CRL",
    "revocation_unknown": "no CRL covers it, or only one that is out of date",
    "usage": "the certificate is not for this: key or extended usage, or an authority as a leaf",
    "weak_key": "a key or a signature of the chain is not of a kind that is admitted",
    "unproven": "it has not proved that it has the key of the certificate that it presented",
    "name": "an upstream's certificate does not bear `server_name`",
    "identity": "its names cannot be read safely, or it is not who `peer` expects",
    "pin": "its key is none of `pins`",
    "hygiene": "its key is kept carelessly, and `hygiene` says to refuse that",
    "protocol": "no TLS version in common, or no application protocol of those that it offers",
    "group": "no key exchange group in common, or not one of the list",
    "cipher": "no suite or signature algorithm in common, or not one of the list",
    "timeout": "it did not finish in time, or gave way to newer peers",
    "closed": "it went away in the middle, by closing the connection",
    "reset": "the connection broke in the middle: the peer reset it, or the network did",
    "refused_by_peer": "it refused us, by an alert",
    "plain_http": "it speaks HTTP without TLS where TLS is spoken",
    "unexpected_tls": "it speaks TLS where HTTP is spoken without",
    "garbage": "it does not speak TLS, or breaks its rules",
    "other": "a defect: of ours, or within OpenSSL; the detail in the log has its own words",
}
"""Why a handshake ended without a peer: the closed list of log and metric, and what each means."""


class LockgateError(Exception):
    """The root of everything that Lockgate raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a configuration, or a warning. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str
    code: str = "invalid"
    severity: Literal["error", "warning", "note"] = "error"
    allowed: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class ConfigError(LockgateError):
    """A configuration, or a file that it names, cannot be used. Holds every mistake at once."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Refusal(LockgateError):
    """A stop refuses the transfer.

    `code` is a key of `PROBLEMS` and is all that the peer learns, in words `title` and `advice`;
    `reason` is for our own log.
    """

    def __init__(self, code: str, reason: str, *, retry_after: int | None = None) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.retry_after = retry_after
        self.status, self.title = PROBLEMS[code]
        self.advice = ADVICE[code]


class UpstreamFailure(Refusal):
    """The upstream could not be reached, is not who it should be, or did not answer properly."""


class LogFailure(Refusal):
    """The notary cannot write: nothing may cross until it can."""

    def __init__(self, reason: str) -> None:
        super().__init__("log-unavailable", reason, retry_after=1)


class CredentialError(LockgateError):
    """A certificate, key, trust bundle or CRL cannot be used. Says why, never what is in it."""


class EvidenceError(LockgateError):
    """A receipt, proof, checkpoint or log does not hold. Says what is wrong and where."""


class OutOfReachError(LockgateError):
    """A server that has a log does not answer, or not with it: nothing is known of the log.

    No `EvidenceError`, so that nobody takes it for one.
    """


class TlsFailure(LockgateError):
    """A TLS handshake or record failed.

    `reason` is one of `TLS_FAILURES`, fit for a metric label; `detail` is for our own log and never
    for the peer. `presented` says whose certificate it was, for the log too: `subject`, `serial`
    and `pin`, bounded and printable; empty when the handshake did not come that far.
    """

    def __init__(
        self, reason: str, detail: str, presented: Mapping[str, str] | None = None
    ) -> None:
        if reason not in TLS_FAILURES:
            raise ValueError(f"{reason} is not among the reasons")
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.presented = presented or {}

    def again(self) -> "TlsFailure":
        """The same, not raised yet: one that was holds the frames through which it went, and who
        keeps it within one of these is freed late."""
        return TlsFailure(self.reason, self.detail, self.presented)
