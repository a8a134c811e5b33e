"""burnish: imitate, refine by reinforcement learning, distil and deploy robot policies."""

import os

__version__ = "0.1.0"

# Threads that wait for each other by spinning for long starve other work and then themselves: beside one busy process,
# small kernels on all cores ran up to 50 times slower. Spinning briefly, then sleeping, costs a tenth when all is
# quiet (sleeping at once costs more than half). Must be set before torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
