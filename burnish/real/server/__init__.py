"""A policy behind a websocket: openpi's protocol, msgpack with numpy arrays; and a client for it.

Nothing here imports torch until a torch checkpoint is loaded, so that a light computer serves an exported policy.
"""
