"""The two forms of the program: all in one process, and workers beside a notary.

Nearly all that a sender or an operator sees is made by the same code in either form: `make test`
has it in one process, `make test-large` in both. What is about processes, such as crash, drain,
reload, revocation and idempotence, is in both forms always: its module says `workers = BOTH_FORMS`.
"""

import pytest


@pytest.fixture(scope="module", params=[1, 2], ids=["one-process", "two-workers"])
def BOTH_FORMS(request: pytest.FixtureRequest) -> int:
    """Both forms, in `make test` too."""
    count: int = request.param
    return count
