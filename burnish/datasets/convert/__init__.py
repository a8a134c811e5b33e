"""Recordings of other kinds become datasets: a `Reader` per format, one writer for all."""
