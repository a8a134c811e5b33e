"""Settings for every test: few threads, and no skip for something a machine should have."""

from __future__ import annotations

import functools
import os
import signal

import pytest

# Two cores: tests that start worker processes would otherwise fight over them with a pool of threads each.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# What a shell starts in the background ignores Ctrl-C, and so would every command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before all fixtures
def pytest_runtest_setup(item) -> None:
    # libfranka makes the thread that commands a robot the first of all; what a test starts would inherit that.
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    for mark in item.iter_markers("needs"):
        if missing := {"open3d": _open3d, "opengl": _opengl, "vulkan": _vulkan}[mark.args[0]]():
            pytest.skip(missing)


@functools.cache
def _open3d() -> str:
    from burnish.points import PACKAGES

    try:
        import open3d  # noqa: F401
    except ModuleNotFoundError:  # the environment is broken, not the system
        raise
    except (ImportError, OSError) as error:
        return f"Open3D cannot be loaded ({error}): apt-get install {PACKAGES}"
    return ""


@functools.cache
def _opengl() -> str:
    from burnish.sim.opengl import PACKAGES, OpenGLError, context

    try:
        context()
    except OpenGLError:
        return f"no OpenGL: apt-get install {PACKAGES}"
    return ""


@functools.cache
def _vulkan() -> str:
    from burnish.sim.vulkan import Vulkan

    lack = Vulkan().lack()
    return f"{lack.what}: {lack.mend}" if lack else ""


def pytest_terminal_summary(terminalreporter, exitstatus, config) -> None:
    """With BURNISH_NO_SKIPS a skipped test fails the run, as `.ci/run` wants it."""
    if _skips_matter() and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("skipped tests fail this run (BURNISH_NO_SKIPS is set)", red=True)


def pytest_sessionfinish(session, exitstatus) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")  # none in a worker of pytest-xdist
    if _skips_matter() and exitstatus == 0 and reporter and reporter.stats.get("skipped"):
        session.exitstatus = 1


def _skips_matter() -> bool:
    return bool(os.environ.get("BURNISH_NO_SKIPS"))
