"""Who may send what where: pure decisions that return, or raise a Refusal. Fails closed.

paths      the normal form of a path, and path patterns
routes     listener, method, path -> the first route that matches; `tree` finds it
authorize  is this granted by `deny` and `allow`, and until when
shadow     entries that decide nothing, and note what they would have decided
entries    each entry of these, compiled; `principals` is whom it names, `window` when
hygiene    certificates that are valid, and whose keys are kept carelessly
clearance  labels on a scale, against what a zone may see
"""
