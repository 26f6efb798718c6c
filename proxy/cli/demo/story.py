"""The demo's own story: two files cross, one is sent again and does not cross twice, five attempts
are refused, and all of it is on record."""

import re

import orjson

from proxy.cli.demo import checks, evidence, material
from proxy.cli.demo.config import ROUTES
from proxy.cli.demo.deliver import Outcome, require
from proxy.cli.demo.site import NotAsTold
from proxy.cli.demo.stage import Stage

_SSN = re.compile(rb"(?<![0-9])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9])")


def tell(stage: Stage) -> None:
    """All of it. Raises NotAsTold."""
    set_up(stage)
    sent_again(stage, an_order(stage))
    many_customers(stage)
    a_card_in_a_note(stage)
    a_stranger(stage)
    above_clearance(stage)
    no_certificate(stage)
    not_json(stage)
    evidence.on_record(stage, "order.json.receipt.json", "order.json")


# --- set up ---


def set_up(stage: Stage) -> None:
    """Keys, the receiver and the gateway."""
    stage.screen.step(
        "A sender, a gateway, a receiver",
        "Keys and certificates for this demo alone, a receiver and a gateway as processes of "
        "their own. Both speak TLS 1.3 only, and only with peers that show a certificate.",
    )
    stage.start(ROUTES)
    if not stage.has_curl:
        stage.screen.say("curl is not installed here: lockgate send takes its part.")


# --- what crosses ---


def an_order(stage: Stage) -> Outcome:
    sent = stage.write("order.json", material.good_order())
    stage.screen.step(
        "A JSON order crosses, masked",
        "The policy redacts the social security number, turns the e-mail address into a keyed "
        "pseudonym and keeps four digits of the card. Another social security number stands in "
        "the note, where no path points: detection finds it.",
    )
    outcome = stage.send("/orders/1001", "order.json", curl=False)
    require(outcome, 201, "delivered")
    arrived = stage.collect(outcome, "json")
    stage.screen.beside(sent.decode().splitlines(), arrived.decode().splitlines())
    masked = checks.require_same_but(
        sent,
        arrived,
        checks.at(
            {
                "$.customer.ssn": checks.redacted,
                "$.customer.email": checks.pseudonyms(),
                "$.payment.card": checks.keeps_last_four,
                "$.note": checks.without("us_ssn", _SSN),
            }
        ),
    )
    if masked.total() != 4:
        raise NotAsTold(f"{masked.total()} fields were masked, not 4")
    _require_report(outcome, masked=3, findings={"us_ssn": "1"})
    if _channel(outcome) != ("TLSv1.3", "X25519MLKEM768"):
        raise NotAsTold(f"the channel was {_channel(outcome)}")
    stage.verdict(outcome)
    stage.screen.checked(
        "TLS 1.3, keys agreed with X25519MLKEM768, which resists quantum computers too",
        "all 4 are masked; every other byte is as sent: 1.10, 18446744073709551616, \\u00eb, "
        "\\/, 1e0, white space, order of keys",
    )
    return outcome


def sent_again(stage: Stage, first: Outcome) -> None:
    stage.screen.step(
        "The same transfer again: answered, not delivered twice",
        "Its sender may not have heard the answer, and sends the order again under the same "
        "Transfer-Id. That is safe, also after a crash: the gateway knows what became of it.",
    )
    stage.write("again.json", material.good_order())
    outcome = stage.send("/orders/1001", "again.json", identity=first.transfer_id)
    require(outcome, 201, "delivered")
    if not outcome.duplicate or outcome.statement != first.statement:
        raise NotAsTold("what came again was not answered with the receipt of the first time")
    stage.require_inbox()
    stage.screen.verdict(outcome.status, outcome.verdict or "", "Transfer-Duplicate: ?1")
    stage.screen.checked(
        "the receipt is that of the first time; the receiver has the order once",
    )


