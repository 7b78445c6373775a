from __future__ import annotations

from pathlib import Path

import pytest

from orbit_voice.server.data_directory import DataDirectory, DataDirectoryError


def test_only_one_process_at_a_time_owns_a_data_directory(tmp_path: Path) -> None:
    second = DataDirectory(tmp_path / "data")
    with (
        DataDirectory(tmp_path / "data"),
        pytest.raises(DataDirectoryError, match="another server uses"),
    ):
        second.__enter__()
    with second:
        pass


def test_a_node_keeps_its_id_over_restarts(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as first:
        node_id = first.node_id()
    with DataDirectory(tmp_path) as second:
        assert second.node_id() == node_id
    assert node_id.startswith("node_")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryError, match="cannot write to"):
        DataDirectory(tmp_path / "file").__enter__()
