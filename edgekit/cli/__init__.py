"""The command line: options in, one verb, results to stdout, progress to stderr, an exit code."""
