from importlib import metadata

from runnable.system.version import version


def test_it_is_that_of_the_installed_package():
    assert version() == metadata.version("runnable")
