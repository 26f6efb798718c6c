"""The configuration that the demo runs with, written so that a visitor can read it."""

CONFIG = """\
# What `lockgate demo` ran with. Port 0 takes any free port; `lockgate check gateway.yaml` reads it.
version: 1
name: demo
workers: 1                               # one process; without this line, one for each core

identity:
  certificate: file:certs/gateway.pem
  key: file:certs/gateway.key
  trust: file:certs/ca.pem

keys:
  pseudonym:
    - {id: k1, secret: file:certs/pseudonym.key}

sensitivity: [public, internal, confidential, restricted]

zones:
  partner: {clearance: internal}
  warehouse: {clearance: confidential}

listeners:
  ingest: {bind: "127.0.0.1:0", zone: partner}

upstreams:
  receiver:
    zone: warehouse
    endpoints: ["https://%(receiver)s"]
    server_name: receiver.lockgate.example
    peer: {spiffe: spiffe://lockgate.example/receiver}

routes:
%(routes)s
receipts:
  store: receipts
  origin: receipts.lockgate.example/demo
  key: file:certs/receipts.key
  log_key: file:certs/log.key
  log_pq_key: file:certs/log-pq.key

admin: {bind: "127.0.0.1:0"}
"""

ROUTES = """\
  - name: orders
    listener: ingest
    match: {path: /orders/**, methods: [POST]}
    allow: [{spiffe: spiffe://lockgate.example/client}]      # nobody else
    upstream: receiver
    request:
      content: [json]
      label: confidential
      mask:
        - {path: $.customer.ssn, action: redact}
        - {path: $.customer.email, action: {hmac: {key: pseudonym}}}
        - {path: $.payment.card, action: {partial: {keep_last: 4}}}
      detect:                                                # in every text, wherever it stands
        - {type: credit_card, action: reject}
        - {type: us_ssn, action: redact}
    response: {content: [json], label: internal}
    replay: {require: transfer-id, window: 5m}

  - name: customers
    listener: ingest
    match: {path: /customers/**, methods: [POST]}
    allow: [{spiffe: spiffe://lockgate.example/client}]
    upstream: receiver
    request:
      content: [ndjson]
      label: confidential
      mask:
        - {path: $.ssn, action: redact}
        - {path: $.email, action: {hmac: {key: pseudonym}}}
        - {path: $.iban, action: {partial: {keep_last: 4}}}
      detect:
        - {type: us_ssn, action: redact}
    response: {content: [json], label: internal}
    replay: {require: transfer-id, window: 5m}

  - name: reports
    listener: ingest
    match: {path: /reports/**, methods: [POST]}
    allow: [{spiffe: spiffe://lockgate.example/client}]
    upstream: receiver
    request: {content: [json], label_from: Data-Sensitivity}  # the sender says how sensitive it is
    response: {content: [json], label: internal}
"""


def config(receiver: str, routes: str = ROUTES) -> str:
    """The whole file; `receiver` is HOST:PORT."""
    return CONFIG % {"receiver": receiver, "routes": routes}
