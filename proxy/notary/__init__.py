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
notary     what the journey asks: intend, conclude, entry
folder     reads and audits a log's folder, whoever writes it
"""

from proxy.notary.notary import Notary

__all__ = ["Notary"]
