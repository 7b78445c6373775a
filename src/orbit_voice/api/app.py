"""The application: every route once, under ``/v1`` and again under ``/api/v1``."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI

from orbit_voice import __version__
from orbit_voice.api import (
    calls,
    commands,
    docs,
    health,
    keys,
    numbers,
    recordings,
    trunks,
)
from orbit_voice.api.dependencies import Dependencies
from orbit_voice.api.edge import Edge
from orbit_voice.api.errors import install_error_handlers
from orbit_voice.api.links import RecordingLinks

ROUTERS: Final = (
    calls.router,
    commands.router,
    health.router,
    recordings.router,
    numbers.router,
    trunks.router,
    keys.router,
    docs.router,
)
"""The busiest first: routes are tried in order."""


def create_app(dependencies: Dependencies) -> FastAPI:
    """Return the API on top of ``dependencies``.

    The routes are handed over as one flat list: included routers would match every request twice,
    which costs more than the rest of the routing.
    """
    app = FastAPI(
        title="Orbit Voice",
        version=__version__,
        routes=[route for router in ROUTERS for route in router.routes],
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.dependencies = dependencies
    app.state.recording_links = RecordingLinks(dependencies.link_secret)
    install_error_handlers(app)
    app.add_middleware(Edge)
    return app
