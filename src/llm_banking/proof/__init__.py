"""Measurements of the product, and the report that is written from them and from nothing else."""
