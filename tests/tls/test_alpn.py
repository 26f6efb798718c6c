"""Which protocol is spoken within TLS, where a client says what it would speak (RFC 7301)."""

import ssl
from pathlib import Path

import pytest

from proxy.settings.schema import ListenerTls
from proxy.tls.context import HTTP, TlsContext, server_context
from proxy.tls.engine import Engine
from tests.pki import pki
from tests.tls.pump import End, Foreign, foreign_context, foreign_peer, shake_foreign

WEB = server_context(
    pki().gateway, pki().trust, None, ListenerTls(minimum="1.2"), applications=HTTP
)
TUNNEL = server_context(pki().gateway, pki().trust, None, ListenerTls())


def meet(
    server: TlsContext,
    folder: Path,
    offered: list[str],
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> tuple[End, Foreign]:
    """Our side and that of a client, when neither has more to say."""
    context = foreign_context(False, pki().client, folder)
    context.maximum_version = version
    if offered:
        context.set_alpn_protocols(offered)
    client = foreign_peer(context, server=False)
    return shake_foreign(Engine(server), client), client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("offered", "spoken"),
    [
        ([], None),
        (["http/1.1"], "http/1.1"),
        (["h2", "http/1.1"], "http/1.1"),
        (["http/1.0", "http/1.1"], "http/1.1"),
        (["http/1.0"], "http/1.0"),
    ],
)
def test_a_client_that_offers_http_1_gets_it(
    tmp_path: Path, version: ssl.TLSVersion, offered: list[str], spoken: str | None
) -> None:
    end, client = meet(WEB, tmp_path, offered, version)
    assert (end.failure, client.failure) == (None, None)
    assert client.tls.selected_alpn_protocol() == spoken


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    "offered", [["h2"], ["h2", "h2c"], ["HTTP/1.1"], ["http/1.1 "], ["postgresql"]]
)
def test_one_that_offers_only_others_is_refused_with_an_alert_that_says_so(
    tmp_path: Path, version: ssl.TLSVersion, offered: list[str]
) -> None:
    end, client = meet(WEB, tmp_path, offered, version)
    assert end.reason == "protocol"
    assert client.failure is not None
    assert "alert no application protocol" in str(client.failure)
    after, _ = meet(WEB, tmp_path, ["http/1.1"], version)
    assert after.failure is None, "the next connection hears nothing of it"


def test_a_tunnel_says_nothing_of_what_is_in_it(tmp_path: Path) -> None:
    end, client = meet(TUNNEL, tmp_path, ["postgresql", "h2"])
    assert (end.failure, client.failure) == (None, None)
    assert client.tls.selected_alpn_protocol() is None
