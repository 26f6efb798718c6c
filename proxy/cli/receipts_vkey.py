"""`lockgate receipts vkey`: the public keys of a log. The one command that reads private ones."""

import argparse
from pathlib import Path

from proxy.cli.receipts_files import Group, read, telling
from proxy.cli.wording import texts
from proxy.notary import keys
from proxy.settings.load import load
from proxy.settings.secrets import read_secret


def register(group: Group) -> None:
    vkey = group.add_parser(
        "vkey",
        help="print the log's verifier keys",
        **texts(
            "Print the public keys of a log, one a line, for auditors: from a configuration, or "
            "from the log's name and its keys.",
            "lockgate receipts vkey config/gateway.yaml",
            "lockgate receipts vkey --origin receipts.lockgate.example/gateway \\\n"
            "    --log-key certs/log.key --log-pq-key certs/log-pq.key",
        ),
    )
    vkey.add_argument("config", type=Path, nargs="?", help="a configuration")
    vkey.add_argument("--origin", help="the log's name, with --log-key")
    vkey.add_argument("--log-key", type=Path)
    vkey.add_argument("--log-pq-key", type=Path)
    vkey.set_defaults(run=telling(_vkey), usage_error=vkey.error)


def _vkey(arguments: argparse.Namespace) -> int:
    named = arguments.origin is not None and arguments.log_key is not None
    if named == (arguments.config is not None):
        arguments.usage_error("give a configuration, or --origin and --log-key")
    if arguments.config is not None:
        loaded = load(arguments.config)
        receipts = loaded.settings.receipts
        origin, log = receipts.origin, read_secret(receipts.log_key, loaded.directory)
        reference = receipts.log_pq_key
        pq = None if reference is None else read_secret(reference, loaded.directory)
    else:
        origin, log = arguments.origin, read(arguments.log_key)
        pq = None if arguments.log_pq_key is None else read(arguments.log_pq_key)
    for vkey in keys.vkeys(origin, log, pq):
        print(vkey)
    return 0
