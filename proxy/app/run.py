"""Starts the program: in one process, or in as many as the configuration says."""

import signal
from collections.abc import Iterator
from pathlib import Path

import trio

from proxy.app import single, supervisor
from proxy.app.line import call_process
from proxy.app.prepare import prepare_all
from proxy.app.start import worker_count
from proxy.app.system import require_linux
from proxy.errors import ConfigError
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.load import load


def run(path: Path) -> int:
    """Run the proxy in the foreground; the process's exit code. Raises ConfigError."""
    call_process("lockgate")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    return trio.run(_main, path)


async def _main(path: Path) -> int:
    loaded = load(path)
    require_linux(loaded)
    metrics, log = Metrics(), Log(loaded.settings.log.format)
    prepared = prepare_all(loaded, metrics)
    try:
        if worker_count(loaded.settings) == 1 and loaded.settings.users is None:
            return await single.run(prepared, metrics, log)
        return await supervisor.run(prepared, metrics, log)
    except ConfigError:
        raise
    except Exception as error:
        for each in _single(error):
            log.defect(each)
        return 1
    finally:
        log.close()


def _single(error: BaseException) -> Iterator[BaseException]:
    """What has gone wrong, one by one, however many tasks have told of it."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _single(each)
    else:
        yield error
