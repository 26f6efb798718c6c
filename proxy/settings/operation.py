"""What a configuration says of operation: doors, memory, ids, users, stop, reload and log."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from proxy.settings.values import Duration, Model, Poll, Size, require_user


def share(total: int) -> int:
    """What one sender may have of a room that all have between them: three quarters, so that
    whoever is slow, or means harm, leaves some to the others."""
    return total - total // 4


class Bind(Model):
    bind: str


class Memory(Model):
    held: Size = Field(
        default=256 * 2**20,
        description="content kept back at once, by all transfers, until it is judged; one "
        "sender has at most three quarters",
    )


class Spill(Model):
    """Room on the disk for content that has to be held whole and is more than `limits.hold`."""

    folder: str = Field(default="/var/tmp", min_length=1)  # noqa: S108 (its files have no names)
    size: Size = Field(
        default=6 * 2**30,
        description="of all transfers of all workers together; one sender has at most three "
        "quarters",
    )


class TransferIds(Model):
    capacity: int = Field(
        default=200_000,
        gt=0,
        description="ids remembered at once, by all routes; one sender has at most half",
    )


class Rates(Model):
    capacity: int = Field(
        default=65536,
        gt=0,
        le=2**22,
        description="rates and volumes of single peers that can be under way at once",
    )


class Shutdown(Model):
    drain: Duration = Field(default=30.0, description="the one deadline of a graceful stop")


User = Annotated[str | int, BeforeValidator(require_user)]


class Users(Model):
    """Whom the processes run as, where the program is started by root: names or numbers."""

    worker: User
    notary: User


class Reload(Model):
    """How changes on the disk come into force without a signal."""

    watch: bool = Field(default=True, description="be told by the kernel")
    poll: Poll = Field(default=10.0, description="look besides: a watch can miss changes")
    settle: Duration = Field(default=0.5, description="files are left alone for so long first")


class Log(Model):
    format: Literal["auto", "json", "text"] = "auto"
