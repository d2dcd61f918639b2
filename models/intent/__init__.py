"""The scripts of the `intent` model. README.md one folder up says in which order they run."""
