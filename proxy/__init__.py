"""Lockgate. This is the map: open the files in this order to follow an octet from listener to log.

`journey.py` is the walk itself, on one screen; what it calls is below, stop by stop. `edge/`
and `notary/` meet sockets and disks; what lies below them is pure: octets in, octets out.

    before the first octet
        the command                 cli/__init__.py, cli/run.py
        YAML, read whole            settings/load.py, settings/yaml12.py, settings/schema.py
        settings become objects     app/credentials.py, app/prepare.py -> edge/gate.py
        one process, or many        app/run.py: app/single.py, or app/supervisor.py, which keeps
                                    app/family.py: app/worker.py and app/notary.py, forked by
                                    app/launcher.py
        accept, adopt, drain        app/carrier.py
        follow the disk, reload     app/reloader.py, app/watch.py, app/inotify.py

    the sender
        listener                    edge/listener.py
        TLS, pins, revocation       edge/octets.py, edge/patience.py; edge/stream.py drives
                                    tls/engine.py, over tls/records.py
                                    tls/context.py, tls/verify.py, tls/revocation.py
                                    tls/known.py, tls/path.py, tls/profile.py,
                                    tls/constraints.py
        admit(peer)                 tls/identity.py -> model/crossing.py: Peer

    what the head alone decides
        HTTP head                   edge/inbound.py drives wire/server.py
                                    wire/inbound.py, wire/grammar.py, wire/lines.py
                                    wire/judge.py: h11 agrees on what is not plain
        route                       policy/paths.py, policy/routes.py, policy/tree.py
        allow(peer, route)          policy/authorize.py, policy/entries.py, policy/principals.py
                                    policy/window.py, policy/shadow.py
        signature                   edge/signed.py, edge/signing.py, wire/signature.py,
                                    wire/signature_base.py, wire/jwk.py
        rate, volume                edge/purse.py, edge/rates.py, policy/bucket.py
                                    app/rates.py keeps what was taken
        replay                      edge/repeat.py asks the notary's table: notary/ids.py

    the content
        one body on its way         edge/bodies.py, policy/carriage.py, edge/flow.py,
                                    wire/framing.py
        header fields, the query    edge/masks.py, content/head.py
        integrity                   edge/integrity.py, wire/digests.py,
                                    content/sides.py
        held whole until it holds   edge/relay.py, edge/spill.py, app/room.py
        decode                      content/formats.py, content/inspector.py, content/held.py,
                                    content/jsonscan.py, content/plainscan.py
                                    content/table.py, content/dialect.py, content/grid.py
                                    content/form.py, content/text.py
        mask                        content/rules.py, content/paths.py, content/segments.py,
                                    content/tables.py, content/masker.py,
                                    content/jsontaken.py, content/jsonsplice.py,
                                    content/mask.py, content/values.py, content/actions.py,
                                    content/generalize.py, content/tokens.py, content/jsontokens.py,
                                    content/macs.py, content/blake2b.py,
                                    content/hmacsha256.py, content/sha256.py,
                                    content/octets.py, content/cipher.py
        detect                      content/detect.py, content/gate.py, content/outline.py,
                                    content/near.py, content/digits.py,
                                    content/kinds.py, content/registry.py, content/own.py,
                                    content/decode.py, content/located.py, content/judge.py,
                                    content/edits.py, content/watch.py, content/words.py,
                                    content/places.py, content/findings.py
        what rules in shadow find   content/shadow.py
        clearance                   policy/clearance.py, edge/labels.py

    the receiver
        upstream TLS, pins          edge/outbound.py, edge/dial.py, tls/engine.py again
        intent, before any octet    notary/desk.py, notary/intents.py
        encode                      wire/headers.py, wire/identity.py, wire/client.py
                                    wire/outbound.py
        forward                     edge/upload.py
        answer                      edge/relay.py, edge/answers.py; then the content stops again

    the evidence
        receipt                     edge/transfer.py, receipt/statement.py, receipt/dsse.py
        to the notary               notary/desk.py, over notary/remote.py and notary/server.py
        durable log                 notary/writer.py, notary/journal.py, notary/publisher.py
                                    receipt/merkle.py, receipt/tiles.py, receipt/note.py
        end of the answer           edge/answers.py, wire/headers.py, wire/structured.py
        log line, metrics           observe/log.py, observe/metrics.py,
                                    observe/contents.py

    a tunnel, instead of a message
        the walk                    tunnelling.py
        route by server name        policy/routes.py
        who it is, for the receiver edge/dial.py, wire/proxyheader.py
        octets both ways, verdict   edge/tunnel.py, edge/conclusion.py
        what its settings may be    settings/tunnels.py

    beside the journey
        health, metrics, reload     edge/admin.py
        after a crash               notary/recovery.py
        evidence, read back         receipt/reading.py, receipt/proof.py, receipt/audit.py
        why, and what if            cli/explain.py, cli/explain_stops.py,
                                    cli/explain_receipts.py, cli/past.py,
                                    cli/past_judge.py, policy/weigh.py
        what grants are used for    cli/review.py, cli/review_use.py, cli/review_narrow.py
        a CA for trying things      tls/keys.py, tls/pki.py, cli/certs.py
        a sender and a receiver     cli/send.py, cli/receive.py
        a sender's own program      client/signer.py, client/auth.py, client/receipt.py

Everywhere: `model/` has the values that pass between the stops, `errors.py` what can go wrong,
and `problems.py` what a sender is told of it.
A stop that refuses raises `Refusal`; each package's own docstring lists what else is in it.
"""
