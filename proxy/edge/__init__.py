"""Where the sans-I/O core meets sockets: trio streams, listeners, the upstream pool, the admin.

stream.py     octets: plain or TLS, the same five methods
crowd.py      places for peers that have yet to show who they are
mistaken.py   how connections fail before anybody has shown who he is
binding.py    listening sockets
listener.py   accepts, bounds and shakes hands
inbound.py    HTTP with a sender
places.py     places that are shared fairly
dial.py       reaches an upstream
outbound.py   HTTP with an upstream, and the pool of its connections
attempt.py    what transfers and tunnels have in common
tunnel.py     octets both ways, unseen
conclusion.py the one verdict, wherever it comes from
relay.py      holds bodies, and takes answers back
upload.py     sends requests on
budget.py     how much is kept back at once
flow.py       one body on its way through the content stops
admin.py      health, metrics, status
"""
