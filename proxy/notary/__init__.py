"""The notary: the one that holds the receipt keys and writes the log.

disk       what is asked of the file system
journal    records, the torn tail, damage
book       sequences, attempts, open intents
leaves     what is not yet covered by a published checkpoint
publisher  tiles and checkpoint as static files
recovery   from a store to a notary that can go on
notary     intend, conclude, group commit, publication, failure and repair
"""

from proxy.notary.notary import Notary

__all__ = ["Notary"]
