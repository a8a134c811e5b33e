"""The operator's keys while a robot moves: Enter stops it at once, r resumes, q ends."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from typing import Any

from burnish.errors import BurnishError
from burnish.real.session import Session

HALT = set("\r\n ")
MOST = 256
"""Keys read at once."""


class Operator:
    """Reads the terminal, where there is one; for `with`."""

    def __init__(self, session: Session) -> None:
        self._session, self._saved, self._ended = session, None, False
        self._terminal = sys.stdin is not None and sys.stdin.isatty()
        self.help = (
            "Enter halts it, r resumes, q ends" if self._terminal else "no terminal to stop it from; Ctrl-C ends"
        )

    def done(self) -> bool:
        """Obey the keys pressed since the last call, a halt before all others; whether to end."""
        while self._terminal and not self._ended and select.select([sys.stdin], [], [], 0)[0]:
            keys = self._keys()
            if HALT & keys:
                self._session.halt()
            elif "r" in keys:
                self._resume()
            self._ended = self._ended or "q" in keys or not keys
        return self._ended

    def _keys(self) -> set[str]:
        """From the terminal itself: Python's own buffer would keep all but the first. Empty where it is gone."""
        try:
            return set(os.read(sys.stdin.fileno(), MOST).decode("latin-1"))
        except OSError:
            return set()

    def _resume(self) -> None:
        try:
            self._session.resume()
            self._session.play(self.done)
        except BurnishError as error:
            self._session.say("operator", f"not resumed: {error}")

    def __enter__(self) -> Operator:
        if self._terminal:
            import termios
            import tty

            self._saved: Any = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, *_: object) -> None:
        if self._saved is not None:
            import termios

            with suppress(termios.error):  # a terminal that is gone
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._saved)
