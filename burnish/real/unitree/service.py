"""The robot's own motion service, which must let go of the motors before somebody else commands them.

The SDK's `MotionSwitcherClient` in two calls: requests and answers are topics (`rt/api/motion_switcher/…`), their
content is JSON.
"""

from __future__ import annotations

import json
import time
from typing import Any

from burnish.real.base import RobotError
from burnish.real.unitree.dds import Line

REQUEST, RESPONSE = "rt/api/motion_switcher/request", "rt/api/motion_switcher/response"
CHECK, RELEASE = 1001, 1003
ANSWER_S = 1.0
RELEASED_S = 10.0


class MotionService:
    """Its client."""

    def __init__(self, line: Line) -> None:
        from unitree_sdk2py.idl.unitree_api.msg.dds_ import Request_, Response_

        self._writer = line.writer(REQUEST, Request_)
        self._reader = line.reader(RESPONSE, Response_, depth=8)
        self._waiter = line.waiter(self._reader)

    def active(self) -> str:
        """The name of the service in command ("normal", "ai", …); "" if none is, or nobody answers.

        No answer is no error: older firmware has no switcher. Whoever commands the motors is heard anyway.
        """
        answer = self._call(CHECK)
        return str(json.loads(answer).get("name", "")) if answer else ""

    def release(self) -> None:
        """Let it go of the motors; the robot is limp then. Raises `RobotError` if it does not."""
        until = time.monotonic() + RELEASED_S
        while name := self.active():
            if time.monotonic() > until:
                raise RobotError(f"the motion service {name!r} does not let go; end it with Unitree's own app")
            self._call(RELEASE)

    def _call(self, api: int) -> str:
        """The answer's content; "" without an answer."""
        from unitree_sdk2py.idl.default import unitree_api_msg_dds__RequestPolicy_ as policy
        from unitree_sdk2py.idl.unitree_api.msg.dds_ import Request_, RequestHeader_, RequestIdentity_, RequestLease_

        number = time.monotonic_ns()
        header = RequestHeader_(RequestIdentity_(number, api), RequestLease_(0), policy())
        until = time.monotonic() + ANSWER_S
        sent = False
        while (left := until - time.monotonic()) > 0:
            if not sent and self._writer.get_publication_matched_status().current_count:
                self._writer.write(Request_(header, "{}", []))  # pyright: ignore[reportArgumentType]
                sent = True
            self._waiter.wait(int(min(left, 0.05) * 1e9))
            for answer in self._reader.take(8):
                if _is_answer(answer, number):
                    return answer.data
        return ""


def _is_answer(answer: Any, number: int) -> bool:
    return hasattr(answer, "header") and answer.header.identity.id == number
