"""Our checkpoints in lerobot: `lerobot-eval --policy.path=CHECKPOINT --env.type=libero …`.

lerobot finds this package through the little distribution beside it, `lerobot_policy_burnish`, or by
`--env.discover_packages_path=burnish.policies.lerobot_plugin`. Names of modules and classes follow its convention.
"""

from burnish.policies.lerobot_plugin import configuration_burnish as configuration_burnish
