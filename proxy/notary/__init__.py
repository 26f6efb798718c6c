"""The notary: the one that holds the receipt keys and writes the log.

disk       what is asked of the file system
keys       what is signed with
journal    records, the torn tail, damage
book       sequences, attempts, open intents
leaves     what is not yet covered by a published checkpoint
publisher  tiles and checkpoint as static files
recovery   from what a crash left to a log that can go on
store      the log as one process owns it, synchronous
writer     the task: group commit, publication, failure and repair
notary     what workers ask: reserve, conclude, entry
link       the same as a protocol: of the notary itself, or over a channel
desk       what stands in a worker: intents, receipts that are owed, readiness
intents    the worker's file of what it has begun to forward
frames     the channel's frames
messages   what stands in them
submissions  the statements in them
outbox     what waits to be written to a channel
remote     the worker's end of the channel, which outlives the notary
server     the notary's end
folder     reads and audits a log's folder, whoever writes it
"""

from proxy.notary.desk import Desk
from proxy.notary.notary import Notary
from proxy.notary.remote import RemoteLink
from proxy.notary.server import Hall, serve_link

__all__ = ["Desk", "Hall", "Notary", "RemoteLink", "serve_link"]
