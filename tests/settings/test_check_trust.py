"""What trust and revocation may be together, and what is warned of."""

from pathlib import Path

import pytest

from tests.settings.example import Change, changed, loaded, mistakes, put, warned

LISTS = put("identity.crl", "file:ca.crl")
HARD = put("revocation.mode", "hard")
PLAIN = put("listeners.in.tls.mode", "none")
OWN = put("listeners.in.tls.trust", "file:other.pem")


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ([put("revocation.enforce_within", "1s")], "revocation.enforce_within", "2s is the least"),
        ([LISTS, HARD, OWN], "listeners.in", "there is no `crl` for these peers"),
        (
            [LISTS, HARD, put("routes.0.trust", "file:x.pem")],
            "routes[0].trust",
            "there is no `crl` beside it",
        ),
        ([put("routes.0.crl", "file:x.crl")], "routes[0].crl", "give `trust` too"),
        (
            [PLAIN, put("routes.0.trust", "file:x.pem"), put("routes.0.allow", [])],
            "routes[0].trust",
            "cannot be checked where tls.mode is none",
        ),
    ],
)
def test_what_could_not_be_checked_or_kept_is_refused(
    tmp_path: Path, changes: list[Change], path: str, said: str
) -> None:
    ((where, why),) = mistakes(tmp_path, changed(*changes))
    assert where == path
    assert said in why


def test_hard_demands_lists_wherever_there_are_certificates(tmp_path: Path) -> None:
    found = mistakes(tmp_path, changed(HARD))
    assert [path for path, _ in found] == ["listeners.in", "upstreams.out"]
    loaded(tmp_path, HARD, LISTS)
    loaded(tmp_path, HARD, OWN, LISTS, put("listeners.in.tls.crl", "file:other.crl"))


def test_a_mode_without_any_list_is_warned_of(tmp_path: Path) -> None:
    change = put("revocation", {"mode": "soft", "max_age": "7d"})
    said = [(each.path, each.message) for each in warned(loaded(tmp_path, change))]
    assert said == [
        (f"revocation.{key}", "means nothing: no `crl` is named anywhere")
        for key in ("mode", "max_age")
    ]
    (weak,) = warned(loaded(tmp_path, change, LISTS))
    assert weak.code == "revocation-soft"
    within = loaded(tmp_path, put("revocation.enforce_within", "9s"))
    assert warned(within) == (), "it is about pins and grants too"
