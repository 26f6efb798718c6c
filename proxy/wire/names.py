"""What field names mean to those who read them, in whatever spelling."""

from typing import Final

ESSENTIAL: Final = frozenset(
    b"age authorization cache-control client-cert client-cert-chain cookie data-sensitivity date "
    b"expect expires forwarded host location max-forwards pragma range retry-after set-cookie "
    b"trailer transfer-encoding transfer-id vary via www-authenticate".split()
)
"""Fields that Connection may not nominate and trailers may not hold; `content-*` counts as well."""
_ODD = b"!#$%&'*+.^_`|~"
_AS_DASH = bytes.maketrans(_ODD, b"-" * len(_ODD))


def plain(name: bytes) -> bytes:
    """A lower-case field name as an application may see it that reads fields from its environment:
    there "_", "." and other signs cannot be told from "-" (RFC 3875 section 4.1.18)."""
    return name.translate(_AS_DASH)


def is_essential(name: bytes) -> bool:
    """True for a field that everybody on the way is meant to read as the sender wrote it."""
    return name in ESSENTIAL or name.startswith((b"content-", b"proxy-", b"if-", b"x-forwarded-"))
