"""Image-text models as the backbone of a policy."""
