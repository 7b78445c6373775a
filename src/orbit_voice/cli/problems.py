"""What goes wrong is told in one line, without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from pydantic import ValidationError
from rich.console import Console

from orbit_voice.kit.errors import OrbitError

_err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def problems_are_told() -> Iterator[None]:
    """Turn the errors an operator can mend into a line on stderr and exit status 1."""
    try:
        yield
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            setting = f"ORBIT_{name}: " if name else ""
            _err.print(f"orbit-voice: {setting}{problem['msg']}")
        raise typer.Exit(1) from None
    except (OrbitError, ValueError) as error:
        _err.print(f"orbit-voice: {error}")
        raise typer.Exit(1) from None
