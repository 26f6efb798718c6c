"""The route that a visitor's own file is given in the demo."""

import json

from proxy.cli.survey import DEPTH, Survey, masked_paths
from proxy.settings.schema import Limits


def route(found: Survey, size: int) -> str:
    """The route for this file, as it is written in the configuration."""
    limits = f"body: {_at_least('body', size)}, document: {_at_least('document', size)}"
    limits += f", record: {_at_least('record', found.longest)}, depth: {DEPTH}"
    mask = [
        f"        - {{path: {json.dumps(path, ensure_ascii=False)}, action: {action}}}"
        for path, action in masked_paths(found).items()
    ]
    detect = [f"        - {{type: {kind}, action: redact}}" for kind in found.types]
    return "\n".join(
        [
            "  - name: input",
            "    listener: ingest",
            "    match: {path: /input, methods: [POST]}",
            "    allow: [{spiffe: spiffe://lockgate.example/client}]",
            "    upstream: receiver",
            "    request:",
            f"      content: [{found.format}]",
            "      label: confidential",
            *(["      mask:", *mask] if mask else []),
            *(["      detect:", *detect] if detect else []),
            "    response: {content: [json], label: internal}",
            "    replay: {require: transfer-id, window: 5m}",
            f"    limits: {{{limits}}}",
            "",
        ]
    )


def _at_least(name: str, size: int) -> int:
    """The limit's default, or more where this file needs it."""
    default: int = getattr(Limits(), name)
    return max(default, size)
