"""The ledger tells calls dialled twice from INVITEs sent twice."""

from __future__ import annotations

from orbit_voice.testing import invite_ledger
from orbit_voice.testing.invite_ledger import InviteLedger


def test_a_retransmission_is_neither_a_call_nor_an_invite():
    ledger = InviteLedger()
    for _ in range(3):
        ledger.enter("+1555", "a@b", 1)
    assert ledger.times_dialled("+1555") == 1
    assert ledger.calls()[0].invites == 1


def test_an_invite_with_credentials_is_the_same_call():
    ledger = InviteLedger()
    ledger.enter("+1555", "a@b", 1)
    ledger.enter("+1555", "a@b", 2)
    assert ledger.times_dialled() == 1
    assert ledger.calls("+1555")[0].invites == 2


def test_another_call_id_is_another_call():
    ledger = InviteLedger()
    ledger.enter("+1555", "a@b", 1)
    ledger.enter("+1555", "c@b", 1)
    ledger.enter("+1666", "d@b", 1)
    assert [entry.call_id for entry in ledger.calls("+1555")] == ["a@b", "c@b"]
    assert ledger.times_dialled() == 3
    assert ledger.times_dialled("+1777") == 0


def test_a_full_ledger_still_counts_the_calls_it_knows(monkeypatch):
    monkeypatch.setattr(invite_ledger, "MAX_ENTRIES", 1)
    ledger = InviteLedger()
    ledger.enter("+1555", "a@b", 1)
    ledger.enter("+1555", "c@b", 1)
    ledger.enter("+1555", "a@b", 2)
    assert ledger.times_dialled() == 1
    assert ledger.calls()[0].invites == 2
