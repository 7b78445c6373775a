from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.store.api_keys import ALL_SCOPES, ApiKeys, Mode, Scope
from orbit_voice.store.errors import SealError
from orbit_voice.store.first_start import prepare_first_start
from orbit_voice.store.schema import migrate, schema_differences
from orbit_voice.store.sealing import Sealer, SecretKey
from orbit_voice.store.store import database_at, open_store
from orbit_voice.store.tables import api_keys
from orbit_voice.trunks.records import RoutingType

pytestmark = pytest.mark.anyio
START = datetime(2026, 1, 31, 8, tzinfo=UTC)


def bytes_on_disk(directory) -> bytes:
    return b"".join(path.read_bytes() for path in directory.glob("v.db*"))


async def test_migrating_an_empty_file_makes_exactly_the_tables_in_code(tmp_path):
    async with database_at(f"sqlite:///{tmp_path}/v.db") as database:
        before, after = await migrate(database)
        assert before is None
        assert await migrate(database) == (after, after)
        assert await schema_differences(database) == []


async def test_the_file_is_sound_and_has_a_write_ahead_log(opened, make):
    async with opened() as world:
        await world.store.journal.commit(make.first(make.call(world.ours)))

        def check(connection):
            return [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "integrity_check")
            ]

        assert await world.store.database.read(check) == ["wal", "ok"]


async def test_a_trunk_is_changed_and_deleted_by_its_owner_alone(opened, make):
    async with opened() as world:
        trunks = world.store.trunks
        trunk = make.trunk(
            world.ours, username="u", password="p", inbound_uris=("10.0.0.0/8",), realm="r"
        )
        await trunks.create_trunk(trunk)
        assert await trunks.get_trunk(world.ours, trunk.id) == trunk
        assert await trunks.get_trunk(world.theirs, trunk.id) is None
        assert not await trunks.update_trunk(replace(trunk, org_id=world.theirs))
        assert not await trunks.delete_trunk(world.theirs, trunk.id)
        changed = replace(trunk, name="New", password=None, enabled=False)
        assert await trunks.update_trunk(changed)
        assert await trunks.get_trunk(world.ours, trunk.id) == changed
        assert await trunks.enabled_trunks(world.ours) == []
        assert await trunks.delete_trunk(world.ours, trunk.id)
        assert await trunks.get_trunk(world.ours, trunk.id) is None


async def test_trunks_are_tried_by_priority_then_by_age(opened, make):
    async with opened() as world:
        made = [
            make.trunk(world.ours, second, priority=priority)
            for second, priority in ((3, 1), (2, 0), (1, 1))
        ]
        theirs = make.trunk(world.theirs, 0, priority=5)
        for trunk in (*made, theirs):
            await world.store.trunks.create_trunk(trunk)
        wanted = [made[1], made[2], made[0]]
        assert await world.store.trunks.enabled_trunks(world.ours) == wanted
        assert await world.store.trunks.all_enabled_trunks() == [*wanted, theirs]


async def test_no_secret_is_readable_in_the_files(opened, make, tmp_path):
    async with opened() as world:
        await world.store.trunks.create_trunk(make.trunk(world.ours, password="hunter2-hunter2"))
        _, text = await world.store.api_keys.create_key(
            world.ours, "k", mode=Mode.LIVE, scopes=ALL_SCOPES, now=START
        )
        signing = (await world.store.organizations.get_organization(world.ours)).signing_secret
        for secret in ("hunter2-hunter2", text, signing):
            assert secret.encode() not in bytes_on_disk(tmp_path)
        assert b"sip:192.0.2.9" in bytes_on_disk(tmp_path)
    for secret in ("hunter2-hunter2", text, signing):
        assert secret.encode() not in bytes_on_disk(tmp_path)


async def test_another_secret_key_opens_no_password(opened, make, tmp_path):
    async with opened() as world:
        trunk = make.trunk(world.ours, password="p")
        await world.store.trunks.create_trunk(trunk)
    other = Sealer(SecretKey("quite another key of some length"))
    async with open_store(f"sqlite:///{tmp_path}/v.db", other, node_id="node_1") as store:
        with pytest.raises(SealError):
            await store.trunks.get_trunk(trunk.org_id, trunk.id)


async def test_a_number_exists_once_whoever_owns_it(opened, make):
    async with opened() as world:
        numbers = world.store.numbers
        number = make.number(world.ours, routing=RoutingType.ANSWER, friendly_name="Desk")
        await numbers.create_number(number)
        with pytest.raises(CallError) as refusal:
            await numbers.create_number(make.number(world.theirs))
        assert refusal.value.code is ErrorCode.CONFLICT
        assert await numbers.inbound_number(number.number) == number
        assert await numbers.find_number(world.ours, number.number) == number
        assert await numbers.find_number(world.theirs, number.number) is None
        assert await numbers.get_number(world.theirs, number.id) is None
        assert not await numbers.delete_number(world.theirs, number.id)
        assert await numbers.delete_number(world.ours, number.id)
        assert await numbers.inbound_number(number.number) is None


