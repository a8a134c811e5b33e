"""The operator's keys while a robot moves: Enter stops it at once, r resumes, q ends."""

from __future__ import annotations

import select
import sys
from typing import Any

from burnish.errors import BurnishError
from burnish.real.session import Session


class Operator:
    """Reads the terminal, where there is one; for `with`."""

    def __init__(self, session: Session) -> None:
        self._session, self._saved = session, None
        self._terminal = sys.stdin is not None and sys.stdin.isatty()
        self.help = (
            "Enter halts it, r resumes, q ends" if self._terminal else "no terminal to stop it from; Ctrl-C ends"
        )

    def done(self) -> bool:
        """Obey the keys pressed since the last call; whether to end."""
        while self._terminal and select.select([sys.stdin], [], [], 0)[0]:
            key = sys.stdin.read(1)
            if key == "q":
                return True
            self._obey(key)
        return False

    def _obey(self, key: str) -> None:
        if key in "\r\n ":
            self._session.halt()
        elif key == "r":
            try:
                self._session.resume()
                self._session.play()
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

            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._saved)
