"""What a transfer costs: CPU time of the gateway, a request and an octet, beside others.

    python -m loadtest            also `make bench`; --quick, --only ROW, --help for sizes

    rows.py       which work, beside whom, how much
    field.py      keys, cores, an upstream, a load on a proxy, what the kernel accounts to it
    contest.py    rounds in turn; stays.py, growth.py: the rows that are no turns
    gateway.py    our configuration; peers.py, plain.py, masking.py: theirs
    client.py     the sender: line.py, bulk.py, judge.py; upstream.py, what it sends to
    figures.py    medians, percentiles, ratios; targets.py, report.py: what comes of them
    counts.py     what a request does, counted: the same on every machine; counted.py

Other benches by themselves: content, receipts, policy, ids, spill, audits, detection.
"""
