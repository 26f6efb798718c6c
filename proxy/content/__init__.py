"""Content: what may cross, with what taken out of it, and what was seen on the way.

    formats     which format a body is in: the route decides, the headers must agree
    rules       a content policy compiled once: paths, actions, detection
    inspector   one body: feed octets, get checked octets, get a report
    table       one body of rows: CSV and TSV
    form        one body of pairs
    text        plain text, in windows that divide nothing
    cutter      where whole rows end in octets that come in pieces
    dialect     how rows are written; a cell read and spelt; which delimiter it is
    grid        the cells of many rows at once
    columns     what becomes of the columns: masked, dropped, searched
    fields      paths where a record is flat: columns, pairs
    only        allow_only of JSON: what no path lists is taken out first
    tally       the report of a body in the making
    masker      blocks of JSON: found, replaced rule by rule, spliced together
    native      which scanner and splice run: compiled ones, where they could be compiled
    jsonscan    is it JSON, and where in it is what rules name? one pass, compiled
    jsonlex     the tokens of JSON, for jsonscan
    jsontaken   what was found, taken out, compiled
    jsonsplice  what was made of it put in place, compiled
    jsontokens  tokens on their way there, compiled
    tables      an automaton as flat arrays, for jsonscan
    plainscan   what jsonscan does, by validate and scan, with nothing compiled
    validate    is it JSON, exactly, and not too deep
    segments    RFC 9535 paths, parsed
    paths       and made one automaton over keys and indexes
    rows        the elements of a long array, in runs of one state
    scan        the automaton over the octets of a document -> spans
    values      what an action sees and makes, whatever the format
    actions     what a masked value becomes
    generalize  dates, numbers, addresses, postcodes made coarser
    cipher      values that whoever has the key gets back
    reveal      and how they are given back
    head        header fields and query parameters, masked by name
    mask        JSON values for actions: read, and spelt
    macs        keyed digests of many short texts, compiled
    blake2b     the same by BLAKE2b
    hmacsha256  the same by HMAC
    sha256      the steps of SHA-256
    sides       the digests of both sides of a body, compiled
    octets      what Python and C spell differently
    tokens      keyed pseudonyms that are recognised when they come again
    detect      the gate, then exact patterns on what the gate let through
    watch       what a policy does about each type: groups resolved
    judge       one string or number judged: found, counted, replaced, rejected
    findings    what was found in one body: types, counts, paths
    places      where a value stands: the keys above it, a path that tells no data
    words       context: whole words in keys and beside a find
    decode      JSON and base64 inside strings: what the gate looks for
    runs        base64 of text: which runs say some, there and back
    strings     raw JSON strings and what they say
    fold        numbers, dashes, spaces and digits that are spelt otherwise, made plain
    gate        hyperscan, wrapped
    near        the octets around digits that may mean something, compiled
    digits      where they stand so
    outline     digits and letters made words, which are cheap to search for
    own         types of a configuration's own
    kinds       what a kind of finding is; kinds_* are tables of them, registry has them all
    shapes      what those tables are made of
    patterns    what an address, a key, a token is, exactly
    identifiers the same for cards, IBANs and social security numbers
    checksums   check digits
    wallets     the same for addresses of Bitcoin and Ethereum

Octets in, octets out. No octet outside a masked span ever changes. docs/masking.md is the manual.
"""
