"""The command `exr-inspector`, a module for each of its subcommands."""
