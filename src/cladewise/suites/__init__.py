"""Benchmark suites: a file that names data, methods, rules and tables, and the code that carries it out."""

from cladewise.suites.demonstration import Demo, demo
from cladewise.suites.reading import available, read_suite
from cladewise.suites.running import benchmark
from cladewise.suites.suite import Resolved, Settings, Suite

__all__ = ["Demo", "Resolved", "Settings", "Suite", "available", "benchmark", "demo", "read_suite"]
