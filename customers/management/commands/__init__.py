"""The customers' management commands, one a module."""
