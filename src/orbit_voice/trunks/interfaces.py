"""What keeps trunks and numbers, as protocols that the store implements.

Every method that takes ``org_id`` sees that organization's rows and no others: an id of another
organization is an id that does not exist.
"""

from __future__ import annotations

from typing import Protocol

from orbit_voice.kit.pages import Page
from orbit_voice.trunks.records import Number, Trunk


class TrunkStore(Protocol):
    """Keeps trunks. Passwords are sealed at rest and clear in the records."""

    async def create_trunk(self, trunk: Trunk) -> None:
        """Keep a new trunk; return when it is durable."""

    async def get_trunk(self, org_id: str, trunk_id: str) -> Trunk | None:
        """Return one trunk, or None."""

    async def list_trunks(self, org_id: str, *, cursor: str | None, limit: int) -> Page[Trunk]:
        """Return one page, newest first.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """

    async def update_trunk(self, trunk: Trunk) -> bool:
        """Replace a trunk's row by ``trunk``; return False when there is none."""

    async def delete_trunk(self, org_id: str, trunk_id: str) -> bool:
        """Delete a trunk; return False when there is none.

        Raises:
            CallError: ``RESOURCE_IN_USE`` while numbers name it (``details.numbers``) or calls on
                it have no end yet (``details.active_calls``).
        """

    async def enabled_trunks(self, org_id: str) -> list[Trunk]:
        """Return an organization's enabled trunks: lowest ``priority`` first, then oldest first."""

    async def all_enabled_trunks(self) -> list[Trunk]:
        """Return every organization's enabled trunks: whose carrier may be calling us."""


class NumberStore(Protocol):
    """Keeps phone numbers. A number exists once, whoever owns it."""

    async def create_number(self, number: Number) -> None:
        """Keep a new number; with ``is_default`` the organization's former default loses it.

        Raises:
            CallError: ``CONFLICT`` when the number is registered already; ``NOT_FOUND`` when
                ``trunk_id`` is no trunk of the organization.
        """

    async def get_number(self, org_id: str, number_id: str) -> Number | None:
        """Return one number by its id, or None."""

    async def list_numbers(self, org_id: str, *, cursor: str | None, limit: int) -> Page[Number]:
        """Return one page, newest first.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """

    async def update_number(self, number: Number) -> bool:
        """Replace a number's row by ``number``; return False when there is none.

        Raises:
            CallError: as :meth:`create_number`.
        """

    async def delete_number(self, org_id: str, number_id: str) -> bool:
        """Delete a number; return False when there is none."""

    async def find_number(self, org_id: str, number: str) -> Number | None:
        """Return the organization's number written ``number`` (E.164), or None."""

    async def inbound_number(self, number: str) -> Number | None:
        """Return whoever's number is written ``number`` (E.164): an inbound call names no owner."""

    async def default_number(self, org_id: str) -> Number | None:
        """Return the caller ID of calls that name none, or None."""
