"""What a connection reports: frozen values, one at a time, to whoever drives it."""

from typing import Final

from proxy.model import AnswerHead, Head, Headers
from proxy.model.value import value


@value(frozen=True, slots=True)
class RequestHead:
    """A request begins (server side)."""

    head: Head


@value(frozen=True, slots=True)
class ResponseHead:
    """The final answer begins (client side)."""

    head: AnswerHead


@value(frozen=True, slots=True)
class Informational:
    """An interim answer, 100 or 102 to 199 (client side); the final one is still to come."""

    status: int
    headers: Headers


@value(frozen=True, slots=True)
class Data:
    """Some octets of the content, never none."""

    data: bytes


@value(frozen=True, slots=True)
class EndOfMessage:
    """The message is complete, exactly as its framing said."""

    trailers: Headers = ()


@value(frozen=True, slots=True)
class NeedData:
    """Nothing can be said before `receive` brings more."""


@value(frozen=True, slots=True)
class Closed:
    """The peer sends no more, and did not stop inside a message."""


END: Final = EndOfMessage()
NEED_DATA: Final = NeedData()
CLOSED: Final = Closed()

ServerEvent = RequestHead | Data | EndOfMessage | NeedData | Closed
ClientEvent = ResponseHead | Informational | Data | EndOfMessage | NeedData | Closed
Event = ServerEvent | ClientEvent
