"""The campaigns in their short forms; the scripts beside this file run the long ones."""

import shutil

import crash_daemon
import crash_workers
import fail_calls
import fill_disk
import flip_bits
import pytest

KILLS_OF_THE_DAEMON = 200
KILLS_OF_WORKERS = 60
CALLS_THAT_FAIL = 40


def test_a_killed_daemon_loses_and_repeats_nothing(tmp_path):
    facts = crash_daemon.run(KILLS_OF_THE_DAEMON, 7, tmp_path / "state")
    assert facts["lives_that_answered"] > KILLS_OF_THE_DAEMON / 4
    assert facts["acknowledged_before_repeats"] > KILLS_OF_THE_DAEMON / 4


def test_killed_workers_end_their_jobs_once(tmp_path):
    facts = crash_workers.run(KILLS_OF_WORKERS, 7, tmp_path / "state")
    assert facts["kills"] == KILLS_OF_WORKERS


def test_a_full_disk_is_waited_out(tmp_path):
    if not fill_disk.can_mount():
        pytest.skip("a file system of 64 MB can only be mounted by root")
    facts = fill_disk.run(tmp_path / "disk")
    assert facts["resumed"]


def test_flipped_bits_of_published_files_are_found(tmp_path):
    facts = flip_bits.run(100, 7, tmp_path / "state")
    assert facts["artefact_flips_found"] == 50
    assert facts["database_flips"]["found"] > 0


def test_calls_that_fail_end_in_success_or_in_a_reason(tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("the library that fails calls is made with cc")
    facts = fail_calls.run(CALLS_THAT_FAIL, 7, tmp_path / "calls")
    assert not facts["findings"], facts["findings"]
    assert facts["hit"] > CALLS_THAT_FAIL * 3 / 4
