"""burnish: imitate, refine by reinforcement learning, distil and deploy robot policies."""

__version__ = "0.1.0"
