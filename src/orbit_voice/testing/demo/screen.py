"""The demo's screen: who did what, and when, as it happens."""

from __future__ import annotations

from enum import Enum

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from orbit_voice.kit.clock import monotonic


class Who(Enum):
    """Whose line it is, and its colour."""

    SERVER = "cyan"
    YOU = "bright_blue"
    CARRIER = "green"
    ANNA = "yellow"
    PHONE = "bright_yellow"
    WEBHOOK = "magenta"
    CHECK = "bright_green"


class Screen:
    """Prints to the terminal; each line carries the milliseconds since the demo began.

    Args:
        console: Where to print.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._began_at = monotonic()
        self._chapters = 0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the demo began."""
        return monotonic() - self._began_at

    def title(self, text: str) -> None:
        """Begin the demo."""
        self._console.print(Panel.fit(text, border_style="cyan", padding=(0, 2)))

    def chapter(self, text: str) -> None:
        """Begin a part of it."""
        self._chapters += 1
        self._console.print(f"\n[bold]{self._chapters}  {escape(text)}[/]")

    def line(self, who: Who, what: str, detail: str = "") -> None:
        """Print that ``who`` did ``what``."""
        moment = round(self.elapsed_s * 1000)
        text = Text(f"{moment:>7} ms  ", "dim")
        text.append(f"{who.name.lower():<8} ", who.value)
        text.append(what)
        if detail:
            text.append(f"  {detail}", "dim")
        self._console.print(text, no_wrap=True, overflow="ellipsis")

    def check(self, what: str, detail: str = "") -> None:
        """Print that something was looked at and found right."""
        self.line(Who.CHECK, f"✓ {what}", detail)

    def show(self, thing: RenderableType) -> None:
        """Print a table."""
        self._console.print(Padding(thing, (0, 0, 0, 4)))

    def tell(self, text: str) -> None:
        """Print lines with markup; what is to be copied from them is never cut."""
        for line in text.splitlines():
            self._console.print(f"    {line}", soft_wrap=True)

    def failure(self, sentence: str) -> None:
        """Print what did not happen."""
        self._console.print(f"\n[bold red]✗ The demo failed:[/] {escape(sentence)}")
