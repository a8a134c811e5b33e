"""What clients of a policy server notice: right answers, the same again, health, and an end within a second."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from burnish.contract import IMAGES, STATE, TASK, decode_text
from burnish.errors import BurnishError, RequestError, ServerError
from burnish.exported import ExportedPolicy
from burnish.real.server.client import RemotePolicy
from burnish.real.server.planner import open_planner

OBS = {STATE: np.linspace(-1, 1, 6)}


def chunks(address: str, count: int, **options) -> np.ndarray:
    with RemotePolicy(address) as remote:
        return np.stack([remote.plan(OBS, **options) for _ in range(count)])


def test_a_client_gets_what_the_policy_plans(address, exported):
    policy, rng = ExportedPolicy(exported), np.random.default_rng(0)
    expected = [policy.act({key: value[None] for key, value in OBS.items()}, rng)[0] for _ in range(3)]
    assert np.array_equal(chunks(address, 3), expected)


def test_it_is_told_what_the_numbers_mean(address, exported):
    policy = ExportedPolicy(exported)
    with RemotePolicy(address) as remote:
        assert remote.contract == policy.contract
        assert (remote.horizon, remote.replan, remote.realtime) == (policy.horizon, policy.replan, False)
        assert remote.metadata["policy"] == "meanflow"
        assert "burnish/seed" in remote.metadata["reset"]


def test_a_checkpoint_answers_as_its_export(address, checkpoint, serving):
    with serving(open_planner(checkpoint)) as other:
        assert np.allclose(chunks(other, 3), chunks(address, 3), atol=1e-4)


def test_noise_is_each_connections_own_and_begins_again_with_a_seed(address):
    alone = chunks(address, 4)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(found, alone) for found in pool.map(lambda _: chunks(address, 4), range(8)))
    with RemotePolicy(address) as remote:
        first, second, again = remote.plan(OBS, seed=7), remote.plan(OBS), remote.plan(OBS, seed=7)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, alone[0])


def test_images_and_instructions_arrive_as_they_were(serving, written, seeing):
    def act(obs):
        return [obs[f"{IMAGES}eye"][1, 2, 0], len(decode_text(obs[TASK])), obs[STATE][0], 0]

    image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    with serving(written(act, seeing)) as address, RemotePolicy(address) as remote:
        chunk = remote.plan({STATE: np.full(6, 0.5), f"{IMAGES}eye": image, TASK: "pick"})
        assert chunk[0].tolist() == [image[1, 2, 0], 4, 0.5, 0]
        with pytest.raises(RequestError, match="instruction of 17 bytes; 16 fit"):
            remote.plan({STATE: np.zeros(6), f"{IMAGES}eye": image, TASK: "x" * 17})
        with pytest.raises(RequestError, match="eye: the dtype float64, expected uint8"):
            remote.plan({STATE: np.zeros(6), f"{IMAGES}eye": image / 255, TASK: "pick"})


def test_a_chunk_under_way_reaches_a_planner_that_can_go_on_with_it(serving, written):
    def act(obs, previous, frozen):
        return [frozen, len(previous), *previous[0, :2]]

    with serving(written(act, realtime=True)) as address, RemotePolicy(address) as remote:
        assert remote.realtime
        assert remote.plan(OBS, np.full((2, 4), 0.25), 1)[0].tolist() == [1, 2, 0.25, 0.25]
        with pytest.raises(RequestError, match="burnish/frozen: 3, expected a whole number from 0 to 2"):
            remote.plan(OBS, np.zeros((2, 4)), 3)
        with pytest.raises(RequestError, match=r"previous\[1, 2\]: nan"):
            remote.plan(OBS, np.where(np.arange(8).reshape(2, 4) == 6, np.nan, 0), 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_action_that_is_no_number_is_an_error_and_is_never_sent(serving, written, get, bad):
    def act(obs):
        return [0, bad if obs[STATE][0] < 0 else 1, 0, 0]

    with serving(written(act)) as address, RemotePolicy(address) as remote:
        with pytest.raises(RequestError, match=f"planned {bad} as action 1 of step 0"):
            remote.plan(OBS)
        assert remote.plan({STATE: np.ones(6)})[0, 1] == 1
        assert "burnish_errors_total 1\n" in get(address, "/metrics")[1]


def test_a_policy_that_breaks_does_not_take_the_server_along(serving, written, get, capfd):
    def act(obs):
        return {}["nothing"]

    with serving(written(act)) as address:
        for _ in range(2):
            with pytest.raises(RequestError, match="the policy failed: KeyError: 'nothing'"):
                chunks(address, 1)
        assert get(address, "/healthz") == (200, "OK\n")
    assert 'in act\n    return {}["nothing"]' in capfd.readouterr().err


def test_health_and_numbers_are_there_while_a_plan_takes_long(serving, written, get):
    begun, go_on = threading.Event(), threading.Event()

    def act(obs):
        begun.set()
        return go_on.wait(20)

    with serving(written(act)) as address, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(chunks, address, 1)
        assert begun.wait(10)
        assert get(address, "/healthz") == (200, "OK\n")
        assert "burnish_clients 1\n" in get(address, "/metrics")[1]
        go_on.set()
        assert waiting.result(10).shape == (1, 3, 4)
        text = get(address, "/metrics")[1]
    assert "burnish_requests_total 1\n" in text
    assert "burnish_inference_seconds_count 1\n" in text
    assert 'burnish_inference_seconds_bucket{le="+Inf"} 1\n' in text
    assert 'burnish_refused_total{reason="message"} 0\n' in text


def test_a_message_that_is_too_large_ends_its_connection_and_no_other(serving, written, get):
    with serving(written(lambda _: 1), max_message_bytes=5000) as address, RemotePolicy(address) as good:
        with RemotePolicy(address) as bad, pytest.raises(ServerError, match=r"frame with 80\d\d bytes .* 5000 bytes"):
            bad.plan({STATE: np.zeros(1000)})
        assert good.plan(OBS).shape == (3, 4)
        assert 'reason="size"} 1' in get(address, "/metrics")[1]


def test_it_stops_though_a_client_is_silent_and_a_plan_endless(serving, written):
    begun, forever = threading.Event(), threading.Event()

    def act(obs):
        begun.set()
        return forever.wait(60)

    with ThreadPoolExecutor(1) as pool:
        with serving(written(act)) as address:
            host, port = address.split(":")
            half_open = socket.create_connection((host, int(port)))
            half_open.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            waiting = pool.submit(chunks, address, 1)
            assert begun.wait(10)
        with pytest.raises(ServerError, match=r"the connection ended .* connect again"):
            waiting.result(5)
        assert half_open.recv(1000).startswith(b"HTTP/1.1 503") or not half_open.recv(1000)
        half_open.close()
        forever.set()


def test_a_port_in_use_or_out_of_range_is_named(address, exported, serving):
    port = int(address.split(":")[1])
    planner = open_planner(exported)
    with pytest.raises(BurnishError, match=f"port {port}: another program uses it"), serving(planner, port=port):
        pass
    with pytest.raises(BurnishError, match="--port 70000"), serving(planner, port=70000):
        pass
