"""burnish: imitate, refine by reinforcement learning, distil and deploy robot policies."""

import os

__version__ = "0.1.0"

# Threads that wait for each other by spinning waste the cores that other work needs: beside one busy process, small
# kernels on all cores ran up to 50 times slower than with threads that sleep. Must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
