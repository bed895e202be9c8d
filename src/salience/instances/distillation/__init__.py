"""Dataset distillation by refining what is not critical: a few images per class, and two numbers instead of soft labels."""
