"""Run folders read, checked against each other and grouped by configuration."""
