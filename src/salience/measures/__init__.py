"""The mathematics that more than one family needs."""
