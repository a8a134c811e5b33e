"""Messages against the SDK's own: every byte of the stream, and the CRC."""

import dataclasses
import itertools

import numpy as np
import pytest

from burnish.real.unitree.wire import message_type

default = pytest.importorskip("unitree_sdk2py.idl.default")
KINDS = list(itertools.product(("unitree_go", "unitree_hg"), ("LowCmd_", "LowState_")))


def fill(value, rng):
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            setattr(value, field.name, fill(getattr(value, field.name), rng))
        return value
    if isinstance(value, list):
        return [fill(part, rng) for part in value]
    return float(np.float32(rng.normal())) if isinstance(value, float) else int(rng.integers(0, 100))


@pytest.mark.parametrize(("family", "name"), KINDS)
def test_a_message_is_the_sdks_own_byte_for_byte(family, name):
    from unitree_sdk2py.utils.crc import CRC

    theirs = fill(getattr(default, f"{family}_msg_dds__{name}")(), np.random.default_rng(0))
    stream = theirs.serialize()
    ours = message_type(family, name).deserialize(stream)
    assert ours.serialize() == stream
    assert ours.crc() == CRC().Crc(theirs)
    motor = "motor_cmd" if "Cmd" in name else "motor_state"
    assert float(ours.record[motor][7]["q"]) == getattr(theirs, motor)[7].q


@pytest.mark.parametrize(("family", "name"), KINDS)
def test_a_flipped_bit_is_seen(family, name):
    message = message_type(family, name)()
    message.record["motor_cmd" if "Cmd" in name else "motor_state"]["q"] = 0.5
    message.sign()
    assert message.signed()
    message.record["motor_cmd" if "Cmd" in name else "motor_state"]["q"][3] = 0.25
    assert not message.signed()


def test_a_stream_of_another_type_is_refused():
    short = message_type("unitree_go", "LowCmd_")().serialize()
    with pytest.raises(ValueError, match="no LowState_"):
        message_type("unitree_go", "LowState_").deserialize(short)
