"""Imported by lerobot because of its name; registers the policy type `burnish`."""

import burnish.policies.lerobot_plugin as lerobot_plugin  # noqa: F401
