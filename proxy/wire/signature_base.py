"""The signature base (RFC 9421, section 2.5): what of a message is signed, as one text.

    "@method": POST
    "@path": /orders/1
    "content-digest": sha-256=:X48E9q...=:
    "@signature-params": ("@method" "@path" "content-digest");created=1618884473;keyid="etl"

Each line is an identifier, which may have parameters, and the value that the message gives it. What
is not there, is not understood, or could be read in two ways is no base: `SignatureFailure`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote

from proxy.errors import LockgateError
from proxy.model import Head, Headers
from proxy.model.signed import SIGNATURE_FAILURES
from proxy.wire.sfv import InnerList, Item, Member, parse_dictionary
from proxy.wire.sfv_write import Kind, format_member, reserialize
from proxy.wire.structured import NotStructured, format_list

STRUCTURED: Final[Mapping[str, Kind]] = {
    "accept-signature": "dictionary",
    "cache-status": "list",
    "client-cert": "item",
    "client-cert-chain": "list",
    "content-digest": "dictionary",
    "priority": "dictionary",
    "proxy-status": "list",
    "repr-digest": "dictionary",
    "signature": "dictionary",
    "signature-input": "dictionary",
    "transfer-receipt": "list",
    "transfer-receipt-key": "list",
    "want-content-digest": "dictionary",
    "want-repr-digest": "dictionary",
}
"""Fields that are structured, and how: those that may be covered in their strict form."""
MOST: Final = 64
"""Components that a signature may cover: each is looked for in the whole message."""
_FIELDS: Final = 1000
"""Parameters that a query may have, of which some are covered."""
_FIELD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e\t]*")
_ABSOLUTE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?]*(.*)", re.DOTALL)
_DEFAULT_PORT: Final = {"http": ":80", "https": ":443"}


class SignatureFailure(LockgateError):
    """A signature does not hold, or cannot be made. `reason` is one of `SIGNATURE_FAILURES`.

    `detail` is for our own log: it names parts of the message, never a value.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        if reason not in SIGNATURE_FAILURES:
            raise ValueError(f"{reason} is not among the reasons")
        self.reason = reason
        self.detail = detail or SIGNATURE_FAILURES[reason]
        super().__init__(f"{reason}: {self.detail}")


@dataclass(frozen=True, slots=True)
class Message:
    """What is signed: a request, or an answer with its `status`. Names of fields are lower case."""

    fields: Headers
    method: str = ""
    target: str = ""
    """As it stands in the request line."""
    scheme: str = ""
    authority: str = ""
    status: int | None = None
    trailers: Headers = ()
    request: "Message | None" = None
    """Of an answer: the request, for what is covered with `;req`."""


def request_message(head: Head, scheme: str, trailers: Headers = ()) -> Message:
    """A request that has passed the grammar; `scheme` is that by which it came."""
    (host,) = head.fields[b"host"] or (b"",)
    return Message(
        head.headers,
        head.method,
        head.target,
        scheme,
        host.decode("latin-1"),
        trailers=trailers,
    )


def signature_base(
    message: Message, covered: InnerList, structured: Mapping[str, Kind] = STRUCTURED
) -> bytes:
    """The base of a message for these components and parameters. Raises `SignatureFailure`."""
    if len(covered.items) > MOST:
        raise SignatureFailure("malformed", f"more than {MOST} components")
    reader = _Reader(message, structured)
    lines: dict[frozenset[object], str] = {}
    for item in covered.items:
        name = item.value
        identity = frozenset({name, *item.parameters.items()})
        if type(name) is not str or identity in lines:
            raise SignatureFailure("malformed", "a component twice, or without a name")
        lines[identity] = f"{format_member(item)}: {reader.value(name, item)}"
    last = f'"@signature-params": {format_member(covered)}'
    return "\n".join((*lines.values(), last)).encode("ascii")


