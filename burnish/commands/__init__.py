"""One module per verb: a frozen `Config`, `configure(words) -> Config` for the command line, `run(config) -> dict`."""
