"""What is weighed, however large: sources, the plan of a scan, blocks of rows, and the scan itself.

Modules import from modules (``from salience.data.hashing import identities``); this namespace stays empty so
that importing one part loads no other.
"""
