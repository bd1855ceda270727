"""Benchmark suites: one file that names data, methods, rules and tables, and what carries it out."""

from cladewise.suites.reading import available, read_suite
from cladewise.suites.running import run_suite
from cladewise.suites.suite import Suite

__all__ = ["Suite", "available", "read_suite", "run_suite"]