async def test_an_organization_has_one_default_number(opened, make):
    async with opened() as world:
        numbers = world.store.numbers
        assert await numbers.default_number(world.ours) is None
        first = make.number(world.ours, "+14155550100", is_default=True)
        second = make.number(world.ours, "+14155550101", is_default=True)
        theirs = make.number(world.theirs, "+14155550102", is_default=True)
        for number in (first, theirs, second):
            await numbers.create_number(number)
        assert await numbers.default_number(world.ours) == second
        assert await numbers.update_number(first)
        assert await numbers.default_number(world.ours) == first
        assert await numbers.default_number(world.theirs) == theirs


async def test_a_number_names_a_trunk_of_its_own_organization(opened, make):
    async with opened() as world:
        theirs, ours = make.trunk(world.theirs), make.trunk(world.ours)
        await world.store.trunks.create_trunk(theirs)
        await world.store.trunks.create_trunk(ours)
        with pytest.raises(CallError) as refusal:
            await world.store.numbers.create_number(make.number(world.ours, trunk_id=theirs.id))
        assert refusal.value.code is ErrorCode.NOT_FOUND
        await world.store.numbers.create_number(make.number(world.ours, trunk_id=ours.id))
        with pytest.raises(CallError) as refusal:
            await world.store.trunks.delete_trunk(world.ours, ours.id)
        assert refusal.value.code is ErrorCode.RESOURCE_IN_USE
        assert refusal.value.details["numbers"] == ["+14155550100"]


async def test_a_trunk_with_a_living_call_is_not_deleted(opened, make):
    async with opened() as world:
        trunk = make.trunk(world.ours)
        await world.store.trunks.create_trunk(trunk)
        await world.store.journal.commit(make.first(make.call(world.ours, trunk_id=trunk.id)))
        with pytest.raises(CallError) as refusal:
            await world.store.trunks.delete_trunk(world.ours, trunk.id)
        assert refusal.value.details["active_calls"] == 1


@pytest.mark.parametrize("mode", Mode)
async def test_a_key_is_verified_until_it_is_deleted(opened, mode):
    async with opened() as world:
        keys = world.store.api_keys
        key, text = await keys.create_key(
            world.ours, "k", mode=mode, scopes={Scope.READ}, now=START
        )
        assert text.startswith(f"dv_{mode.value}_sk_")
        assert (key.mode, key.scopes) == (mode, {Scope.READ})
        assert await keys.verify(text) == key
        assert await keys.verify(text[:-1]) is None
        assert await keys.verify(text * 100) is None
        assert (await keys.list_keys(world.ours, cursor=None, limit=9)).rows == (key,)
        assert (await keys.list_keys(world.theirs, cursor=None, limit=9)).rows == ()
        assert not await keys.delete_key(world.theirs, key.id)
        assert await keys.verify(text) == key
        assert await keys.delete_key(world.ours, key.id)
        assert await keys.verify(text) is None


async def test_a_key_deleted_by_another_process_works_ten_seconds_more_at_most(opened):
    now = 0.0
    async with opened() as world:
        here = ApiKeys(world.store.database, clock=lambda: now)
        key, text = await here.create_key(
            world.ours, "k", mode=Mode.LIVE, scopes=ALL_SCOPES, now=START
        )
        assert await here.verify(text) == key
        await world.store.api_keys.delete_key(world.ours, key.id)
        now = 10.1
        assert await here.verify(text) is None


async def test_the_first_start_makes_one_owner_and_shows_one_key_once(tmp_path, sealer, capfd):
    async with open_store(f"sqlite:///{tmp_path}/v.db", sealer, node_id="node_1") as store:

        async def start(key=None):
            return await prepare_first_start(store.database, sealer, bootstrap_key=key, now=START)

        first = await start()
        again = await start()
        assert (first.is_first, again.is_first, again.new_key) == (True, False, None)
        assert again.org_id == first.org_id
        key = await store.api_keys.verify(first.new_key)
        assert (key.org_id, key.scopes) == (first.org_id, ALL_SCOPES)
        assert first.new_key not in repr(first)
        given = "dv_live_sk_given_by_the_operator"
        for _ in range(2):
            assert (await start(given)).new_key is None
        assert (await store.api_keys.verify(given)).org_id == first.org_id
        rows = sa.select(sa.func.count()).select_from(api_keys)
        assert await store.database.read(lambda connection: connection.scalar(rows)) == 2
    assert capfd.readouterr() == ("", "")


async def test_a_first_start_with_a_given_key_makes_no_other(tmp_path, sealer):
    async with open_store(f"sqlite:///{tmp_path}/v.db", sealer, node_id="node_1") as store:
        given = "dv_test_sk_given_by_the_operator"
        first = await prepare_first_start(store.database, sealer, bootstrap_key=given, now=START)
        assert (first.is_first, first.new_key) == (True, None)
        assert (await store.api_keys.verify(given)).mode is Mode.TEST
        assert (await store.api_keys.list_keys(first.org_id, cursor=None, limit=9)).total == 1
