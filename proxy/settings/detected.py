"""The names of what can be detected, as configurations write them.

How each is found is in `proxy/content/kinds_*.py`; a test holds both lists equal.
"""

from typing import Final

DETECTED_TYPES: Final = (
    "credit_card",
    "iban",
    "us_ssn",
    "email",
    "private_key",
    "aws_key",
    "jwt",
)

DETECTED_GROUPS: Final = ("default", "personal", "financial", "secret", "network")
"""Names for several types at once; each type belongs to one of the last four."""
