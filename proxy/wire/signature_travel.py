"""Which signatures of a message still hold when it goes on: those of what nobody has changed.

A gateway writes Host and Via, may mask, and names the transfer: a signature that covers any of that
is not true any more for whoever gets the message, and who takes it for true would be wrong about
who said what. One that covers none of it goes on (RFC 9421, section 7.4.7).
"""

from collections.abc import Sequence

from proxy.model import Headers
from proxy.wire.sfv import InnerList, Member, parse_dictionary
from proxy.wire.sfv_write import format_dictionary
from proxy.wire.signature import INPUT, SIGNATURE, has_signature
from proxy.wire.signature_base import Message, SignatureFailure, signature_base
from proxy.wire.structured import NotStructured

Fields = list[tuple[bytes, bytes]]


def still_signed(fields: Fields, before: Message, after: Message) -> Fields:
    """`fields` of a message without those signatures that are not of it any more.

    `before` is the message that came, `after` the one that goes. Fails closed: what does not read,
    or covers what is not known yet, such as a trailer, stays behind.
    """
    if not has_signature(fields):
        return fields
    others = [pair for pair in fields if pair[0] not in (INPUT, SIGNATURE)]
    try:
        inputs, signatures = (parse_dictionary(_values(fields, n)) for n in (INPUT, SIGNATURE))
        kept = [label for label in inputs if _holds(inputs[label], before, after)]
        if not kept or set(inputs) != set(signatures):
            return others
        if len(kept) == len(inputs):
            return fields
        for name, members in ((INPUT, inputs), (SIGNATURE, signatures)):
            told = format_dictionary({label: members[label] for label in kept})
            others.append((name, told.encode("ascii")))
    except NotStructured:
        return [pair for pair in others if pair[0] not in (INPUT, SIGNATURE)]
    return others


def _holds(covered: Member, before: Message, after: Message) -> bool:
    if not isinstance(covered, InnerList):
        return False
    try:
        return signature_base(before, covered) == signature_base(after, covered)
    except SignatureFailure:
        return False


def _values(fields: Sequence[tuple[bytes, bytes]] | Headers, name: bytes) -> list[bytes]:
    return [value for key, value in fields if key == name]
