"""What a route carries at all, by what a head says: the method, whether there is content, how much.

Each raises Refusal.
"""

from typing import Final

from proxy.errors import Refusal
from proxy.settings.schema import ContentPolicy, Limits, Route

_UNDEFINED: Final = frozenset(["GET", "HEAD", "DELETE"])
"""Methods to whose content HTTP gives no meaning (RFC 9110, sections 9.3.1, 9.3.2 and 9.3.5)."""


def require_carried(route: Route, method: str, *, empty: bool) -> None:
    """The method is one that is carried, with content or without.

    TRACE would show the sender what we say of it to the upstream. Raises Refusal: method-refused,
    content-unexpected.
    """
    if method == "TRACE":
        raise Refusal("method-refused", "TRACE")
    if method in _UNDEFINED and not empty and route.content_on_get == "refuse":
        raise Refusal("content-unexpected", f"{method} with content")


def require_size(limits: Limits, size: int) -> None:
    """So many octets of content may come. Raises Refusal `content-too-large`."""
    if size > limits.body:
        raise Refusal("content-too-large", f"more than {limits.body} octets announced")


def require_admitted(route: str, policy: ContentPolicy, kind: str) -> None:
    """The format is one that may cross. Raises Refusal `content-not-allowed`."""
    if kind not in policy.content:
        raise Refusal("content-not-allowed", f"route {route} does not admit {kind}")
