"""One participant on one network interface: the topics of a Unitree robot, read and written as `wire.Message`.

The SDK's own factory is one per process, prints instead of raising, and keeps a log file that all users share.
"""

from __future__ import annotations

from typing import Any

from burnish.real.base import RobotError

CONFIG = """<CycloneDDS><Domain Id="any"><General><Interfaces>
<NetworkInterface name="{}" priority="default" multicast="default"/>
</Interfaces></General></Domain></CycloneDDS>"""
_domains: dict[int, tuple[str, Any]] = {}


class Line:
    """Readers and writers on one interface and DDS domain."""

    def __init__(self, interface: str, domain: int) -> None:
        """Raises `RobotError` if there is no such interface, or no `burnish[unitree]`."""
        try:
            from cyclonedds.core import DDSException
            from cyclonedds.domain import Domain, DomainParticipant
        except ImportError as error:
            raise RobotError(f"no DDS here ({error}); install `burnish[unitree]`") from error
        used, _ = _domains.get(domain, (interface, None))
        if used != interface:  # one process can join a domain on one interface only
            raise RobotError(f"DDS domain {domain} is on interface {used!r} already, not on {interface!r}")
        try:
            if domain not in _domains:
                _domains[domain] = (interface, Domain(domain, CONFIG.format(interface)))
            self._participant = DomainParticipant(domain)
        except DDSException as error:
            raise RobotError(
                f"cannot open DDS domain {domain} on interface {interface!r} ({error}); "
                "`ip address` lists the interfaces: take the one in the robot's network, 192.168.123.x"
            ) from error

    def reader(self, name: str, kind: Any, depth: int = 1) -> Any:
        """A `DataReader` of topic `name` that keeps the newest `depth` samples of IDL type `kind`."""
        from cyclonedds.core import Policy, Qos
        from cyclonedds.sub import DataReader

        # Best effort is what robot and SDK use: what is lost is counted, never asked for again and late.
        quality = Qos(Policy.History.KeepLast(depth), Policy.Reliability.BestEffort)
        return DataReader(self._participant, self._topic(name, kind), quality)

    def writer(self, name: str, kind: Any) -> Any:
        """A `DataWriter` to topic `name` of IDL type `kind`."""
        from cyclonedds.pub import DataWriter

        return DataWriter(self._participant, self._topic(name, kind))

    def waiter(self, reader: Any) -> Any:
        """A `WaitSet` that wakes when `reader` has something new."""
        from cyclonedds.core import InstanceState, ReadCondition, SampleState, ViewState, WaitSet

        waiter = WaitSet(self._participant)
        waiter.attach(ReadCondition(reader, ViewState.Any | InstanceState.Any | SampleState.NotRead))
        return waiter

    def _topic(self, name: str, kind: Any) -> Any:
        from cyclonedds.topic import Topic

        return Topic(self._participant, name, kind)