class _Reader:
    """Gives the values of components. Reads nothing twice, however many parts of it are covered."""

    def __init__(self, message: Message, structured: Mapping[str, Kind]) -> None:
        self._message, self._structured = message, structured
        self._dictionaries: dict[tuple[bytes, ...], dict[str, Member]] = {}
        self._queries: dict[str, dict[str, list[str]]] = {}

    def value(self, name: str, item: Item) -> str:
        said: dict[str, object] = dict(item.parameters)
        message = self._message
        if _flag(said, "req"):
            if message.status is None or message.request is None:
                raise SignatureFailure("component-malformed", "req in the signature of a request")
            message = message.request
        if name == "@query-param":
            return self._parameter(message, said)
        if name.startswith("@"):
            return _derived(message, name, said)
        if not _FIELD.fullmatch(name):
            raise SignatureFailure("component-malformed", "a name that no field has")
        fields = message.trailers if _flag(said, "tr") else message.fields
        values = tuple(_plain(value) for key, value in fields if key == name.encode())
        if not values:
            raise SignatureFailure("component-absent", f"there is no {name}")
        try:
            return self._field(name, values, said)
        except NotStructured as error:
            raise SignatureFailure("component-malformed", f"{name}: {error}") from None

    def _field(self, name: str, values: tuple[bytes, ...], said: dict[str, object]) -> str:
        """The value of a field as its parameters, of which none or one may be left, say."""
        if not said:
            return _ascii(b", ".join(values))
        if said == {"bs": True}:
            return format_list(values).decode("ascii")
        if said == {"sf": True} and name in self._structured:
            return reserialize(self._structured[name], values)
        if set(said) == {"key"} or (set(said) == {"key", "sf"} and said["sf"] is True):
            return self._entry(name, values, said["key"])
        raise NotStructured("covered in a way that is not understood")

    def _entry(self, name: str, values: tuple[bytes, ...], key: object) -> str:
        if type(key) is not str:
            raise NotStructured("a key that is no string")
        if values not in self._dictionaries:
            self._dictionaries[values] = parse_dictionary(values)
        member = self._dictionaries[values].get(key)
        if member is None:
            raise SignatureFailure("component-absent", f"there is no such member of {name}")
        return format_member(member)

    def _parameter(self, message: Message, said: Mapping[str, object]) -> str:
        wanted = said.get("name")
        if message.status is not None or set(said) != {"name"} or type(wanted) is not str:
            raise SignatureFailure("component-malformed", "not one parameter of a query")
        query = _path_and_query(message)[1][1:]
        if query not in self._queries:
            self._queries[query] = _form(query)
        values = self._queries[query].get(wanted, [])
        if len(values) > 1:
            raise SignatureFailure("component-malformed", "a parameter of the query comes twice")
        if not values:
            raise SignatureFailure("component-absent", "there is no such parameter in the query")
        return values[0]


def _flag(said: dict[str, object], name: str) -> bool:
    if said.get(name) is not True:
        return False
    del said[name]
    return True


def _plain(value: bytes) -> bytes:
    return _FOLD.sub(b" ", value).strip(b" \t")


def _ascii(value: bytes) -> str:
    if not _PRINTABLE.fullmatch(value):
        raise NotStructured("octets outside printable ASCII")
    return value.decode("ascii")


def _derived(message: Message, name: str, said: Mapping[str, object]) -> str:
    derive = _DERIVED.get(name)
    if derive is None or said:
        raise SignatureFailure("component-malformed", "a derived component that is not understood")
    if (name == "@status") != (message.status is not None):
        raise SignatureFailure("component-absent", f"{name} is not of this kind of message")
    value = derive(message)
    if not value:
        raise SignatureFailure("component-absent", f"the message has no {name}")
    if not value.isascii() or not value.isprintable():
        raise SignatureFailure("component-malformed", f"{name} is not printable")
    return value


def _authority(message: Message) -> str:
    return message.authority.lower().removesuffix(_DEFAULT_PORT.get(_scheme(message), ""))


def _scheme(message: Message) -> str:
    return message.scheme.lower()


def _uri(message: Message) -> str:
    if _ABSOLUTE.fullmatch(message.target):
        return message.target
    if message.target != "*" and not message.target.startswith("/"):
        raise SignatureFailure("component-absent", "the target of the request is no URI")
    return f"{_scheme(message)}://{_authority(message)}{message.target.removeprefix('*')}"


def _path_and_query(message: Message) -> tuple[str, str]:
    absolute = _ABSOLUTE.fullmatch(_uri(message))
    path, mark, query = (absolute[1] if absolute else message.target).partition("?")
    return path or "/", mark + query


def _form(query: str) -> dict[str, list[str]]:
    """The parameters of a query, encoded anew: name -> its values."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError:
        raise SignatureFailure("component-malformed", "the query is not that of a form") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(_encoded(name), []).append(_encoded(value))
    return found


def _encoded(text: str) -> str:
    """As forms are percent-encoded (WHATWG URL), with spaces as %20 (RFC 9421, section 2.2.8)."""
    return quote(text, safe="*-._").replace("~", "%7E")


_DERIVED: Final[Mapping[str, Callable[[Message], str]]] = {
    "@authority": _authority,
    "@method": lambda message: message.method,
    "@path": lambda message: _path_and_query(message)[0],
    "@query": lambda message: _path_and_query(message)[1] or "?",
    "@request-target": lambda message: message.target,
    "@scheme": _scheme,
    "@status": lambda message: f"{message.status:03d}",
    "@target-uri": _uri,
}
