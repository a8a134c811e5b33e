"""Everything stands in pyproject.toml; `colcon build` wants this file all the same."""

from setuptools import setup

setup()
