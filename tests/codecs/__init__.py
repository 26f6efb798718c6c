"""Octets of every format and coding, held against what must hold of each (`make fuzz`).

seeds     where the search begins; the tests replay them
targets   one codec each: octets in, an AssertionError when something does not hold
reading   the same output, read by parsers that we did not write
"""
