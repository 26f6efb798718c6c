"""Addresses to listen on: had alone, and nothing leaks when they cannot be had."""

from pathlib import Path

import pytest

from proxy.edge.binding import bind
from proxy.errors import ConfigError


async def test_a_socket_path_that_somebody_listens_on_is_not_taken_over(tmp_path: Path) -> None:
    with bind("unix:a.sock", tmp_path), pytest.raises(ConfigError, match="in use"):
        bind("unix:a.sock", tmp_path)


async def test_a_socket_path_that_a_dead_process_left_is_taken_over(tmp_path: Path) -> None:
    bind("unix:a.sock", tmp_path).close()
    with bind("unix:a.sock", tmp_path):
        assert (tmp_path / "a.sock").stat().st_mode & 0o007 == 0


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.sock").write_text("mine")
    with pytest.raises(ConfigError):
        bind("unix:a.sock", tmp_path)
    assert (tmp_path / "a.sock").read_text() == "mine"


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with bind("127.0.0.1:0", tmp_path) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match="in use"):
            bind(f"127.0.0.1:{port}", tmp_path)
