"""Builds: the plan as data, tools found by name, execution with a cache."""
