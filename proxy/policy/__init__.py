"""Who may send what where: pure decisions that return, or raise a Refusal. Fails closed.

paths      the normal form of a path, and path patterns
routes     listener, method, path -> the first route that matches
authorize  is this peer named by `deny` or `allow`
hygiene    certificates that are valid, and whose keys are kept carelessly
clearance  labels on a scale, against what a zone may see
"""
