"""Evidence: what a receipt says, how it is signed, and how the log proves that it holds it.

    statement   what happened to one attempt      (in-toto Statement v1)
    terms       how it writes content, parties and times
    reading     the same, read back
    agreement   that a statement agrees with itself
    vkey        who may sign the log
    dsse        the signature over it             (DSSE envelope: the leaf of the log)
    opener      the same, for whoever verifies millions
    merkle      the tree over all leaves          (RFC 6962)
    tiles       the tree and its entries as files (c2sp.org/tlog-tiles)
    note        the signed root                   (c2sp.org/signed-note, tlog-checkpoint)
    consistency that a later root continues an earlier one
    proof       one leaf, its path and the root   (c2sp.org/tlog-proof)
    policy      logs, witnesses and their quorum  (c2sp.org/tlog-policy)
    quorum      what is demanded of a checkpoint before anything under it is believed
    witnessing  what log and witness say          (c2sp.org/tlog-witness)
    keychain    how one receipt key names the next
    header      receipts in HTTP answers          (RFC 9651)
    words       what a receipt says, for people
    audit       a whole log, checked from nothing

Bytes in, bytes out. No files, no clocks, no trio; whatever reads files is handed in.
"""
