"""Indexes behind one door: build, search, params. A module per library; each is imported when it is used."""
