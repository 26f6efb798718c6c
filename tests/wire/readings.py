"""One message, read by two readers that share no code with each other or with our grammar.

h11 is one; llhttp, which Node is made of, is the other (httptools). Where they differ, one of the
two would be walked past.
"""

from dataclasses import dataclass, field

import h11
import httptools

from proxy.model import Headers

MAX = 2**20


class TwoReadings(AssertionError):
    """The readers differ, or one of them cannot read it. Holds the octets."""


@dataclass(slots=True)
class Reading:
    """What a reader made of a message. Names are in lower case, values without white space."""

    first: tuple[str, ...] = ()
    """Method and target, or the status; the version last."""
    fields: Headers = ()
    body: bytes = b""
    trailers: Headers = ()
    whole: bool = False


def one_request(data: bytes) -> Reading:
    """The one reading of the one whole request in `data`. Raises TwoReadings.

    llhttp knows some methods only: it reads what has another as if it were POST.
    """
    try:
        found = by_h11(h11.Connection(h11.SERVER, max_incomplete_event_size=MAX), data)
        try:
            other = _Events("request").read(data)
        except httptools.HttpParserInvalidMethodError:
            other = _Events("request").read(b"POST" + data[len(found.first[0]) :])
            other.first = (found.first[0], *other.first[1:])
    except (h11.RemoteProtocolError, httptools.HttpParserError) as error:
        raise TwoReadings(f"{error!r}: {data!r}") from None
    if found != other or not found.whole:
        raise TwoReadings(f"{found} is not {other}: {data!r}")
    return found


def one_answer(data: bytes, method: str, *, closed: bool) -> Reading:
    """The one reading of the one whole answer in `data` to a request of `method`.

    llhttp cannot be told of HEAD, nor of the close: its reading of a head alone counts then.
    """
    judge = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX)
    judge.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    judge.send(h11.EndOfMessage())
    try:
        found = by_h11(judge, data, closed=closed)
        other = _Events("answer").read(data)
    except (h11.RemoteProtocolError, httptools.HttpParserError) as error:
        raise TwoReadings(f"{error!r}: {data!r}") from None
    if method == "HEAD" or closed:
        other.whole = found.whole
    if found != other or not found.whole:
        raise TwoReadings(f"{found} is not {other}: {data!r}")
    return found


def by_h11(judge: h11.Connection, data: bytes, *, closed: bool = False) -> Reading:
    """What h11 makes of `data`, which has to be one message and nothing behind it."""
    judge.receive_data(data)
    if closed:
        judge.receive_data(b"")
    found = Reading()
    while True:
        event = judge.next_event()
        if isinstance(event, h11.Request):
            found.first = (event.method.decode(), event.target.decode(), _version(event))
            found.fields = tuple(event.headers)
        elif isinstance(event, h11.Response):
            found.first = (str(event.status_code), _version(event))
            found.fields = tuple(event.headers)
        elif isinstance(event, h11.Data):
            found.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            found.trailers = tuple(event.headers)
            found.whole = True
            if judge.trailing_data[0]:
                raise h11.RemoteProtocolError("there is something behind the message")
            return found
        elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
            return found


def _version(event: h11.Request | h11.Response) -> str:
    return event.http_version.decode("ascii")


@dataclass(slots=True)
class _Events:
    """What llhttp calls while it reads."""

    kind: str
    reading: Reading = field(default_factory=Reading)
    _fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    _target: bytes = b""
    _begun: bool = False

    def read(self, data: bytes) -> Reading:
        reading = self.reading
        if self.kind == "request":
            request = httptools.HttpRequestParser(self)
            request.feed_data(data)
            method, target = request.get_method().decode(), self._target.decode("latin-1")
            reading.first = (method, target, request.get_http_version())
        else:
            answer = httptools.HttpResponseParser(self)
            answer.feed_data(data)
            reading.first = (str(answer.get_status_code()), answer.get_http_version())
        return reading

    def on_message_begin(self) -> None:
        if self._begun:
            raise httptools.HttpParserError("there is something behind the message")
        self._begun = True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.reading.fields = tuple(self._fields)
        self._fields = []

    def on_body(self, body: bytes) -> None:
        self.reading.body += body

    def on_message_complete(self) -> None:
        self.reading.trailers = tuple(self._fields)
        self.reading.whole = True
