"""From a folder of YAML files to values of the core, or to every mistake in them with file, line and column."""
