"""The embed model: static sentence vectors for similarity and the semantic cache."""
