"""For programs that send through Lockgate: what it wants to be told, and what it gives back.

    import httpx
    from proxy.client import SigningAuth, verify_receipt

    with httpx.Client(verify=tls, auth=SigningAuth("certs/client.key")) as client:
        answer = client.post(url, content=order)
    receipt = verify_receipt(answer, "certs/receipts.pub")

`SigningAuth` adds Content-Digest, Transfer-Id and a signature (RFC 9421); `verify_receipt` raises
unless the answer's receipt is signed, true, and of this very request. Neither needs a gateway, a
configuration or trio; `SigningAuth` needs httpx (`pip install lockgate[client]`), `Signer` does
not: it gives the same fields to any other client.

signer    the fields, without a client      auth     the same as httpx's Auth
receipt   the receipt of httpx's answer     evidence what is asked of a receipt
ids       ids that are the same for the same transfer
"""

from typing import TYPE_CHECKING

from proxy.client.evidence import Evidence
from proxy.client.receipt import receipt_link, verify_receipt
from proxy.client.signer import Signer

if TYPE_CHECKING:
    from proxy.client.auth import SigningAuth

__all__ = ["Evidence", "Signer", "SigningAuth", "receipt_link", "verify_receipt"]


def __getattr__(name: str) -> object:
    """`SigningAuth`, when it is asked for: only then httpx has to be there."""
    if name != "SigningAuth":
        raise AttributeError(name)
    try:
        from proxy.client.auth import SigningAuth
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        text = "SigningAuth needs httpx: pip install 'lockgate[client]'"
        raise ModuleNotFoundError(text, name="httpx") from None
    return SigningAuth
