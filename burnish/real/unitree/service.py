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
ANSWER_S, AGAIN_S = 2.0, 0.3
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
        until, again = time.monotonic() + ANSWER_S, 0.0
        while (now := time.monotonic()) < until:
            if now >= again and self._found():
                self._writer.write(Request_(header, "{}", []))  # pyright: ignore[reportArgumentType]
                again = now + AGAIN_S
            self._waiter.wait(20_000_000)
            for answer in self._reader.take(8):
                if _is_answer(answer, number):
                    return answer.data
        return ""

    def _found(self) -> bool:
        """Whether the robot's side is there, both ways."""
        hears = self._writer.get_publication_matched_status().current_count
        return bool(hears and self._reader.get_subscription_matched_status().current_count)


class SimulatedService:
    """The robot's side, for a simulated one.

    Attributes:
        name: of the service that has the motors; "" once it is released.
    """

    def __init__(self, line: Line, name: str) -> None:
        from unitree_sdk2py.idl.unitree_api.msg.dds_ import Request_, Response_

        self.name = name
        self._reader, self._writer = line.reader(REQUEST, Request_, depth=8), line.writer(RESPONSE, Response_)

    def serve(self) -> None:
        """Answer what was asked since the last call."""
        from unitree_sdk2py.idl.unitree_api.msg.dds_ import Response_, ResponseHeader_, ResponseStatus_

        for request in self._reader.take(8):
            if not hasattr(request, "header"):
                continue
            identity = request.header.identity
            if identity.api_id == RELEASE:
                self.name = ""
            said = json.dumps({"form": "0", "name": self.name})
            self._writer.write(
                Response_(ResponseHeader_(identity, ResponseStatus_(0)), said, [])  # pyright: ignore[reportArgumentType]
            )


def _is_answer(answer: Any, number: int) -> bool:
    return hasattr(answer, "header") and answer.header.identity.id == number
