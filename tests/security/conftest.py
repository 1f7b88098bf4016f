"""Security tests drive the same daemons as the scenarios: their fixtures, and their module as
scenario_fixtures."""

import importlib.util
import pathlib
import sys

SCENARIO = pathlib.Path(__file__).resolve().parents[1] / "scenario" / "conftest.py"


def load_scenario():
    spec = importlib.util.spec_from_file_location("scenario_fixtures", SCENARIO)
    module = importlib.util.module_from_spec(spec)
    sys.modules["scenario_fixtures"] = module
    spec.loader.exec_module(module)
    return module


scenario = sys.modules.get("scenario_fixtures") or load_scenario()
make_daemon = scenario.make_daemon
daemon = scenario.daemon
slow_suites = scenario.slow_suites
