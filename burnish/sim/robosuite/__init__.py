"""Robosuite 1.4's tasks for one arm (arXiv 2009.12293), in the version that LIBERO is built on."""
