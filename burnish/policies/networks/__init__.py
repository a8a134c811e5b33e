"""Denoisers: z (B, H, A), times t and r (B,), condition (B, C) → (B, H, A)."""
