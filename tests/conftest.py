"""Puts this directory on the path, so that tests in sub-directories can share its modules."""
