"""ManiSkill 3's tasks on a table (arXiv 2410.00425), one world per environment, on a CPU."""
