"""How long a test waits for what must come: never in vain but where the program is broken."""

PATIENCE = 60.0
"""Seconds. A machine that does much else at the same time may be ten times as slow as an idle one;
who waits for an event is done when it comes, so that all of it is spent by a failure only."""
