"""The type checker behind the import hook of the tests: as beartype, but a whole number is a number too."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
