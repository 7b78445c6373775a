from __future__ import annotations

from orbit_voice.kit.ids import IdFactory, IdPrefix


def test_ids_carry_their_kind_and_ascend_even_within_one_millisecond() -> None:
    make = IdFactory(IdPrefix.CALL)
    ids = [make() for _ in range(2000)]
    assert all(i.startswith("call_") and len(i) == len("call_") + 26 for i in ids)
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_ids_use_no_letters_that_people_confuse() -> None:
    make = IdFactory(IdPrefix.EVENT)
    assert not set("ilou") & set("".join(make().partition("_")[2] for _ in range(200)))
