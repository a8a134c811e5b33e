"""LIBERO (arXiv 2306.03310) and LIBERO-PRO (arXiv 2510.03827): 130 tasks on robosuite 1.4, and their perturbations."""
