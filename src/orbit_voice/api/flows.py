"""Agents and IVR flows of a server that has none."""

from __future__ import annotations


class NoFlows:
    """A :class:`~orbit_voice.api.interfaces.FlowLookup` that finds nothing.

    Calls that name an agent or a flow are refused as naming one that is not there; raw calls are
    served.
    """

    async def has_agent(self, org_id: str, agent_id: str) -> bool:
        """Return False."""
        return False

    async def has_ivr(self, org_id: str, ivr_id: str) -> bool:
        """Return False."""
        return False
