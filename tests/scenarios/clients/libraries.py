"""Clients that are libraries of Python: http.client, requests, httpx, aiohttp."""

import asyncio
import http.client
import io
import ssl
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import aiohttp
import httpx
import requests

from tests.patience import PATIENCE
from tests.scenarios.client import client_context
from tests.scenarios.clients.senders import Ask, Place, answer
from tests.scenarios.message import Message

_PIECE = 100_000


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


def _tls(place: Place) -> ssl.SSLContext:
    context = client_context(place.pki, place.name)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def send_by_http_client(place: Place, ask: Ask, times: int) -> list[Message]:
    at = urlsplit(place.url)
    connection = http.client.HTTPSConnection(
        at.hostname or "", at.port, timeout=PATIENCE, context=_tls(place)
    )
    answers = []
    for _ in range(times):
        body = _pieces(ask.body or b"") if ask.chunked else ask.body
        connection.request(ask.method, ask.path, body, ask.fields, encode_chunked=ask.chunked)
        with connection.getresponse() as got:
            answers.append(answer(got.status, got.getheaders(), got.read()))
    connection.close()
    return answers


def send_by_requests(place: Place, ask: Ask, times: int) -> list[Message]:
    answers = []
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(place.trust)
        session.cert = (str(place.certificate), str(place.key))
        for _ in range(times):
            body = _pieces(ask.body or b"") if ask.chunked else ask.body
            with session.request(
                ask.method, place.url + ask.path, data=body, headers=ask.fields, timeout=PATIENCE
            ) as got:
                fields = list(got.raw.headers.items())
                answers.append(answer(got.status_code, fields, got.content))
    return answers


def send_by_httpx(place: Place, ask: Ask, times: int) -> list[Message]:
    answers = []
    with httpx.Client(verify=_tls(place), trust_env=False, timeout=PATIENCE) as client:
        for _ in range(times):
            body = _pieces(ask.body or b"") if ask.chunked else ask.body
            got = client.request(ask.method, place.url + ask.path, content=body, headers=ask.fields)
            answers.append(answer(got.status_code, got.headers.multi_items(), got.content))
    return answers


def send_by_aiohttp(place: Place, ask: Ask, times: int) -> list[Message]:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in _pieces(ask.body or b""):
            yield piece

    async def session() -> list[Message]:
        answers = []
        connector = aiohttp.TCPConnector(ssl=_tls(place))
        patience = aiohttp.ClientTimeout(PATIENCE)
        async with aiohttp.ClientSession(connector=connector, timeout=patience) as client:
            for _ in range(times):
                async with client.request(
                    ask.method, place.url + ask.path, headers=ask.fields,
                    data=pieces() if ask.chunked else ask.body and io.BytesIO(ask.body),
                    expect100=ask.expect,
                ) as got:  # fmt: skip
                    fields = [(k.decode(), v.decode()) for k, v in got.raw_headers]
                    answers.append(answer(got.status, fields, await got.read()))
        return answers

    return asyncio.run(session())
