"""The messages' management commands, one a module."""
