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
    "github_token",
    "gitlab_token",
    "slack_token",
    "stripe_key",
    "gcp_key",
    "npm_token",
    "pypi_token",
    "azure_key",
    "aws_secret",
    "basic_credentials",
    "bearer_token",
    "us_routing",
    "bank_account",
    "bitcoin_address",
    "ethereum_address",
    "phone_number",
    "ip_address",
    "mac_address",
    "date_of_birth",
    "passport",
    "driver_license",
    "medical_record",
    "us_itin",
    "us_npi",
    "us_mbi",
    "ca_sin",
    "uk_nhs",
    "uk_nino",
    "pl_pesel",
    "es_nif",
    "pt_nif",
    "it_fiscal_code",
    "au_tfn",
    "in_aadhaar",
)

CHECKSUM_NAMES: Final = (
    "luhn",
    "mod97",
    "verhoeff",
    "aba",
    "npi",
    "nhs",
    "tfn",
    "pesel",
    "nif_spain",
    "nif_portugal",
    "fiscal_code",
)
"""What a type of one's own may ask for; a test holds them equal to those that there are."""

DETECTED_GROUPS: Final = ("default", "personal", "financial", "secret", "network")
"""Names for several types at once; each type belongs to one of the last four."""
