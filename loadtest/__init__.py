"""What a transfer costs: CPU time of the gateway, a request and an octet.

    python -m loadtest            also `make bench`; --help for sizes

    client (own process) ── mutual TLS ──▶ proxy (own core) ── mutual TLS ──▶ upstream (own process)

The proxy is alone on the first core; client and upstream share the others, and are not counted.
Time on the CPU is what the kernel accounts to the proxy's processes; time on the wire is not looked
at. nginx, where it is installed, takes the same load in turn with us as a plain pass, so that a
figure can be read as a ratio on whatever machine this is. It masks nothing and signs nothing.
Every answer is checked, and one that is not as it should be ends the run.
"""
