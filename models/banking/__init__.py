"""The banking model: which of 77 topics a question to a bank has, or none."""
