"""The frozen values that pass between the stops of a transfer.

Nothing here does anything: each stop takes some of these and returns others. Header names are
lower-case ASCII bytes and values are the exact octets between the optional white space, in the
order in which they came.
"""

from proxy.model.crossing import (
    FOREVER,
    AnswerHead,
    Certificate,
    Channel,
    Framing,
    Head,
    Headers,
    ListInForce,
    Peer,
    Report,
)
from proxy.model.evidence import (
    Claim,
    Content,
    Digest,
    Earlier,
    Event,
    Intent,
    Missed,
    Outcome,
    Receipt,
    Submission,
    Trouble,
    Verdict,
    named_trouble,
)

__all__ = [
    "FOREVER",
    "AnswerHead",
    "Certificate",
    "Channel",
    "Claim",
    "Content",
    "Digest",
    "Earlier",
    "Event",
    "Framing",
    "Head",
    "Headers",
    "Intent",
    "ListInForce",
    "Missed",
    "Outcome",
    "Peer",
    "Receipt",
    "Report",
    "Submission",
    "Trouble",
    "Verdict",
    "named_trouble",
]
