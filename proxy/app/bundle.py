"""A configuration on its way to a child: the file's octets, and the secrets meant for that child.

The supervisor reads every file once. So all processes have the same octets, even while somebody
replaces a file, and a child holds no secret that is another's.
"""

import base64
from pathlib import Path

from proxy.app.control import EndedError, Message
from proxy.app.preparation import Secrets
from proxy.errors import ConfigError, Problem
from proxy.settings.load import Loaded, load_octets


def pack(loaded: Loaded, secrets: Secrets) -> Message:
    return {
        "path": str(loaded.path),
        "octets": base64.b64encode(loaded.octets).decode(),
        "secrets": {name: base64.b64encode(value).decode() for name, value in secrets.items()},
    }


def unpack(bundle: Message) -> tuple[Loaded, Secrets]:
    """Raises ConfigError."""
    loaded = load_octets(Path(bundle["path"]), base64.b64decode(bundle["octets"]))
    secrets = {name: base64.b64decode(value) for name, value in bundle["secrets"].items()}
    return loaded, secrets


def refusal(error: ConfigError) -> Message:
    """The answer of a child that cannot use its configuration."""
    rows = [[each.file, each.line, each.column, each.path, each.message] for each in error.problems]
    return {"ok": False, "problems": rows}


def require_accepted(answer: Message) -> Message:
    """The answer, or what `refusal` says as ConfigError. Raises EndedError for what is neither."""
    if answer.get("ok") is True:
        return answer
    try:
        problems = [_problem(*row) for row in answer["problems"]]
    except (KeyError, TypeError):
        problems = []
    raise ConfigError(problems) if problems else EndedError("what came is no answer")


def _problem(file: object, line: object, column: object, path: object, message: object) -> Problem:
    if not (isinstance(line, int) and isinstance(column, int)):
        raise TypeError
    return Problem(str(file), line, column, str(path), str(message))