def many_customers(stage: Stage) -> None:
    sent = stage.write("customers.ndjson", material.customers())
    stage.screen.step(
        f"{material.CUSTOMERS:,} customers stream through, record by record",
        f"NDJSON, {len(sent) / 1e6:.1f} MB. Nothing waits for the whole file: each record goes "
        "on as soon as it has been checked and masked.",
    )
    outcome = stage.send("/customers/import", "customers.ndjson", curl=True)
    require(outcome, 201, "delivered")
    arrived = stage.collect(outcome, "ndjson")
    _show_record(stage, sent, arrived, 6)
    masked = checks.require_same_but(
        sent,
        arrived,
        checks.at(
            {
                "$.ssn": checks.redacted,
                "$.email": checks.pseudonyms(),
                "$.iban": checks.keeps_last_four,
                "$.note": checks.without("us_ssn", _SSN),
            }
        ),
    )
    notes = material.notes_with_ssn()
    if masked != {f"$.{n}": material.CUSTOMERS for n in ("ssn", "email", "iban")} | {
        "$.note": notes
    }:
        raise NotAsTold(f"masked were {dict(masked)}")
    checks.require_nothing_of(list(_plain(sent)), arrived)
    _require_report(outcome, masked=3 * material.CUSTOMERS, findings={"us_ssn": str(notes)})
    stage.verdict(outcome)
    stage.screen.checked(
        f"{3 * material.CUSTOMERS:,} fields masked by path and {notes:,} numbers found in "
        "notes; every other byte is as sent",
        "the same address always has the same pseudonym, and no two share one",
    )


# --- what is refused ---


def a_card_in_a_note(stage: Stage) -> None:
    stage.write("card.json", material.order_with_card())
    stage.screen.step(
        "A card number in a note: refused",
        "The same order, but somebody typed a card number into the note. The policy says "
        "reject: the checksum is right, so it is one.",
    )
    stage.refused("/orders/1002", "card.json", 422, "finding-rejected", curl=False)


def a_stranger(stage: Stage) -> None:
    stage.screen.step(
        "A peer that is not allowed: refused",
        "A certificate of the very same authority, but the name in it, "
        "spiffe://lockgate.example/stranger, is on no list. Nobody is allowed by default.",
    )
    stage.write("stranger.json", material.good_order())
    stage.refused("/orders/1003", "stranger.json", 403, "not-allowed", party="stranger")


def above_clearance(stage: Stage) -> None:
    stage.write("report.json", material.report())
    stage.screen.step(
        "More sensitive than the destination may see: refused",
        "The sender labels this report restricted; the receiver's network is cleared up to "
        "confidential.",
    )
    label = "Data-Sensitivity: restricted"
    stage.refused("/reports/q3", "report.json", 403, "above-clearance", label, curl=False)


def no_certificate(stage: Stage) -> None:
    stage.screen.step(
        "No certificate at all: refused in the handshake",
        "There is no answer and no receipt, because there is nobody to give one to; the log "
        "counts it.",
    )
    stage.write("nobody.json", material.good_order())
    outcome = stage.send("/orders/1004", "nobody.json", party=None)
    if outcome.status is not None:
        raise NotAsTold(f"a peer without a certificate was answered {outcome.status}")
    stage.require_not_there(outcome)
    reasons = [e["reason"] for e in stage.site.logged("gateway", "handshake_refused")]
    if reasons != ["no_certificate"]:
        raise NotAsTold(f"the gateway logged {reasons}, not no_certificate")
    stage.screen.verdict("no answer", "refused", outcome.reason)
    stage.screen.checked("the gateway logged: handshake_refused, no_certificate")


def not_json(stage: Stage) -> None:
    stage.write("cut.json", material.truncated_order())
    stage.screen.step(
        "Half a document: refused",
        "What cannot be parsed cannot be checked, and what cannot be checked does not cross.",
    )
    stage.refused("/orders/1005", "cut.json", 422, "unparseable")


def _show_record(stage: Stage, sent: bytes, arrived: bytes, line: int) -> None:
    before = orjson.loads(sent.splitlines()[line])
    after = orjson.loads(arrived.splitlines()[line])
    stage.screen.fields((name, str(before[name]), str(after[name])) for name in before)


def _plain(sent: bytes) -> list[bytes]:
    records = [orjson.loads(line) for line in sent.splitlines()[::97]]
    return [f'"{record[name]}"'.encode() for record in records for name in ("email", "iban")]


def _require_report(outcome: Outcome, *, masked: int, findings: dict[str, str]) -> None:
    """The signed receipt counts what was masked and found. Raises NotAsTold."""
    content = outcome.statement["predicate"]["content"]
    counted = sum(int(count) for count in content["masked"].values())
    if counted != masked or content["findings"] != findings:
        raise NotAsTold(f"the receipt counts {counted} masked, {content['findings']} found")


def _channel(outcome: Outcome) -> tuple[str, str]:
    channel = outcome.statement["predicate"]["channel"]
    return channel["tls"], channel["group"]


def sum_up(stage: Stage) -> None:
    """What has been shown."""
    stage.screen.checked(
        "2 files crossed, masked, and every other byte of them as sent",
        "the one that was sent again was answered again, and not delivered again",
        "5 attempts were refused; the receiver has nothing of them",
        f"{stage.entries} signed receipts, one log, and no way to change it unnoticed",
    )
