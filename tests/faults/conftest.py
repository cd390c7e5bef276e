import pytest

from helpers.faulty import Driver


@pytest.fixture
def start(tmp_path):
    """Starts a study in a process of its own, which is gone when the test is."""
    drivers = []

    def start(executor, seeds, *, train="seedwise.study.fake:train", environment=None):
        driver = Driver(tmp_path / "study.db", executor, seeds, train, environment or {})
        drivers.append(driver)
        return driver

    yield start
    for driver in drivers:
        if driver.process.poll() is None:
            driver.process.kill()
        driver.process.communicate()
