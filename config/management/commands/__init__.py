"""The project's management commands, one a module."""
