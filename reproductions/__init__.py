"""One script per paper: what it claims, what was expected here, what was measured, and whether it holds."""
