"""The notary: the one that holds the receipt keys and writes the log.

what the log is made of
disk         what is asked of the file system
aio, syncs   a sync without a thread
keys         what is signed with
journal      records, the torn tail, damage
book         sequences, attempts, the time of the last entry; a draft of the next ones
drafts       what waits to be written, and how a batch of it becomes signed statements
leaves       what is not yet covered by a published checkpoint
publisher    tiles and checkpoint as static files
recovery     from what a crash left to a log that can go on
opening      what a notary does before it takes anything
store        the log as one process owns it, synchronous
writer       the task: group commit, publication, failure and repair
health       whether intents are taken, and who wants to know

what workers ask, and what is owed to them
notary       reserve, conclude, entry; events; the end of a worker
attempts     whose an attempt id is, and whether it was heard before
reception    one statement an attempt, whoever comes again
resent       what came again is looked up in the whole log
aggregates   what is only counted: shedding, in events
ids          which Transfer-Ids are held, used up, undecided: ids_memo, ids_table, shares, sieve
bounds       what workers may ask of it: routes, windows, shares
steady       by which clock it forgets
memos        what that table may not hold yet
storekey     the key under which it keeps names and content
index        where an entry is: rows, search, query; indexing makes a lost one anew
sqlite       how both use SQLite

processes
link         what a worker asks of the log, as a protocol: of the notary itself, or over a channel
desk         what stands in a worker: intents, receipts that are owed, readiness
intents      the worker's file of what it has begun to forward
frames       the channel's frames
messages     what stands in them
submissions  the statements in them
outbox       one end of a channel: what is written at the end of a turn, and read
remote       the worker's end of the channel, which outlives the notary
server       the notary's end

others
folder       reads and audits a log's folder, whoever writes it
helpers      processes that verify signatures for an audit
website      the same log from a web server; client
witness      offers checkpoints to witnesses: offer, cosigning
watched      what a witness of ours remembers
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proxy.notary.desk import Desk
    from proxy.notary.notary import Notary
    from proxy.notary.remote import RemoteLink
    from proxy.notary.server import Hall, serve_link

else:

    def __getattr__(name: str) -> object:
        """Whoever only reads a log imports nothing that writes one, nor trio."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = ["Desk", "Hall", "Notary", "RemoteLink", "serve_link"]
_HOMES: Final = {
    "Desk": "desk",
    "Hall": "server",
    "Notary": "notary",
    "RemoteLink": "remote",
    "serve_link": "server",
}
