"""Everything stands in pyproject.toml; `colcon build` wants this file all the same."""

from setuptools import setup

made = setup()
# colcon reads back what it prints of this, and a set of version specifiers is no literal.
made.python_requires = made.metadata.python_requires = str(made.python_requires)
